//! Advice for a server that cannot listen.

use std::io::ErrorKind;

pub(super) fn listen_advice(error: ErrorKind) -> &'static str {
    match error {
        ErrorKind::AddrInUse => "stop the program that uses the port, or choose another port",
        ErrorKind::PermissionDenied => {
            "choose a port above 1023, or allow this one with CAP_NET_BIND_SERVICE"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have this address; 0.0.0.0 stands for all addresses"
        }
        _ => "correct the address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_advice() {
        for (kind, advice) in [
            (ErrorKind::AddrInUse, "stop the program that uses the port"),
            (ErrorKind::PermissionDenied, "choose a port above 1023"),
            (ErrorKind::AddrNotAvailable, "this machine does not have this address"),
        ] {
            assert!(listen_advice(kind).starts_with(advice), "{kind}");
        }
    }
}
