//! The parts of the sandbox that share one lock.

use rand::{SeedableRng, rngs::StdRng};

use super::arrival::Arrivals;
use super::ban::Ban;
use super::callback::{Callbacks, Presses};
use super::calls::Calls;
use super::cards::Cards;
use super::chats::Chats;
use super::directory::Directory;
use super::duplicate::Duplicates;
use super::faults::Faults;
use super::limit::{MemberLimits, RobotLimits};
use super::phone::PhoneExtras;
use super::random::random_text;
use super::record::Record;
use super::settings::Settings;
use super::token::Tokens;

pub(super) struct State {
    pub(super) directory: Directory,
    pub(super) rng: StdRng,
    pub(super) tokens: Tokens,
    pub(super) ban: Ban,
    pub(super) limits: MemberLimits,
    pub(super) robots: RobotLimits,
    pub(super) chats: Chats,
    pub(super) cards: Cards,
    pub(super) callbacks: Callbacks,
    pub(super) presses: Presses,
    pub(super) duplicates: Duplicates,
    pub(super) faults: Faults,
    pub(super) record: Record,
    pub(super) calls: Calls,
    pub(super) arrivals: Arrivals,
    /// Part of each form of the page, so that no other page can send one.
    pub(super) form_token: String,
    pub(super) extras: PhoneExtras,
}

impl State {
    pub(super) fn new(directory: Directory, settings: &Settings) -> Self {
        Self {
            directory,
            rng: StdRng::seed_from_u64(settings.seed),
            tokens: Tokens::default(),
            ban: Ban::default(),
            limits: MemberLimits::default(),
            robots: RobotLimits::default(),
            chats: Chats::default(),
            cards: Cards::default(),
            callbacks: Callbacks::default(),
            presses: Presses::new(settings.history),
            duplicates: Duplicates::default(),
            faults: Faults::default(),
            record: Record::new(settings.history),
            calls: Calls::new(settings.history),
            arrivals: Arrivals::default(),
            form_token: random_text(&mut StdRng::seed_from_u64(settings.seed.wrapping_add(1)), 32),
            extras: PhoneExtras::default(),
        }
    }
}
