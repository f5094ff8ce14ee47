//! The cards and presses of the port.

use jiff::Timestamp;

use super::{admin, outbox::PostgresOutbox, presses, session::Transaction, watches};
use crate::outbox::{
    AcceptedPress, CardStore, ClaimId, DeliveryId, NewPress, Press, PressId, PressVerdict, StoreResult,
    WatchVerdict, WatchedCard,
};

impl CardStore for PostgresOutbox {
    async fn accept_press(&self, press: NewPress, now: Timestamp) -> StoreResult<AcceptedPress> {
        let room = self.engine.shared.room.clone();
        let accept = async move |tx: &Transaction<'_>| presses::accept(tx, &press, &room, now).await;
        self.engine.intake.run(accept).await
    }

    async fn claim_press(&self, until: Timestamp, now: Timestamp) -> StoreResult<Option<Press>> {
        self.engine.owner.run(async move |tx: &Transaction<'_>| presses::claim(tx, until, now).await).await
    }

    async fn settle_press(
        &self,
        press: PressId,
        claim: ClaimId,
        verdict: PressVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        let room = self.engine.shared.room.clone();
        let settle =
            async move |tx: &Transaction<'_>| presses::settle(tx, press, claim, &verdict, &room, now).await;
        self.engine.intake.run(settle).await
    }

    async fn next_press_due(&self) -> StoreResult<Option<Timestamp>> {
        self.engine.owner.run(presses::next_due).await
    }

    async fn watched_cards(
        &self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreResult<Vec<WatchedCard>> {
        let claim = async move |tx: &Transaction<'_>| watches::claim(tx, limit, until, now).await;
        self.engine.owner.run(claim).await
    }

    async fn settle_watch(
        &self,
        delivery: DeliveryId,
        until: Timestamp,
        verdict: WatchVerdict,
        now: Timestamp,
    ) -> StoreResult<()> {
        let room = self.engine.shared.room.clone();
        let settle = async move |tx: &Transaction<'_>| {
            watches::settle(tx, delivery, until, &verdict, &room, now).await
        };
        self.engine.intake.run(settle).await
    }

    async fn recalled(&self, delivery: DeliveryId, at: Timestamp) -> StoreResult<()> {
        let recalled = async move |tx: &Transaction<'_>| admin::recalled(tx, delivery, at).await;
        self.engine.reader.run(recalled).await
    }
}
