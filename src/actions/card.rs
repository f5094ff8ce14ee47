//! A card as it looks after members pressed its buttons.

use serde_json::{Map, Value};

use super::texts::Reader;
use crate::{
    intake::{ButtonAction, resolved_text},
    language::Language,
    outbox::{Handled, HandledAction, StoredCard},
    wecom::{Card, Content, limits::with_note},
};

/// The card with notes of all `handled` actions. A silence that has not ended greys all buttons; an acknowledgement removes
/// its own button. `None` if the stored content is not a card.
pub(super) fn handled_card(card: &StoredCard, handled: &[Handled], reader: Reader<'_>) -> Option<Card> {
    let mut noted = with_notes(shown_card(card)?, handled, reader);
    let is_silenced = |handled: &Handled| matches!(&handled.action, HandledAction::Silenced { until, .. } if *until > reader.now);
    if handled.iter().any(is_silenced) {
        let text = reader.language.choose("Silenced", "已静默");
        noted = with_note(&noted, "", Some(text), reader.language);
    } else if handled.iter().any(|handled| handled.action == HandledAction::Acknowledged) {
        noted = without_acknowledge(noted, reader.language);
    }
    Some(noted)
}

/// The card of a group that resolved while it was silenced.
pub(super) fn resolved_card(card: &StoredCard, reader: Reader<'_>) -> Option<Card> {
    let noted = with_notes(shown_card(card)?, &card.handled, reader);
    let text = resolved_text(reader.language);
    let noted = with_note(&noted, &reader.resolved_note(), Some(text), reader.language);
    changed(&noted, |fields| {
        if let Some(Value::String(title)) =
            fields.get_mut("main_title").and_then(|title| title.get_mut("title"))
        {
            *title = resolved_title(title, reader.language);
        }
    })
}

/// The first line of an alert with the mark of a resolved one.
pub(super) fn resolved_title(title: &str, language: Language) -> String {
    let brackets = language.choose(["[", "]"], ["【", "】"]);
    let [open, close] = brackets;
    let mark = language.choose("[RESOLVED]", "【恢复】");
    let rest = match title.strip_prefix(open).and_then(|rest| rest.split_once(close)) {
        Some((_, rest)) => rest.trim_start(),
        None => title,
    };
    format!("{mark}{}{rest}", language.choose(" ", ""))
}

fn shown_card(card: &StoredCard) -> Option<Card> {
    let shown = match &card.content {
        Content::TemplateCard(shown) => shown.clone(),
        update => update.as_card_update()?.template_card,
    };
    Some(shown.with("task_id", &card.task_id))
}

/// The last action of each kind, in their order.
fn with_notes(card: Card, handled: &[Handled], reader: Reader<'_>) -> Card {
    let is_silence = |handled: &Handled| matches!(handled.action, HandledAction::Silenced { .. });
    let last = |wanted: bool| handled.iter().rposition(|handled| is_silence(handled) == wanted);
    let mut shown = [last(false), last(true)];
    shown.sort_unstable();
    let shown = shown.into_iter().flatten().filter_map(|at| handled.get(at));
    shown.fold(card, |card, handled| with_note(&card, &reader.note(handled), None, reader.language))
}

/// If no other button would be left, the buttons become grey.
fn without_acknowledge(card: Card, language: Language) -> Card {
    let key = ButtonAction::Acknowledge.to_string();
    let is_acknowledge = |button: &Value| button.get("key").and_then(Value::as_str) == Some(&key);
    let mut is_last = false;
    let reduced = changed(&card, |fields| {
        if let Some(Value::Array(buttons)) = fields.get_mut("button_list") {
            is_last = buttons.iter().all(is_acknowledge);
            if !is_last {
                buttons.retain(|button| !is_acknowledge(button));
            }
        }
    });
    let text = language.choose("Acknowledged", "已认领");
    let card = reduced.unwrap_or(card);
    if is_last { with_note(&card, "", Some(text), language) } else { card }
}

fn changed(card: &Card, change: impl FnOnce(&mut Map<String, Value>)) -> Option<Card> {
    let mut fields: Map<String, Value> = serde_json::from_str(card.json()).ok()?;
    change(&mut fields);
    Card::from_json(Value::Object(fields).to_string())
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};
    use serde_json::json;

    use super::*;
    use crate::{
        outbox::{CardLabels, DeliveryId, ReceiverName, SenderName},
        wecom::Recipients,
    };

    const NOW: Timestamp = Timestamp::constant(1_795_248_000, 0);

    fn stored(buttons: Value) -> StoredCard {
        let card = json!({
            "card_type": "button_interaction",
            "main_title": { "title": "[FIRING:1] DiskFull (critical) db-1" },
            "task_id": "t1",
            "button_list": buttons,
        });
        StoredCard {
            task_id: "t1".to_owned(),
            delivery: DeliveryId(1),
            receiver: ReceiverName("oncall".to_owned()),
            group_key: String::new(),
            sender: SenderName("ops".to_owned()),
            recipients: Recipients::All,
            content: Content::stored("template_card", card.to_string()).unwrap(),
            summary: String::new(),
            severity: String::new(),
            labels: CardLabels::default(),
            handled: Vec::new(),
            is_closed: false,
            accepted_at: NOW,
        }
    }

    fn buttons() -> Value {
        json!([{ "text": "Silence 1h", "key": "silence:3600" }, { "text": "Ack", "key": "ack" }])
    }

    fn reader(zone: &TimeZone) -> Reader<'_> {
        Reader { language: Language::En, now: NOW, zone }
    }

    fn acknowledged() -> Handled {
        Handled { action: HandledAction::Acknowledged, by: "zhangsan".to_owned(), at: NOW }
    }

    fn silenced(seconds: i64) -> Handled {
        let until = Timestamp::from_second(NOW.as_second() + seconds).unwrap();
        let action = HandledAction::Silenced { silence_id: "s".to_owned(), until };
        Handled { action, by: "lisi".to_owned(), at: NOW }
    }

    fn shown(card: Option<Card>) -> Value {
        serde_json::from_str(card.unwrap().json()).unwrap()
    }

    #[test]
    fn a_card_keeps_its_task_id() {
        let other = StoredCard { task_id: "t2".to_owned(), ..stored(buttons()) };
        let card = shown(handled_card(&other, &[acknowledged()], reader(&TimeZone::UTC)));
        assert_eq!(card["task_id"], "t2");
    }

    #[test]
    fn an_acknowledgement_keeps_the_silence_buttons() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let card = shown(handled_card(&stored(buttons()), &[acknowledged()], reader(&zone)));
        assert_eq!(card["button_list"], json!([{ "text": "Silence 1h", "key": "silence:3600" }]));
        assert_eq!(card["horizontal_content_list"][0]["value"], "zhangsan acknowledged 16:00");
        assert_eq!(card.get("replace_text"), None);
        let only = stored(json!([{ "text": "Ack", "key": "ack" }]));
        let card = shown(handled_card(&only, &[acknowledged()], reader(&zone)));
        assert_eq!(card["replace_text"], "Acknowledged");
    }

    #[test]
    fn a_silence_greys_all_buttons_while_it_lasts() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let card = shown(handled_card(&stored(buttons()), &[acknowledged(), silenced(3600)], reader(&zone)));
        assert_eq!(card["replace_text"], "Silenced");
        let rows = card["horizontal_content_list"].as_array().unwrap();
        let values: Vec<_> = rows.iter().map(|row| row["value"].as_str().unwrap()).collect();
        assert_eq!(values, ["zhangsan acknowledged 16:00", "lisi silenced until 17:00"]);
        let card = shown(handled_card(&stored(buttons()), &[silenced(-1), acknowledged()], reader(&zone)));
        assert_eq!(card.get("replace_text"), None);
    }

    #[test]
    fn a_resolved_card_says_so_in_its_title_and_buttons() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let card = StoredCard { handled: vec![silenced(3600)], ..stored(buttons()) };
        let card = shown(resolved_card(&card, reader(&zone)));
        assert_eq!(card["main_title"]["title"], "[RESOLVED] DiskFull (critical) db-1");
        assert_eq!(card["replace_text"], "Resolved");
        assert_eq!(resolved_title("【告警】[严重] 磁盘满", Language::Zh), "【恢复】[严重] 磁盘满");
        assert_eq!(resolved_title("磁盘满", Language::Zh), "【恢复】磁盘满");
    }
}
