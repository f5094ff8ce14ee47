//! The checks of one robot: the path to WeCom, and its key.
//!
//! WeCom has no call that reads a robot. A text without content is refused (44004) and shown to nobody, but only after
//! WeCom has looked at the key.

use std::{io, time::Duration};

use super::{finding::Finding, path, report::Report};
use crate::{
    config::Sender,
    intake::Receiver,
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
    report: &mut Report<'_>,
) -> io::Result<()> {
    let subject = format!("robot {}", sender.name());
    let mut finding = Finding::skipped(super::recipients::RECIPIENTS, &format!("see {subject}"));
    if let Some(mut checks) = path::check(subject, sender, client, &[KEY], limit, report).await?
        && checks.add(&key(&robot.probe().await))?
    {
        finding = Finding::ok(super::recipients::RECIPIENTS, "the robot's group");
    }
    for receiver in receivers {
        report.add(&format!("receiver {}", receiver.name), &finding)?;
    }
    Ok(())
}

/// The finding for the answer to a text without content.
fn key(answer: &Outcome) -> Finding {
    const EMPTY_CONTENT: i64 = 44004;
    let advice = errcode::advice_of(answer).unwrap_or_default();
    match answer {
        Outcome::Rejected(error) if error.errcode.0 == EMPTY_CONTENT => {
            Finding::ok(KEY, "WeCom knows the robot; no message was sent")
        }
        Outcome::Rejected(error) => {
            let message = format!("webhook/send answered errcode {}", error.errcode);
            match errcode::entry_of(error).map(|entry| entry.class) {
                Some(errcode::Class::Configuration) => Finding::failed(KEY, message, advice),
                _ => Finding::warning(KEY, format!("cannot be checked: {message}"), advice),
            }
        }
        Outcome::NotSent(error) | Outcome::Unknown(error) => {
            Finding::failed(KEY, format!("webhook/send: {}", error.detail), advice)
        }
        Outcome::Accepted(_) => {
            let help = "test it with a real message: `wecom-relay send`";
            Finding::warning(KEY, "cannot be checked: WeCom accepted a message without content", help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Status, *};
    use crate::wecom::{Api, ApiError, Errcode};

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
