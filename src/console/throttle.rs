//! Slows down wrong passwords. No address is locked out, because behind a proxy all readers have one address.
//!
//! Each client has few places to wait, so one stranger does not keep the others out. Strangers with many addresses, or
//! behind the same proxy, can still take all places; then a right password is refused too until a place is free.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::extract::{ConnectInfo, Request};
use tokio::time::{Instant, sleep};

use crate::telemetry::LogThrottle;

/// Failures a minute before attempts must wait for their turn.
const FREE_FAILURES: usize = 60;
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// The time of one turn.
const TURN: Duration = Duration::from_secs(1);
/// Attempts that may wait.
const PLACES: usize = 64;
/// Attempts of one address that may wait.
const PLACES_OF_ADDRESS: usize = 8;
/// Attempts from this machine that may wait, because they may come from a proxy.
const PLACES_OF_LOOPBACK: usize = 32;

/// One failure is logged per interval, because strangers cause them.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The recent failures of all readers.
#[derive(Debug)]
pub(super) struct LoginThrottle {
    failures: Mutex<VecDeque<Instant>>,
    turn: tokio::sync::Mutex<()>,
    waiting: Waiting,
    log: LogThrottle,
}

impl Default for LoginThrottle {
    fn default() -> Self {
        Self {
            failures: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            waiting: Waiting::default(),
            log: LogThrottle::every(LOG_INTERVAL),
        }
    }
}

/// Too many attempts wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyAttempts;

impl LoginThrottle {
    /// Waits until a password may be tried.
    pub(super) async fn wait(&self, client: Client) -> Result<(), TooManyAttempts> {
        if self.recent() < FREE_FAILURES {
            return Ok(());
        }
        let place = Place::take(&self.waiting, client)?;
        let turn = self.turn.lock().await;
        sleep(TURN).await;
        drop((turn, place));
        Ok(())
    }

    /// Records and logs a wrong password.
    pub(super) fn failed(&self, peer: &str) {
        if let Some(suppressed) = self.log.allow() {
            tracing::warn!(peer, suppressed, "console: login refused, the password is wrong");
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push_back(Instant::now());
        if failures.len() > FREE_FAILURES {
            failures.pop_front();
        }
    }

    /// Failures within the last minute, up to [`FREE_FAILURES`].
    fn recent(&self) -> usize {
        let now = Instant::now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        while failures.front().is_some_and(|failure| now.duration_since(*failure) > WINDOW) {
            failures.pop_front();
        }
        failures.len()
    }
}

/// Those that share places: an IPv4 address, an IPv6 network, or this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Client {
    Loopback,
    V4([u8; 4]),
    /// The first 64 bits, because one machine may have all addresses with them.
    V6(u64),
}

impl Client {
    pub(super) fn of(request: &Request) -> Self {
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
        address.map_or(Self::Loopback, |address| Self::from(address.0.ip()))
    }

    fn places(self) -> usize {
        match self {
            Self::Loopback => PLACES_OF_LOOPBACK,
            Self::V4(_) | Self::V6(_) => PLACES_OF_ADDRESS,
        }
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::Loopback,
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments().map(u64::from);
                Self::V6((a << 48) | (b << 32) | (c << 16) | d)
            }
        }
    }
}

/// The number of places that each client has taken.
type Waiting = Mutex<BTreeMap<Client, usize>>;

/// A place in the queue, until it is dropped.
struct Place<'a> {
    waiting: &'a Waiting,
    client: Client,
}

impl<'a> Place<'a> {
    fn take(waiting: &'a Waiting, client: Client) -> Result<Self, TooManyAttempts> {
        let mut places = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let own = places.get(&client).copied().unwrap_or_default();
        if own >= client.places() || places.values().sum::<usize>() >= PLACES {
            return Err(TooManyAttempts);
        }
        places.insert(client, own + 1);
        Ok(Self { waiting, client })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match places.get_mut(&self.client) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                places.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn client(address: &str) -> Client {
        Client::from(address.parse::<IpAddr>().unwrap())
    }

    /// A throttle after too many failures.
    fn slow() -> LoginThrottle {
        let throttle = LoginThrottle::default();
        (0..FREE_FAILURES).for_each(|_| throttle.failed("192.0.2.1"));
        throttle
    }

    /// The number of refused attempts among `count` that `address` sends at once.
    async fn refused(throttle: &LoginThrottle, address: &str, count: usize) -> usize {
        let answers = join_all((0..count).map(|_| throttle.wait(client(address)))).await;
        answers.iter().filter(|answer| answer.is_err()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn many_failures_slow_attempts_down() {
        let throttle = LoginThrottle::default();
        let began = Instant::now();
        for _ in 0..FREE_FAILURES {
            assert_eq!(throttle.wait(client("192.0.2.1")).await, Ok(()));
            throttle.failed("192.0.2.1");
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(refused(&throttle, "192.0.2.1", 10).await, 2);
        assert!(began.elapsed() >= TURN * 8);
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_leaves_places_for_others() {
        let throttle = slow();
        let (stranger, neighbour, reader, proxied) = tokio::join!(
            refused(&throttle, "192.0.2.1", 100),
            refused(&throttle, "2001:db8::1", 8),
            refused(&throttle, "198.51.100.1", 1),
            refused(&throttle, "127.0.0.1", 40),
        );
        assert_eq!((stranger, neighbour, reader, proxied), (92, 0, 0, 8));
        // All places are free again.
        assert_eq!(refused(&throttle, "192.0.2.1", 8).await, 0);
        assert!(throttle.waiting.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_have_a_limit_together() {
        let throttle = slow();
        let clients = (0..100).map(|number| client(&format!("192.0.2.{number}")));
        let answers = join_all(clients.map(|client| throttle.wait(client))).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 100 - PLACES);
    }

    #[test]
    fn addresses_of_one_network_share_their_places() {
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_eq!([client("127.0.0.2"), client("::1")], [Client::Loopback; 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_later_nobody_waits() {
        let throttle = LoginThrottle::default();
        (0..200).for_each(|_| throttle.failed("192.0.2.1"));
        sleep(WINDOW + TURN).await;
        let began = Instant::now();
        assert_eq!(throttle.wait(client("192.0.2.1")).await, Ok(()));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
