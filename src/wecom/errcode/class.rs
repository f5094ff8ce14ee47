//! Classifies the outcomes of a send.

use super::{
    entry::{Class, Entry, INVALID_CREDENTIAL},
    table::{BY_API, TABLE},
};
use crate::wecom::{Api, ApiError, Errcode, Outcome, TransportError, TransportErrorKind};

/// Every known errcode, in ascending order.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLE.iter()
}

/// The errcodes that mean something else for some calls, with these calls.
pub fn entries_by_api() -> impl Iterator<Item = (&'static [Api], &'static Entry)> {
    BY_API.iter().map(|(apis, entry)| (*apis, entry))
}

/// The table's entry for `errcode`.
pub fn lookup(errcode: Errcode) -> Option<&'static Entry> {
    let at = TABLE.binary_search_by_key(&errcode, |entry| entry.errcode).ok()?;
    TABLE.get(at)
}

/// The entry for an error, which may depend on the call.
pub fn entry_of(error: &ApiError) -> Option<&'static Entry> {
    let is_meant =
        |(apis, entry): &&(&[Api], Entry)| apis.contains(&error.api) && entry.errcode == error.errcode;
    BY_API.iter().find(is_meant).map(|(_, entry)| entry).or_else(|| lookup(error.errcode))
}

/// The class of an outcome, `None` for [`Outcome::Accepted`].
///
/// [`Class::Token`] is never returned. The client renews a refused token itself, so a token that is refused again is a
/// problem of the configuration.
pub fn class_of(outcome: &Outcome) -> Option<Class> {
    match outcome {
        Outcome::Accepted(_) => None,
        Outcome::Rejected(error) => Some(api_class(error)),
        Outcome::NotSent(error) | Outcome::Unknown(error) => Some(transport_class(error)),
    }
}

fn api_class(error: &ApiError) -> Class {
    let class = entry_of(error).map_or(Class::Unknown, |entry| entry.class);
    match (error.api, class) {
        (_, Class::Token) => Class::Configuration,
        // No answer of gettoken says anything about a message.
        (Api::GetToken, Class::Message | Class::Recipient | Class::Unknown) => Class::Configuration,
        _ => class,
    }
}

fn transport_class(error: &TransportError) -> Class {
    if may_depend_on_content(error) {
        return Class::Transient;
    }
    match error.kind {
        TransportErrorKind::Status(408 | 425) => Class::Transient,
        TransportErrorKind::Status(429) => Class::RateLimited,
        TransportErrorKind::Status(300..=499) => Class::Configuration,
        TransportErrorKind::Status(_)
        | TransportErrorKind::Connect
        | TransportErrorKind::Timeout
        | TransportErrorKind::Lost
        | TransportErrorKind::InvalidReply => Class::Transient,
    }
}

/// True if a server between the relay and WeCom may have refused this message because of its content. It let `gettoken`
/// pass, so the path to WeCom works. Firewalls answer many statuses: 400, 403, 405, 413, 418, 493.
pub fn may_depend_on_content(error: &TransportError) -> bool {
    let is_about_the_path = |status| matches!(status, 401 | 404 | 407 | 408 | 410 | 421 | 425 | 426 | 429);
    error.api.sends()
        && matches!(error.kind, TransportErrorKind::Status(status @ 400..=499) if !is_about_the_path(status))
}

/// True if `gettoken` refused the secret. WeCom blocks an IP that tries a wrong secret often.
pub fn is_secret_refused(error: &ApiError) -> bool {
    error.api == Api::GetToken && matches!(error.errcode.0, 40001 | 40013 | 40091 | 41002 | 41004 | 45031)
}

/// True if the outcome is an error for which [`is_secret_refused`] is true.
pub fn refuses_secret(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected(error) if is_secret_refused(error))
}

/// True if this card cannot be changed any more: its code is used or too old, or WeCom does not know the card.
pub fn is_card_gone(error: &ApiError) -> bool {
    error.api == Api::UpdateTemplateCard && matches!(error.errcode.0, 42014..=42016 | 60140)
}

/// True if WeCom refused to send a card because of its task id. WeCom knows that of a card that was sent before.
pub fn is_task_id_refused(error: &ApiError) -> bool {
    error.api == Api::MessageSend && error.errcode.0 == 42014
}

/// True if WeCom refused the access token, so that a new one may help. With 40001, `message/send` means the token and
/// `gettoken` means the secret.
pub(in crate::wecom) fn is_token_refused(error: &ApiError) -> bool {
    let is_token = |class| class == Class::Token || error.errcode == INVALID_CREDENTIAL;
    let has_token = match error.api {
        Api::MessageSend | Api::AppchatSend | Api::UpdateTemplateCard | Api::MessageRecall => true,
        Api::GetToken | Api::WebhookSend => false,
        // These calls are not made again.
        Api::AgentGet
        | Api::UserGet
        | Api::DepartmentGet
        | Api::TagGet
        | Api::AppchatCreate
        | Api::AppchatGet => false,
    };
    has_token && lookup(error.errcode).is_some_and(|entry| is_token(entry.class))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api_error(errcode: i64) -> ApiError {
        ApiError { api: Api::MessageSend, errcode: Errcode(errcode), errmsg: String::new() }
    }

    fn class(errcode: i64) -> Option<Class> {
        class_of(&Outcome::Rejected(api_error(errcode)))
    }

    fn transport_class_of(api: Api, kind: TransportErrorKind) -> Option<Class> {
        class_of(&Outcome::NotSent(TransportError { api, kind, detail: String::new() }))
    }

    #[test]
    fn errcodes_are_classified_by_the_table() {
        for (errcode, expected) in [
            (-1, Class::Transient),
            (45033, Class::Transient),
            (45009, Class::RateLimited),
            (60020, Class::Configuration),
            (40001, Class::Configuration),
            (40013, Class::Configuration),
            (40056, Class::Configuration),
            (301002, Class::Configuration),
            (40058, Class::Message),
            (60011, Class::Recipient),
            (81013, Class::Recipient),
            (67203, Class::Unknown),
        ] {
            assert_eq!(class(errcode), Some(expected), "{errcode}");
        }
    }

    #[test]
    fn a_renewed_token_that_is_refused_is_configuration() {
        for errcode in [40001, 40014, 42001, 41001] {
            assert!(is_token_refused(&api_error(errcode)));
            assert_eq!(class(errcode), Some(Class::Configuration));
        }
    }

    #[test]
    fn transport_errors_are_transient_unless_the_url_is_wrong() {
        for kind in [
            TransportErrorKind::Connect,
            TransportErrorKind::Timeout,
            TransportErrorKind::Lost,
            TransportErrorKind::InvalidReply,
        ] {
            assert_eq!(transport_class_of(Api::MessageSend, kind), Some(Class::Transient));
        }
        for (status, expected) in [
            (301, Class::Configuration),
            (404, Class::Configuration),
            (407, Class::Configuration),
            (408, Class::Transient),
            (429, Class::RateLimited),
            (502, Class::Transient),
            (204, Class::Transient),
        ] {
            assert_eq!(
                transport_class_of(Api::MessageSend, TransportErrorKind::Status(status)),
                Some(expected),
                "{status}"
            );
        }
    }

    #[test]
    fn a_status_for_one_message_does_not_hold_the_sender() {
        for status in [400, 403, 405, 413, 418, 499] {
            assert_eq!(
                transport_class_of(Api::MessageSend, TransportErrorKind::Status(status)),
                Some(Class::Transient)
            );
            assert_eq!(
                transport_class_of(Api::GetToken, TransportErrorKind::Status(status)),
                Some(Class::Configuration)
            );
        }
    }

    #[test]
    fn no_answer_of_gettoken_is_about_a_message() {
        let codes = TABLE.iter().map(|entry| entry.errcode.0).chain([50005, 67203, -2]);
        for errcode in codes {
            let error = ApiError { api: Api::GetToken, ..api_error(errcode) };
            let class = class_of(&Outcome::Rejected(error)).unwrap();
            assert!(
                matches!(class, Class::Transient | Class::RateLimited | Class::Configuration),
                "{errcode}: {class:?}"
            );
        }
    }

    #[test]
    fn a_wrong_chat_does_not_hold_the_app() {
        for errcode in [40050, 48002, 86001, 86003, 86008, 86217] {
            let error = ApiError { api: Api::AppchatSend, ..api_error(errcode) };
            assert_eq!(class_of(&Outcome::Rejected(error)), Some(Class::Recipient), "{errcode}");
        }
        assert_eq!(class(48002), Some(Class::Configuration));
    }

    #[test]
    fn the_errors_of_a_robot_hold_it_or_concern_the_message() {
        for (errcode, expected) in [
            (93000, Class::Configuration),
            (93004, Class::Configuration),
            (93008, Class::Configuration),
            (45009, Class::RateLimited),
            (40058, Class::Message),
            (44004, Class::Message),
        ] {
            let error = ApiError { api: Api::WebhookSend, ..api_error(errcode) };
            assert_eq!(class_of(&Outcome::Rejected(error)), Some(expected), "{errcode}");
        }
    }

    #[test]
    fn a_used_code_means_that_its_card_is_gone() {
        for (api, errcode, expected) in [
            (Api::UpdateTemplateCard, 60140, true),
            (Api::UpdateTemplateCard, 42016, true),
            (Api::UpdateTemplateCard, 42017, false),
            (Api::MessageSend, 42014, false),
        ] {
            assert_eq!(is_card_gone(&ApiError { api, ..api_error(errcode) }), expected, "{errcode}");
        }
    }

    #[test]
    fn a_card_that_needs_a_callback_does_not_hold_the_app() {
        assert_eq!(class(43012), Some(Class::Message));
    }

    #[test]
    fn only_gettoken_refuses_a_secret() {
        assert!(is_secret_refused(&ApiError { api: Api::GetToken, ..api_error(40001) }));
        assert!(!is_secret_refused(&ApiError { api: Api::GetToken, ..api_error(50005) }));
        assert!(!is_secret_refused(&api_error(40001)));
    }
}
