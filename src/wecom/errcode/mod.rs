//! What an errcode means for a sender: its class decides what happens to the message, its advice tells a person
//! how to mend it.
//!
//! The knowledge is a table ([`table`]), and one function classifies every way in which a send can end
//! ([`class_of`]). Code per errcode was rejected: it cannot be listed, counted or checked against WeCom's page.

pub mod table;

use std::net::IpAddr;

use super::{Api, ApiError, Errcode, Outcome, TransportError, TransportErrorKind};
use table::TABLE;

/// What is to be done about an errcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Renew the access token and send again.
    Token,
    /// Send again after a while.
    Transient,
    /// Wait until WeCom's limit has passed: a minute, then longer.
    RateLimited,
    /// Hold the whole app until a person has mended it.
    Configuration,
    /// Give this message up: no resend can help.
    Message,
    /// Give this message up: none of its recipients can get it.
    Recipient,
    /// Not in the table: try a few times, then give the message up.
    Unknown,
}

/// How an entry is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// WeCom's page of global errcodes, <https://developer.work.weixin.qq.com/document/path/90313>.
    Documented,
    /// On that page, and seen in replies of the real service.
    Seen,
    /// On that page, for another call; that a send can meet it is an inference.
    Inferred,
}

/// What is known of an errcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The number.
    pub errcode: Errcode,
    /// What is to be done about it.
    pub class: Class,
    /// What it says; a clause without a full stop.
    pub meaning: &'static str,
    /// How a person mends it; an imperative clause without a full stop.
    pub mend: Option<&'static str>,
    /// How this is known.
    pub source: Source,
}

/// The errcode whose errmsg names the IP that is to be entered.
pub const NOT_TRUSTED: Errcode = Errcode(60020);

/// What is known of `errcode`.
pub fn lookup(errcode: Errcode) -> Option<&'static Entry> {
    let at = TABLE.binary_search_by_key(&errcode, |entry| entry.errcode).ok()?;
    TABLE.get(at)
}

/// The class of an end that is not [`Outcome::Accepted`].
///
/// [`Class::Token`] is never returned: a client renews a refused token itself, so that one which is refused right
/// after its renewal is a matter of configuration.
pub fn class_of(outcome: &Outcome) -> Option<Class> {
    match outcome {
        Outcome::Accepted(_) => None,
        Outcome::Rejected(refusal) => Some(match lookup(refusal.errcode).map(|entry| entry.class) {
            Some(Class::Token) => Class::Configuration,
            Some(class) => class,
            None => Class::Unknown,
        }),
        Outcome::NotSent(fault) | Outcome::Unknown(fault) => Some(fault_class(fault)),
    }
}

fn fault_class(fault: &TransportError) -> Class {
    match fault.kind {
        _ if may_be_its_content(fault) => Class::Transient,
        TransportErrorKind::Status(408 | 425) => Class::Transient,
        TransportErrorKind::Status(429) => Class::RateLimited,
        TransportErrorKind::Status(300..=499) => Class::Configuration,
        TransportErrorKind::Status(_)
        | TransportErrorKind::Connect
        | TransportErrorKind::Timeout
        | TransportErrorKind::Lost
        | TransportErrorKind::NotWecom => Class::Transient,
    }
}

/// Whether something in between may have refused this message alone, for what it says: the way was open for the token.
fn may_be_its_content(fault: &TransportError) -> bool {
    fault.api == Api::MessageSend
        && matches!(fault.kind, TransportErrorKind::Status(400 | 403 | 413 | 422 | 451))
}

/// The address of this machine as WeCom saw it, from the `from ip: …` of an errmsg. A hint for a person only.
pub fn seen_ip(errmsg: &str) -> Option<&str> {
    let (_, rest) = errmsg.split_once("from ip:")?;
    let ip = rest.split(',').next()?.trim();
    ip.parse::<IpAddr>().is_ok().then_some(ip)
}

/// One sentence that says what is wrong and how to mend it.
pub fn advice(refusal: &ApiError) -> String {
    let ApiError { api, errcode, errmsg } = refusal;
    let api = api.name();
    if let (NOT_TRUSTED, Some(ip), Some(mend)) =
        (*errcode, seen_ip(errmsg), lookup(*errcode).and_then(|entry| entry.mend))
    {
        return format!("WeCom refused {api} ({errcode}): IP {ip} is not a trusted IP of the app; {mend}.");
    }
    match lookup(*errcode) {
        Some(Entry { meaning, mend: Some(mend), .. }) => {
            format!("WeCom refused {api} ({errcode}): {meaning}; {mend}.")
        }
        Some(Entry { meaning, mend: None, .. }) => format!("WeCom refused {api} ({errcode}): {meaning}."),
        None => format!("WeCom refused {api} with the unknown errcode {errcode}, saying: {errmsg}"),
    }
}

/// One sentence that says what went wrong on the way to WeCom and where to look.
pub fn fault_advice(fault: &TransportError) -> String {
    let (api, detail) = (fault.api.name(), &fault.detail);
    let look = match fault.kind {
        _ if may_be_its_content(fault) => {
            "a server or proxy in between refused the request, check what it lets through, api_url and proxy_url"
        }
        TransportErrorKind::Status(407) => "give the proxy's user and password in proxy_url",
        TransportErrorKind::Status(404) => {
            "api_url or proxy_url does not lead to WeCom's API, mend its host or path"
        }
        TransportErrorKind::Status(408 | 425 | 429) => "the server or proxy in between is busy",
        TransportErrorKind::Status(300..=399) => {
            "redirects are not followed, write the address that is redirected to into api_url"
        }
        TransportErrorKind::Status(400..=499) => {
            "a server or proxy in between refused the request, check api_url and proxy_url"
        }
        TransportErrorKind::Status(_) => "WeCom or a proxy in between is in trouble",
        TransportErrorKind::Connect => "check DNS, firewall, api_url and proxy_url",
        TransportErrorKind::Timeout | TransportErrorKind::Lost => {
            "WeCom, the network or a proxy in between is in trouble"
        }
        TransportErrorKind::NotWecom => "something other than WeCom answered, check api_url and proxy_url",
    };
    format!("{api} got no answer of WeCom ({detail}); {look}.")
}

/// One sentence about an end that is not [`Outcome::Accepted`]: [`advice`] or [`fault_advice`].
pub fn advice_of(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Accepted(_) => None,
        Outcome::Rejected(refusal) => Some(advice(refusal)),
        Outcome::NotSent(fault) | Outcome::Unknown(fault) => Some(fault_advice(fault)),
    }
}

/// Whether the access token of this call was refused, so that a new one may help.
pub(super) fn is_token_refused(refusal: &ApiError) -> bool {
    refusal.api == Api::MessageSend
        && lookup(refusal.errcode).is_some_and(|entry| entry.class == Class::Token)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn refusal(errcode: i64, errmsg: &str) -> ApiError {
        ApiError { api: Api::MessageSend, errcode: Errcode(errcode), errmsg: errmsg.to_owned() }
    }

    fn class(errcode: i64) -> Option<Class> {
        class_of(&Outcome::Rejected(refusal(errcode, "")))
    }

    fn fault(kind: TransportErrorKind) -> Option<Class> {
        fault_of(Api::MessageSend, kind)
    }

    fn fault_of(api: Api, kind: TransportErrorKind) -> Option<Class> {
        class_of(&Outcome::NotSent(TransportError { api, kind, detail: String::new() }))
    }

    #[test]
    fn the_table_is_sorted_and_has_no_doubles() {
        assert!(TABLE.is_sorted_by(|a, b| a.errcode < b.errcode));
    }

    #[test]
    fn every_class_but_unknown_is_in_the_table() {
        let classes: BTreeSet<Class> = TABLE.iter().map(|entry| entry.class).collect();
        let all = [
            Class::Token,
            Class::Transient,
            Class::RateLimited,
            Class::Configuration,
            Class::Message,
            Class::Recipient,
        ];
        assert_eq!(classes, BTreeSet::from(all));
    }

    #[test]
    fn every_errcode_that_a_sender_can_meet_is_in_the_table() {
        let ranges = [42014..=42020, 42027..=42031, 42033..=42033, 42035..=42047, 42049..=42052];
        let singles = [
            -1, 6000, 40001, 40003, 40007, 40008, 40013, 40014, 40031, 40032, 40033, 40035, 40039, 40050,
            40056, 40057, 40058, 40063, 40066, 40068, 40070, 40074, 40091, 41001, 41002, 41004, 41006, 41010,
            41011, 41016, 41033, 42001, 43004, 43012, 44001, 44004, 45001, 45002, 45007, 45008, 45009, 45031,
            45032, 45033, 45034, 46004, 48001, 48002, 48004, 48005, 48006, 50001, 50002, 50003, 60003, 60011,
            60020, 60021, 60031, 60111, 60123, 60140, 81013, 82001, 82002, 82003, 82004, 85002, 86001, 86003,
            86008, 86217, 93000, 93004, 93006, 93008, 301002, 301007, 701008, 701099,
        ];
        let known: BTreeSet<i64> = ranges.into_iter().flatten().chain(singles).collect();
        assert_eq!(TABLE.iter().map(|entry| entry.errcode.0).collect::<BTreeSet<_>>(), known);
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
    fn a_token_that_is_refused_after_its_renewal_is_a_matter_of_configuration() {
        for errcode in [40014, 42001, 41001] {
            assert!(is_token_refused(&refusal(errcode, "")));
            assert_eq!(class(errcode), Some(Class::Configuration));
        }
    }

    #[test]
    fn faults_are_transient_unless_the_address_is_wrong() {
        for kind in [
            TransportErrorKind::Connect,
            TransportErrorKind::Timeout,
            TransportErrorKind::Lost,
            TransportErrorKind::NotWecom,
        ] {
            assert_eq!(fault(kind), Some(Class::Transient));
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
            assert_eq!(fault(TransportErrorKind::Status(status)), Some(expected), "{status}");
        }
    }

    #[test]
    fn what_refuses_one_message_does_not_hold_the_app() {
        for status in [400, 403, 413] {
            assert_eq!(
                fault_of(Api::MessageSend, TransportErrorKind::Status(status)),
                Some(Class::Transient)
            );
            assert_eq!(
                fault_of(Api::GetToken, TransportErrorKind::Status(status)),
                Some(Class::Configuration)
            );
        }
    }

    #[test]
    fn the_seen_ip_is_read_where_there_is_one() {
        let errmsg =
            "not allow to access from your ip, hint: [166557], from ip: 203.0.113.4, more info at https://x";
        assert_eq!(seen_ip(errmsg), Some("203.0.113.4"));
        assert_eq!(seen_ip("…, from ip: 2001:db8::1, more info"), Some("2001:db8::1"));
        assert_eq!(seen_ip("…, from ip: , more info at https://x"), None);
        assert_eq!(seen_ip("invalid access_token"), None);
    }

    #[test]
    fn advice_names_the_ip_that_wecom_saw() {
        let advice =
            advice(&refusal(60020, "not allow to access from your ip, from ip: 203.0.113.4, more info"));
        assert!(advice.contains("IP 203.0.113.4 is") && advice.contains("企业可信IP"), "{advice}");
    }

    #[test]
    fn every_matter_of_configuration_can_be_mended() {
        for entry in TABLE.iter().filter(|entry| matches!(entry.class, Class::Configuration | Class::Token)) {
            assert!(entry.mend.is_some(), "{}", entry.errcode);
        }
        assert!(advice(&refusal(12345, "some words")).contains("12345"));
    }
}
