//! Interactive cards through the running relay: they are sent, and changed with their codes.

use std::time::Duration;

use serde_json::{Value, json};
use wecom_relay::{
    clock::{Clock, SystemClock},
    language::Language,
    outbox::{
        CardLabels, CardStore, Kind, NewDelivery, NewNotification, NewPress, Outbox, OutboxQuery, Part,
        ReceiverName, Requeue, SenderName, State, Status,
    },
    sandbox::{self, Api, Callback, Effect, Fault, Moment, RepeatedCard},
    wecom::{
        Card, CardUpdate, Content, Otherwise, Recipients,
        limits::{CardLimits, template_card, with_note},
    },
};

use crate::{
    storm::windows,
    support::{Options, Relay, Wecom, eventually, short_delays},
};

const AGENT: u64 = 1_000_002;

async fn interactive() -> Wecom {
    interactive_with(sandbox::Settings::default()).await
}

async fn interactive_with(settings: sandbox::Settings) -> Wecom {
    let wecom = Wecom::with(settings).await;
    wecom.sandbox.set_callback(AGENT, Callback::sample("http://127.0.0.1:9/").unwrap()).unwrap();
    wecom
}

async fn relay(wecom: &Wecom) -> Relay {
    Relay::with(&wecom.url, Options { tuning: short_delays(), ..Options::default() }).await
}

fn card(task_id: &str, title: &str) -> Card {
    let card = json!({
        "main_title": { "title": title },
        "task_id": task_id,
        "button_list": [{ "text": "静默 1 小时", "key": "silence:3600" }],
    });
    let Content::TemplateCard(card) =
        template_card(card.as_object().unwrap().clone(), &CardLimits::INTERACTIVE).unwrap()
    else {
        unreachable!("no card")
    };
    card
}

fn notification(group: &str, status: Status, content: Content) -> NewNotification {
    let recipients = Recipients::parse("zhangsan", "", "").unwrap();
    NewNotification {
        kind: Kind::Alert,
        receiver: ReceiverName("wechat".to_owned()),
        group_key: group.to_owned(),
        status,
        severity: "critical".to_owned(),
        dedupe: None,
        summary: format!("{group} down"),
        text_form: Some(format!("{group} as text")),
        sender: SenderName("ops".to_owned()),
        recipients: recipients.clone(),
        deliveries: vec![NewDelivery { recipients, content, part: Part::WHOLE }],
        dead: None,
        card: None,
    }
}

fn firing(group: &str, task_id: &str) -> NewNotification {
    let content = Content::stored("template_card", card(task_id, group).json().to_owned()).unwrap();
    NewNotification { card: Some(CardLabels::default()), ..notification(group, Status::Firing, content) }
}

fn resolved(group: &str) -> NewNotification {
    let template_card = with_note(&card("other", group), "已恢复", Some("已恢复"), Language::Zh);
    let update = CardUpdate { template_card, response_code: None, otherwise: Otherwise::Text };
    notification(group, Status::Resolved, Content::card_update(&update))
}

async fn accept(relay: &Relay, notification: NewNotification) {
    relay.outbox.enqueue(notification, SystemClock.now()).await.unwrap();
}

/// The messages that zhangsan sees: the replaced text of a card, or its title, or the text.
fn seen(wecom: &Wecom) -> Vec<String> {
    let shown = wecom.sandbox.delivered_to("zhangsan").into_iter();
    let text = |content: &Value| {
        let text = ["/replace_text", "/main_title/title", "/content"];
        text.iter().find_map(|path| content.pointer(path)?.as_str().map(str::to_owned)).unwrap()
    };
    shown.map(|shown| text(&shown.content)).collect()
}

fn updates(wecom: &Wecom) -> usize {
    wecom.sandbox.calls().iter().filter(|call| call.api == Api::UpdateTemplateCard).count()
}

#[tokio::test]
async fn a_resolved_group_changes_its_open_cards() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    accept(&relay, firing("db", "t1")).await;
    accept(&relay, firing("db", "t2")).await;
    accept(&relay, firing("web", "t3")).await;
    relay.settled(3).await;
    accept(&relay, resolved("db")).await;
    relay.settled(4).await;
    let mut shown = seen(&wecom);
    shown.sort();
    assert_eq!(shown, ["web", "已恢复", "已恢复"]);
    assert_eq!(updates(&wecom), 2);
    // The codes are used, and the cards are closed.
    accept(&relay, resolved("db")).await;
    relay.settled(5).await;
    assert!(seen(&wecom).contains(&"db as text".to_owned()));
    relay.stop().await;
}

#[tokio::test]
async fn many_open_cards_of_a_group_are_all_changed() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    for number in 0..25 {
        accept(&relay, firing("db", &format!("t{number}"))).await;
        // One after the other, so that no digest replaces them.
        relay.settled(number + 1).await;
    }
    accept(&relay, resolved("db")).await;
    relay.settled(26).await;
    assert_eq!(seen(&wecom), vec!["已恢复"; 25]);
    relay.stop().await;
}

/// A notification whose second batch goes to lisi.
fn for_two_batches(new: NewNotification, task_id: &str) -> NewNotification {
    let lisi = Recipients::parse("lisi", "", "").unwrap();
    let content = match &new.deliveries[0].content {
        Content::TemplateCard(_) => Content::TemplateCard(card(task_id, &new.group_key)),
        update => update.clone(),
    };
    let second = NewDelivery { recipients: lisi, content, part: Part::WHOLE };
    let deliveries = new.deliveries.iter().cloned().chain([second]).collect();
    NewNotification { recipients: Recipients::parse("zhangsan|lisi", "", "").unwrap(), deliveries, ..new }
}

#[tokio::test]
async fn the_card_of_each_batch_of_members_is_changed() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    accept(&relay, for_two_batches(firing("db", "t1"), "t1-1")).await;
    relay.settled(2).await;
    accept(&relay, for_two_batches(resolved("db"), "")).await;
    relay.settled(4).await;
    for user in ["zhangsan", "lisi"] {
        let shown = wecom.sandbox.delivered_to(user);
        assert_eq!(shown.len(), 1, "{user} has a text beside the card");
        assert_eq!(shown[0].content["replace_text"], "已恢复");
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_card_that_cannot_be_changed_is_followed_by_a_text() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    accept(&relay, firing("db", "t1")).await;
    relay.settled(1).await;
    wecom.sandbox.inject(Fault::errcode(60140).on(Api::UpdateTemplateCard).times(1));
    accept(&relay, resolved("db")).await;
    let settled = relay.settled(2).await;
    assert_eq!(seen(&wecom), ["db", "db as text"]);
    let shown = relay.shown(settled[1].id.0).await;
    assert_eq!((shown.listed.state, shown.content.text()), (State::Delivered, "db as text"));
    assert_eq!(
        shown.attempts.iter().map(|attempt| attempt.errcode).collect::<Vec<_>>(),
        [Some(60140), Some(0)]
    );
    relay.stop().await;
}

#[tokio::test]
async fn a_card_whose_task_id_is_known_is_followed_by_no_text() {
    let settings = sandbox::Settings { repeated_card: RepeatedCard::Refuse, ..sandbox::Settings::default() };
    let wecom = interactive_with(settings).await;
    let relay = relay(&wecom).await;
    wecom.sandbox.inject(Fault::new(Effect::Drop(Moment::After)).on(Api::MessageSend).times(1));
    accept(&relay, firing("db", "t1")).await;
    let settled = relay.settled(1).await;
    assert_eq!(seen(&wecom), ["db"]);
    let shown = relay.shown(settled[0].id.0).await;
    let errcodes: Vec<_> = shown.attempts.iter().map(|attempt| attempt.errcode).collect();
    assert_eq!((shown.listed.state, errcodes), (State::Delivered, vec![None, Some(42014)]));
    relay.stop().await;
}

#[tokio::test]
async fn a_new_card_with_a_known_task_id_becomes_a_text() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    accept(&relay, firing("db", "t1")).await;
    relay.settled(1).await;
    accept(&relay, firing("web", "t1")).await;
    relay.settled(2).await;
    assert!(seen(&wecom)[1].ends_with("web as text"));
    relay.stop().await;
}

#[tokio::test]
async fn a_press_behind_the_end_of_its_group_changes_no_card() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    accept(&relay, firing("db", "t1")).await;
    relay.settled(1).await;
    // The end waits for another attempt when the update of the press comes.
    wecom.sandbox.inject(Fault::errcode(-1).on(Api::UpdateTemplateCard).times(1));
    let update = CardUpdate {
        template_card: card("t1", "zhangsan acknowledged"),
        response_code: Some("of the press".to_owned()),
        otherwise: Otherwise::Text,
    };
    let pressed = notification("db", Status::Firing, Content::card_update(&update));
    let both = vec![resolved("db"), NewNotification { kind: Kind::Notice, ..pressed }];
    relay.outbox.enqueue_all(both, SystemClock.now()).await.unwrap();
    relay.settled(3).await;
    assert_eq!(seen(&wecom), ["已恢复"]);
    assert_eq!(updates(&wecom), 2);
    let discarded = relay.listed(&[State::Discarded]).await;
    assert_eq!(discarded[0].reason, "discarded: its card is resolved or recalled");
    relay.stop().await;
}

/// An operator chose `repeats: update`, and the answer to the first notification was lost.
#[tokio::test]
async fn a_card_that_got_no_code_is_closed_by_its_end() {
    let settings = sandbox::Settings { repeated_card: RepeatedCard::Refuse, ..sandbox::Settings::default() };
    let wecom = interactive_with(settings).await;
    let relay = relay(&wecom).await;
    wecom.sandbox.inject(Fault::new(Effect::Drop(Moment::After)).on(Api::MessageSend).times(1));
    let update =
        CardUpdate { template_card: card("t1", "db"), response_code: None, otherwise: Otherwise::Card };
    let first = notification("db", Status::Firing, Content::card_update(&update));
    accept(&relay, NewNotification { card: Some(CardLabels::default()), ..first }).await;
    relay.settled(1).await;
    accept(&relay, resolved("db")).await;
    relay.settled(2).await;
    assert_eq!(seen(&wecom), ["db", "db as text"]);
    let press = NewPress {
        sender: SenderName("ops".to_owned()),
        task_id: "t1".to_owned(),
        user: "zhangsan".to_owned(),
        button: "silence:3600".to_owned(),
        response_code: "code".to_owned(),
        pressed_at: SystemClock.now(),
    };
    relay.outbox.accept_press(press, SystemClock.now()).await.unwrap();
    let first = relay.listed(&[]).await[0].id;
    let results = async || relay.outbox.presses(first).await.unwrap().remove(0).result;
    let result = eventually(results, Option::is_some).await;
    assert_eq!(result.as_deref(), Some("nothing was done: this alert is resolved already"));
    relay.stop().await;
}

#[tokio::test]
async fn a_requeued_end_leaves_the_card_of_a_new_alert() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    accept(&relay, firing("db", "t1")).await;
    relay.settled(1).await;
    wecom.sandbox.inject(Fault::errcode(81013).on(Api::UpdateTemplateCard).times(1));
    accept(&relay, resolved("db")).await;
    relay.settled(2).await;
    accept(&relay, firing("db", "t2")).await;
    relay.settled(3).await;
    assert_eq!(seen(&wecom), ["db", "db"]);
    assert_eq!(relay.listed(&[State::Dead]).await.len(), 1);
    relay.outbox.requeue(Requeue::AllDead, SystemClock.now()).await.unwrap();
    eventually(async || relay.listed(&[State::Delivered]).await, |delivered| delivered.len() == 3).await;
    assert_eq!(seen(&wecom), ["已恢复", "db"]);
    relay.stop().await;
}

#[tokio::test]
async fn a_lost_answer_to_an_update_sends_no_text() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    accept(&relay, firing("db", "t1")).await;
    accept(&relay, firing("db", "t2")).await;
    relay.settled(2).await;
    wecom.sandbox.inject(Fault::new(Effect::Drop(Moment::After)).on(Api::UpdateTemplateCard).times(1));
    accept(&relay, resolved("db")).await;
    relay.settled(3).await;
    assert_eq!(seen(&wecom), ["已恢复", "已恢复"]);
    assert_eq!(updates(&wecom), 3, "the code that may be used is tried again");
    relay.stop().await;
}

#[tokio::test]
async fn a_resolved_alert_is_seen_after_a_lost_answer() {
    let wecom = interactive().await;
    let relay = relay(&wecom).await;
    accept(&relay, firing("db", "t1")).await;
    accept(&relay, firing("db", "t2")).await;
    relay.settled(2).await;
    // The second card is gone, and the update of the first one has no answer, so a text replaces the update.
    wecom.sandbox.inject(Fault::errcode(60140).on(Api::UpdateTemplateCard).times(1));
    wecom.sandbox.inject(Fault::new(Effect::Drop(Moment::After)).on(Api::UpdateTemplateCard).times(1));
    let template_card = with_note(&card("other", "db"), "2 instances", None, Language::Zh);
    let update = CardUpdate { template_card, response_code: None, otherwise: Otherwise::Text };
    accept(&relay, notification("db", Status::Firing, Content::card_update(&update))).await;
    relay.settled(3).await;
    let end = NewNotification { text_form: Some("db is resolved".to_owned()), ..resolved("db") };
    accept(&relay, end).await;
    relay.settled(4).await;
    assert_eq!(seen(&wecom), ["db", "db", "db as text", "db is resolved"]);
    relay.stop().await;
}

#[tokio::test]
async fn five_hundred_cards_at_once_are_all_visible() {
    let (windows, settings) = windows();
    let wecom = Wecom::live(settings).await;
    wecom.sandbox.set_callback(AGENT, Callback::sample("http://127.0.0.1:9/").unwrap()).unwrap();
    let tuning = wecom_relay::app::Tuning { windows, ..short_delays() };
    let relay = Relay::with(&wecom.url, Options { tuning, ..Options::default() }).await;
    let names: Vec<String> = (0..500).map(|number| format!("group{number:03}")).collect();
    let cards = names.iter().map(|name| firing(name, name)).collect();
    relay.outbox.enqueue_all(cards, SystemClock.now()).await.unwrap();
    let is_visible = |texts: &[String], name: &String| {
        texts.iter().any(|text| text == name || text.contains(&format!("{name} down")))
    };
    let all_visible = wecom.sandbox.wait_until(|_| {
        let texts = seen(&wecom);
        names.iter().all(|name| is_visible(&texts, name))
    });
    tokio::time::timeout(Duration::from_secs(180), all_visible).await.unwrap();
    let dropped = wecom.sandbox.messages().into_iter().flat_map(|message| message.members);
    assert!(dropped.into_iter().all(|(_, outcome)| outcome != sandbox::MemberOutcome::Dropped));
    relay.settled(500).await;
    assert!(relay.listed(&[State::Dead]).await.is_empty());
    relay.stop().await;
}
