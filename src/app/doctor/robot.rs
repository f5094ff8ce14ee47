//! The checks of one robot: the path to WeCom, and its key.
//!
//! WeCom has no call that reads a robot. A text without content is refused (44004) and shown to nobody, but only after
//! WeCom has looked at the key.

use std::time::Duration;

use super::{
    credentials::{SEND_A_MESSAGE, in_both},
    path,
    recipients::RECIPIENTS,
};
use crate::{
    config::Sender,
    doctor::{Finding, Findings},
    intake::Receiver,
    language::Bilingual,
    wecom::{
        Outcome,
        client::{Robot, SenderClient},
        errcode,
    },
};

const KEY: &str = "key";

/// Checks a robot, and names its receivers.
pub(super) async fn check(
    sender: &Sender,
    client: &SenderClient,
    robot: &Robot,
    receivers: &[&Receiver],
    limit: Duration,
    findings: &Findings,
) {
    let subject = format!("robot {}", sender.name());
    let because = Bilingual::new(format!("see {subject}"), format!("见机器人 {}", sender.name()));
    let mut finding = Finding::skipped(RECIPIENTS, &because);
    if let Some(mut checks) = path::check(subject, sender, client, &[KEY], limit, findings).await
        && checks.add(key(&robot.probe().await))
    {
        finding = Finding::ok(RECIPIENTS, Bilingual::new("the robot's group", "机器人所在的群"));
    }
    for receiver in receivers {
        findings.add(&format!("receiver {}", receiver.name), finding.clone());
    }
}

/// The finding for the answer to a text without content.
fn key(answer: &Outcome) -> Finding {
    const EMPTY_CONTENT: i64 = 44004;
    let advice = in_both(|language| errcode::advice_of(answer, language).unwrap_or_default());
    match answer {
        Outcome::Rejected(error) if error.errcode.0 == EMPTY_CONTENT => {
            let message = Bilingual::new(
                "WeCom knows the robot; no message was sent",
                "企业微信认识该机器人；没有发送消息",
            );
            Finding::ok(KEY, message)
        }
        Outcome::Rejected(error) => {
            let (en, zh) = (
                format!("webhook/send answered errcode {}", error.errcode),
                format!("webhook/send 返回 errcode {}", error.errcode),
            );
            match errcode::entry_of(error).map(|entry| entry.class) {
                Some(errcode::Class::Configuration) => Finding::failed(KEY, Bilingual::new(en, zh), advice),
                _ => {
                    let message =
                        Bilingual::new(format!("cannot be checked: {en}"), format!("无法检查：{zh}"));
                    Finding::warning(KEY, message, advice)
                }
            }
        }
        Outcome::NotSent(error) | Outcome::Unknown(error) => {
            Finding::failed(KEY, Bilingual::same(format!("webhook/send: {}", error.detail)), advice)
        }
        Outcome::Accepted(_) => {
            let message = Bilingual::new(
                "cannot be checked: WeCom accepted a message without content",
                "无法检查：企业微信接受了一条没有内容的消息",
            );
            Finding::warning(KEY, message, SEND_A_MESSAGE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::FindingStatus as Status,
        wecom::{Api, ApiError, Errcode},
    };

    #[test]
    fn a_refused_empty_message_proves_the_key() {
        for (errcode, status) in [
            (44004, Status::Ok),
            (93000, Status::Failed),
            (93004, Status::Failed),
            (93008, Status::Failed),
            (45009, Status::Warning),
            (-1, Status::Warning),
        ] {
            let error = ApiError { api: Api::WebhookSend, errcode: Errcode(errcode), errmsg: String::new() };
            assert_eq!(key(&Outcome::Rejected(error)).status, status, "{errcode}");
        }
    }
}
