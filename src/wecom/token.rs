//! Access tokens: one for each API address, corp and secret, fetched once however many sends wait for it.
//!
//! Promises:
//! - at most one `gettoken` of a cache runs at a time, and all who wait for it get the same token or the same failure;
//! - a token is renewed before it runs out, and exactly the refused one is dropped: of many sends that were refused
//!   with one token, the first causes a renewal and the others find the new token;
//! - a caller that is dropped never blocks the others: whoever still waits drives the fetch on, and a fetch for
//!   which nobody waits is given up;
//! - a failure is not remembered. Not to hammer `gettoken` with a refused secret is the caller's part.
//!
//! Tokens are told apart by a serial number and not by their text, because WeCom may grant the same text again.
//! A mutex held across the fetch was rejected (a failure would be repeated by each waiting caller), and so was a task
//! for the fetch (it would outlive its callers).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use tokio::time::Instant;

use super::{ApiError, TransportError, endpoint::ApiUrl, message::Grant};
use crate::secret::Secret;

/// How long a token is good for when the reply does not say: WeCom's usual time.
const USUAL_LIFETIME: Duration = Duration::from_secs(7200);
/// No token is used longer than this, whatever the reply says.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// A token is renewed this long before it runs out, or a tenth of its time if that is less.
const LARGEST_MARGIN: Duration = Duration::from_secs(5 * 60);

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// WeCom refused to grant one.
    Refused(ApiError),
    /// There was no word from WeCom.
    TransportError(TransportError),
}

/// A token, and which grant of the cache it is.
#[derive(Debug, Clone)]
pub struct Token {
    secret: Secret,
    serial: u64,
}

impl Token {
    /// The token itself.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

type Answer = Result<Token, Failure>;
type Flight = BoxFuture<'static, Answer>;

/// The token of one API address, corp and secret.
#[derive(Default)]
pub struct TokenCache {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    current: Option<(Token, Instant)>,
    /// Weak, so that a fetch ends with its last caller.
    flight: Option<WeakShared<Flight>>,
    granted: u64,
}

impl TokenCache {
    /// The current token, or the one that `fetch` gets. `fetch` is not called while another caller's fetch runs.
    ///
    /// # Errors
    /// The failure of the fetch, the same for all who waited for it.
    pub async fn token<F>(&self, fetch: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Result<Grant, Failure>> + Send + 'static,
    {
        let flight = match self.current_or_flight(fetch) {
            Ok(token) => return Ok(token),
            Err(flight) => flight,
        };
        flight.await
    }

    /// Drops `refused`, and no token that was granted after it.
    pub fn invalidate(&self, refused: &Token) {
        let mut state = lock(&self.state);
        if state.current.as_ref().is_some_and(|(token, _)| token.serial == refused.serial) {
            state.current = None;
        }
    }

    fn current_or_flight<F>(&self, fetch: impl FnOnce() -> F) -> Result<Token, Shared<Flight>>
    where
        F: Future<Output = Result<Grant, Failure>> + Send + 'static,
    {
        let mut state = lock(&self.state);
        // The token's time counts from before the request, so that a slow answer does not lengthen it.
        let asked_at = Instant::now();
        if let Some((token, renew_at)) = &state.current
            && asked_at < *renew_at
        {
            return Ok(token.clone());
        }
        if let Some(flight) = state.flight.as_ref().and_then(WeakShared::upgrade) {
            return Err(flight);
        }
        let fetched = fetch();
        let shared = Arc::downgrade(&self.state);
        let flight = async move { land(&shared, asked_at, fetched.await) }.boxed().shared();
        state.flight = flight.downgrade();
        Err(flight)
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

/// Ends a flight: the next caller finds its token, or starts another flight.
fn land(state: &Weak<Mutex<State>>, asked_at: Instant, grant: Result<Grant, Failure>) -> Answer {
    let Some(state) = state.upgrade() else {
        return grant.map(|grant| Token { secret: grant.access_token, serial: 0 });
    };
    let mut state = lock(&state);
    state.flight = None;
    let grant = grant?;
    state.granted += 1;
    let token = Token { secret: grant.access_token, serial: state.granted };
    state.current = Some((token.clone(), asked_at + usable_for(grant.expires_in)));
    Ok(token)
}

/// How long a token is used; nonsense counts as missing.
fn usable_for(expires_in: Option<i64>) -> Duration {
    let secs = expires_in.and_then(|secs| u64::try_from(secs).ok()).filter(|secs| *secs > 0);
    let lifetime = secs.map_or(USUAL_LIFETIME, Duration::from_secs).min(LONGEST_LIFETIME);
    lifetime - LARGEST_MARGIN.min(lifetime / 10)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All caches: those who name the same API address, corp and secret share one.
#[derive(Debug, Default)]
pub struct TokenCaches {
    caches: Mutex<HashMap<Key, Weak<TokenCache>>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    api_url: ApiUrl,
    corp_id: String,
    secret: String,
}

impl TokenCaches {
    /// The cache of this API address, corp and secret; it lives as long as somebody holds it.
    pub fn cache(&self, api_url: &ApiUrl, corp_id: &str, api_secret: &Secret) -> Arc<TokenCache> {
        let mut caches = lock(&self.caches);
        caches.retain(|_, cache| cache.strong_count() > 0);
        let key =
            Key { api_url: api_url.clone(), corp_id: corp_id.to_owned(), secret: api_secret.fingerprint() };
        if let Some(cache) = caches.get(&key).and_then(Weak::upgrade) {
            return cache;
        }
        let cache = Arc::new(TokenCache::default());
        caches.insert(key, Arc::downgrade(&cache));
        cache
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::{future::join_all, poll};
    use tokio::time::{advance, sleep};

    use super::*;
    use crate::wecom::{Api, TransportErrorKind};

    const FETCH: Duration = Duration::from_millis(200);

    #[derive(Default)]
    struct Wecom {
        calls: Arc<AtomicU64>,
        same_text: bool,
        expires_in: Option<i64>,
        fails: bool,
    }

    impl Wecom {
        fn calls(&self) -> u64 {
            self.calls.load(Ordering::SeqCst)
        }

        async fn token(&self, cache: &TokenCache) -> Answer {
            cache.token(|| self.fetch()).await
        }

        fn fetch(&self) -> impl Future<Output = Result<Grant, Failure>> + Send + 'static {
            let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            let text = if self.same_text { "token".to_owned() } else { format!("token{number}") };
            let (expires_in, fails) = (self.expires_in, self.fails);
            async move {
                sleep(FETCH).await;
                if fails {
                    let detail = format!("call {number}");
                    return Err(Failure::TransportError(TransportError {
                        api: Api::GetToken,
                        kind: TransportErrorKind::Timeout,
                        detail,
                    }));
                }
                Ok(Grant { access_token: Secret::new(text), expires_in })
            }
        }
    }

    async fn text(wecom: &Wecom, cache: &TokenCache) -> String {
        wecom.token(cache).await.unwrap().secret().expose().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn many_callers_make_one_call() {
        let (wecom, cache) = (Wecom::default(), TokenCache::default());
        let tokens = join_all((0..64).map(|_| text(&wecom, &cache))).await;
        assert!(tokens.iter().all(|token| token == "token1"));
        assert_eq!(wecom.calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_before_it_runs_out() {
        for (expires_in, usable_secs) in
            [(Some(7200), 6900), (Some(100), 90), (None, 6900), (Some(0), 6900), (Some(-5), 6900)]
        {
            let (wecom, cache) = (Wecom { expires_in, ..Wecom::default() }, TokenCache::default());
            text(&wecom, &cache).await;
            advance(Duration::from_secs(usable_secs) - FETCH - Duration::from_millis(10)).await;
            assert_eq!(text(&wecom, &cache).await, "token1", "{expires_in:?}");
            advance(Duration::from_millis(10)).await;
            assert_eq!(text(&wecom, &cache).await, "token2", "{expires_in:?}");
        }
        assert!(usable_for(Some(i64::MAX)) < LONGEST_LIFETIME);
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_refused_with_one_token_one_renews_it() {
        for same_text in [false, true] {
            let (wecom, cache) = (Wecom { same_text, ..Wecom::default() }, TokenCache::default());
            let refused = wecom.token(&cache).await.unwrap();
            join_all((0..64u64).map(|number| {
                let (wecom, cache, refused) = (&wecom, &cache, &refused);
                async move {
                    sleep(Duration::from_millis(number * 20)).await;
                    cache.invalidate(refused);
                    wecom.token(cache).await.unwrap();
                }
            }))
            .await;
            assert_eq!(wecom.calls(), 2, "same text: {same_text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_get_the_one_failure_and_a_later_caller_tries_again() {
        let (mut wecom, cache) = (Wecom { fails: true, ..Wecom::default() }, TokenCache::default());
        let answers = join_all((0..64).map(|_| wecom.token(&cache))).await;
        assert_eq!(wecom.calls(), 1);
        for answer in answers {
            let Err(Failure::TransportError(fault)) = answer else { unreachable!("{answer:?}") };
            assert_eq!(fault.detail, "call 1");
        }
        wecom.fails = false;
        assert_eq!(text(&wecom, &cache).await, "token2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_leader_does_not_block_the_others() {
        let (wecom, cache) = (Wecom::default(), TokenCache::default());
        let mut leader = Box::pin(wecom.token(&cache));
        let mut other = Box::pin(wecom.token(&cache));
        assert!(poll!(&mut leader).is_pending());
        assert!(poll!(&mut other).is_pending());
        drop(leader);
        assert_eq!(other.await.unwrap().secret().expose(), "token1");
        assert_eq!(wecom.calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_for_which_nobody_waits_is_given_up() {
        let (wecom, cache) = (Wecom::default(), TokenCache::default());
        let mut only = Box::pin(wecom.token(&cache));
        assert!(poll!(&mut only).is_pending());
        drop(only);
        assert_eq!(text(&wecom, &cache).await, "token2");
    }

    #[test]
    fn equal_apps_share_a_cache_and_others_do_not() {
        let caches = TokenCaches::default();
        let url = |text| ApiUrl::parse(text).unwrap();
        let wecom = url("https://qyapi.weixin.qq.com");
        let first = caches.cache(&wecom, "ww1234567890abcdef", &Secret::new("a"));
        let written_otherwise = url("https://qyapi.weixin.qq.com/cgi-bin/");
        assert!(Arc::ptr_eq(
            &first,
            &caches.cache(&written_otherwise, "ww1234567890abcdef", &Secret::new("a\n"))
        ));
        assert!(!Arc::ptr_eq(&first, &caches.cache(&wecom, "ww1234567890abcdef", &Secret::new("b"))));
        assert!(!Arc::ptr_eq(&first, &caches.cache(&wecom, "ww0000000000abcdef", &Secret::new("a"))));
        assert!(!Arc::ptr_eq(
            &first,
            &caches.cache(&url("http://127.0.0.1"), "ww1234567890abcdef", &Secret::new("a"))
        ));
    }
}
