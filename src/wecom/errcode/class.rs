//! Classifies the outcomes of a send.

use super::{
    entry::{Class, Entry},
    table::TABLE,
};
use crate::wecom::{Api, ApiError, Errcode, Outcome, TransportError, TransportErrorKind};

/// The table's entry for `errcode`.
pub fn lookup(errcode: Errcode) -> Option<&'static Entry> {
    let at = TABLE.binary_search_by_key(&errcode, |entry| entry.errcode).ok()?;
    TABLE.get(at)
}

/// The class of an outcome, `None` for [`Outcome::Accepted`].
///
/// [`Class::Token`] is never returned. The client renews a refused token itself, so a token that is refused again is a
/// problem of the configuration.
pub fn class_of(outcome: &Outcome) -> Option<Class> {
    match outcome {
        Outcome::Accepted(_) => None,
        Outcome::Rejected(error) => Some(match lookup(error.errcode).map(|entry| entry.class) {
            Some(Class::Token) => Class::Configuration,
            Some(class) => class,
            None => Class::Unknown,
        }),
        Outcome::NotSent(error) | Outcome::Unknown(error) => Some(transport_class(error)),
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
/// pass, so the path to WeCom works.
pub(super) fn may_depend_on_content(error: &TransportError) -> bool {
    error.api == Api::MessageSend
        && matches!(error.kind, TransportErrorKind::Status(400 | 403 | 413 | 422 | 451))
}

/// True if WeCom refused the access token, so that a new one may help.
pub(in crate::wecom) fn is_token_refused(error: &ApiError) -> bool {
    error.api == Api::MessageSend && lookup(error.errcode).is_some_and(|entry| entry.class == Class::Token)
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
        for errcode in [40014, 42001, 41001] {
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
        for status in [400, 403, 413] {
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
}
