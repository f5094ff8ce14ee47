//! Access tokens: one for each API address, corp and secret.
//!
//! Guarantees:
//! - At most one `gettoken` of a cache runs at a time. All callers that wait for it get the same token or error.
//! - A token is renewed before it expires.
//! - Only the refused token is dropped: when many sends are refused with one token, the first causes a renewal and the
//!   others find the new token.
//! - A caller that is dropped never blocks the others. Any remaining caller drives the fetch on, and a fetch without
//!   callers is cancelled.
//! - A refused secret is remembered for a while, so that the apps that share it ask WeCom once and not once each. No
//!   other error is remembered.
//!
//! Tokens are compared by a serial number and not by their text, because WeCom may grant the same text again.

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

use super::{WecomError, endpoint::ApiUrl, errcode::is_secret_refused, reply::TokenGrant};
use crate::{
    retry::{Schedule, refused_secret_delays},
    secret::Secret,
};

/// WeCom's usual lifetime, for a reply without `expires_in`.
const USUAL_LIFETIME: Duration = Duration::from_secs(7200);
/// No token is used longer than this, even if the reply says so.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// A token is renewed this long before it expires, or a tenth of its lifetime if that is less.
const LARGEST_MARGIN: Duration = Duration::from_secs(5 * 60);
/// A client that is created again, after a reload, may try a refused secret after this time.
const REFUSAL_AFTER_RELOAD: Duration = Duration::from_secs(10);
/// The least age of a token that is renewed because WeCom refused it, when WeCom refused the token before it as well. The
/// reason is then hardly the token, and the probes of a held sender cost one call and not two.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);

/// The result of one `gettoken` call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshResult {
    Granted,
    /// WeCom refused to grant a token.
    Rejected,
    /// WeCom did not answer.
    Failed,
}

impl RefreshResult {
    pub(super) fn of(result: &Result<TokenGrant, WecomError>) -> Self {
        match result {
            Ok(_) => Self::Granted,
            Err(WecomError::Rejected(_)) => Self::Rejected,
            Err(WecomError::Transport(_)) => Self::Failed,
        }
    }
}

/// Receives the result of each `gettoken` call.
pub trait TokenObserver: fmt::Debug + Send + Sync {
    fn token_refreshed(&self, result: RefreshResult);
}

/// A token and its serial number within the cache. Clones share the text.
#[derive(Debug, Clone)]
pub struct Token {
    secret: Arc<Secret>,
    serial: u64,
}

impl Token {
    fn new(grant: TokenGrant, serial: u64) -> Self {
        Self { secret: Arc::new(grant.access_token), serial }
    }

    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

type TokenResult = Result<Token, WecomError>;
/// A running `gettoken` call.
type Flight = BoxFuture<'static, TokenResult>;

/// The token of one API address, corp and secret.
pub struct TokenCache {
    state: Arc<Mutex<State>>,
    /// Held while a renewed token is tried. If it is refused too, the other callers need not try it.
    pub(super) renewing: tokio::sync::Mutex<()>,
}

struct State {
    current: Option<CachedToken>,
    /// Weak, so that a fetch ends with its last caller.
    flight: Option<WeakShared<Flight>>,
    last_serial: u64,
    /// The last token that WeCom refused, and the number of tokens that it refused in a row.
    last_refused: u64,
    refused_in_row: u32,
    refusal: Option<Refusal>,
    /// The pauses between calls with a refused secret.
    pauses: Schedule,
}

/// The refusal of the secret.
struct Refusal {
    error: WecomError,
    count: u32,
    asked_at: Instant,
    ask_again_at: Instant,
}

/// The way to a token.
enum Next {
    Cached(Token),
    Refused(WecomError),
    Fetch(Shared<Flight>),
}

struct CachedToken {
    token: Token,
    granted_at: Instant,
    renew_at: Instant,
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new(refused_secret_delays())
    }
}

impl TokenCache {
    fn new(pauses: Schedule) -> Self {
        let state = State {
            current: None,
            flight: None,
            last_serial: 0,
            last_refused: 0,
            refused_in_row: 0,
            refusal: None,
            pauses,
        };
        Self { state: Arc::new(Mutex::new(state)), renewing: tokio::sync::Mutex::default() }
    }

    /// The current token, or the result of `fetch`. While another caller's fetch runs, its result is returned and
    /// `fetch` is not called. Soon after the secret was refused, the same error is returned.
    ///
    /// # Errors
    /// The error of the fetch, the same for all callers that waited for it.
    pub async fn token<F>(&self, fetch: impl FnOnce() -> F) -> TokenResult
    where
        F: Future<Output = Result<TokenGrant, WecomError>> + Send + 'static,
    {
        let flight = match self.next(fetch) {
            Next::Cached(token) => return Ok(token),
            Next::Refused(error) => return Err(error),
            Next::Fetch(flight) => flight,
        };
        flight.await
    }

    /// WeCom refused `token`. It is dropped, but no token that was granted after it. After two refused
    /// tokens in a row, the last one is kept for [`RENEWAL_PAUSE`].
    pub fn refused(&self, token: &Token) {
        let mut state = lock(&self.state);
        if token.serial > state.last_refused {
            state.last_refused = token.serial;
            state.refused_in_row = state.refused_in_row.saturating_add(1);
        }
        let Some(cached) = &state.current else { return };
        let is_kept = state.refused_in_row > 1 && cached.granted_at.elapsed() < RENEWAL_PAUSE;
        if cached.token.serial == token.serial && !is_kept {
            state.current = None;
        }
    }

    /// WeCom did not refuse `token`.
    pub fn accepted(&self, token: &Token) {
        let mut state = lock(&self.state);
        if token.serial >= state.last_refused {
            state.refused_in_row = 0;
            // A token that was kept after a refusal may expire later.
            state.last_refused = token.serial.saturating_sub(1);
        }
    }

    /// The number of tokens that WeCom refused in a row.
    pub fn refused_in_row(&self) -> u32 {
        lock(&self.state).refused_in_row
    }

    fn next<F>(&self, fetch: impl FnOnce() -> F) -> Next
    where
        F: Future<Output = Result<TokenGrant, WecomError>> + Send + 'static,
    {
        let mut state = lock(&self.state);
        // The lifetime counts from before the request, because a slow reply must not lengthen it.
        let asked_at = Instant::now();
        if let Some(cached) = &state.current
            && asked_at < cached.renew_at
        {
            return Next::Cached(cached.token.clone());
        }
        if let Some(flight) = state.flight.as_ref().and_then(WeakShared::upgrade) {
            return Next::Fetch(flight);
        }
        if let Some(refusal) = &state.refusal
            && asked_at < refusal.ask_again_at
        {
            return Next::Refused(refusal.error.clone());
        }
        let fetched = fetch();
        let shared = Arc::downgrade(&self.state);
        let flight = async move { finish(&shared, asked_at, fetched.await) }.boxed().shared();
        state.flight = flight.downgrade();
        Next::Fetch(flight)
    }

    fn ask_again_soon(&self) {
        if let Some(refusal) = &mut lock(&self.state).refusal {
            refusal.ask_again_at = refusal.ask_again_at.min(refusal.asked_at + REFUSAL_AFTER_RELOAD);
        }
    }
}

impl State {
    fn remember(&mut self, error: &WecomError, asked_at: Instant) {
        if !matches!(error, WecomError::Rejected(refusal) if is_secret_refused(refusal)) {
            return;
        }
        let count = self.refusal.as_ref().map_or(0, |refusal| refusal.count).saturating_add(1);
        // The sender that asked asks again after the whole pause.
        let pause = self.pauses.nominal(count).mul_f64(0.9);
        self.refusal =
            Some(Refusal { error: error.clone(), count, asked_at, ask_again_at: asked_at + pause });
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

/// Ends a flight: stores the token, so that the next caller finds it.
fn finish(
    state: &Weak<Mutex<State>>,
    asked_at: Instant,
    grant: Result<TokenGrant, WecomError>,
) -> TokenResult {
    let Some(state) = state.upgrade() else {
        return grant.map(|grant| Token::new(grant, 0));
    };
    let mut state = lock(&state);
    state.flight = None;
    let grant = grant.inspect_err(|error| state.remember(error, asked_at))?;
    state.refusal = None;
    state.last_serial += 1;
    let renew_at = asked_at + usable_for(grant.expires_in);
    let token = Token::new(grant, state.last_serial);
    state.current = Some(CachedToken { token: token.clone(), granted_at: Instant::now(), renew_at });
    Ok(token)
}

/// The time until a token is renewed. A negative or zero `expires_in` counts as missing.
fn usable_for(expires_in: Option<i64>) -> Duration {
    let secs = expires_in.and_then(|secs| u64::try_from(secs).ok()).filter(|secs| *secs > 0);
    let lifetime = secs.map_or(USUAL_LIFETIME, Duration::from_secs).min(LONGEST_LIFETIME);
    lifetime - LARGEST_MARGIN.min(lifetime / 10)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock is usable, because its state is valid after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The token caches. Clients with the same API address, corp and secret share one.
#[derive(Debug)]
pub struct TokenCaches {
    caches: Mutex<HashMap<Key, Weak<TokenCache>>>,
    pauses: Schedule,
}

impl Default for TokenCaches {
    fn default() -> Self {
        Self::new(refused_secret_delays())
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    api_url: ApiUrl,
    corp_id: String,
    secret: String,
}

impl TokenCaches {
    /// No caches yet. A refused secret is tried again after `pauses`.
    pub fn new(pauses: Schedule) -> Self {
        Self { caches: Mutex::default(), pauses }
    }

    /// The cache of this API address, corp and secret. It lives as long as a client holds it.
    pub fn cache(&self, api_url: &ApiUrl, corp_id: &str, api_secret: &Secret) -> Arc<TokenCache> {
        let mut caches = lock(&self.caches);
        caches.retain(|_, cache| cache.strong_count() > 0);
        let key =
            Key { api_url: api_url.clone(), corp_id: corp_id.to_owned(), secret: api_secret.fingerprint() };
        if let Some(cache) = caches.get(&key).and_then(Weak::upgrade) {
            cache.ask_again_soon();
            return cache;
        }
        let cache = Arc::new(TokenCache::new(self.pauses.clone()));
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
    use crate::wecom::{Api, ApiError, Errcode, TransportError, TransportErrorKind};

    const FETCH: Duration = Duration::from_millis(200);

    #[derive(Default)]
    struct Wecom {
        calls: Arc<AtomicU64>,
        same_text: bool,
        expires_in: Option<i64>,
        fails: bool,
        refuses: bool,
    }

    impl Wecom {
        fn calls(&self) -> u64 {
            self.calls.load(Ordering::SeqCst)
        }

        async fn token(&self, cache: &TokenCache) -> TokenResult {
            cache.token(|| self.fetch()).await
        }

        fn fetch(&self) -> impl Future<Output = Result<TokenGrant, WecomError>> + Send + 'static {
            let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            let text = if self.same_text { "token".to_owned() } else { format!("token{number}") };
            let (expires_in, fails, refuses) = (self.expires_in, self.fails, self.refuses);
            async move {
                sleep(FETCH).await;
                if fails {
                    let detail = format!("call {number}");
                    return Err(WecomError::Transport(TransportError {
                        api: Api::GetToken,
                        kind: TransportErrorKind::Timeout,
                        detail,
                    }));
                }
                if refuses {
                    let (api, errcode) = (Api::GetToken, Errcode(40001));
                    return Err(WecomError::Rejected(ApiError { api, errcode, errmsg: String::new() }));
                }
                Ok(TokenGrant { access_token: Secret::new(text), expires_in })
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
    async fn a_token_is_renewed_before_it_expires() {
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
    async fn many_refusals_of_one_token_cause_one_renewal() {
        for same_text in [false, true] {
            let (wecom, cache) = (Wecom { same_text, ..Wecom::default() }, TokenCache::default());
            let refused = wecom.token(&cache).await.unwrap();
            join_all((0..64u64).map(|number| {
                let (wecom, cache, refused) = (&wecom, &cache, &refused);
                async move {
                    sleep(Duration::from_millis(number * 20)).await;
                    cache.refused(refused);
                    wecom.token(cache).await.unwrap();
                }
            }))
            .await;
            assert_eq!(wecom.calls(), 2, "same text: {same_text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_token_that_is_refused_is_kept_for_a_pause() {
        let (wecom, cache) = (Wecom::default(), TokenCache::default());
        let mut used = Vec::new();
        for _ in 0..8 {
            let token = wecom.token(&cache).await.unwrap();
            used.push(token.secret().expose().to_owned());
            cache.refused(&token);
            advance(Duration::from_secs(2)).await;
        }
        let expected = [1, 2, 2, 2, 2, 3, 3, 3].map(|number| format!("token{number}"));
        assert_eq!((used, cache.refused_in_row()), (expected.into(), 3));

        // A token that was kept and then accepted expires later like any other one.
        let third = wecom.token(&cache).await.unwrap();
        cache.accepted(&third);
        cache.refused(&third);
        assert_eq!((cache.refused_in_row(), text(&wecom, &cache).await), (1, "token4".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn all_callers_get_one_error_and_a_later_one_asks_again() {
        let (mut wecom, cache) = (Wecom { fails: true, ..Wecom::default() }, TokenCache::default());
        let answers = join_all((0..64).map(|_| wecom.token(&cache))).await;
        assert_eq!(wecom.calls(), 1);
        for answer in answers {
            let Err(WecomError::Transport(error)) = answer else { unreachable!("{answer:?}") };
            assert_eq!(error.detail, "call 1");
        }
        wecom.fails = false;
        assert_eq!(text(&wecom, &cache).await, "token2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_secret_is_tried_after_growing_pauses() {
        let refusing = Wecom { refuses: true, ..Wecom::default() };
        let caches = TokenCaches::default();
        let url = ApiUrl::parse("https://qyapi.weixin.qq.com").unwrap();
        let cache = || caches.cache(&url, "ww1234567890abcdef", &Secret::new("a"));
        let (first, second) = (cache(), cache());
        let mut asked_after = Vec::new();
        for second_number in 0..1000u64 {
            // Two senders ask all the time.
            let before = refusing.calls();
            assert!(refusing.token(&first).await.is_err());
            assert!(refusing.token(&second).await.is_err());
            if refusing.calls() > before {
                asked_after.push(second_number);
            }
            advance(Duration::from_secs(1) - FETCH * u32::from(refusing.calls() > before)).await;
        }
        assert_eq!(asked_after, [0, 54, 162, 432, 702, 972]);
        // A reload may ask sooner.
        let _reloaded = cache();
        assert!(refusing.token(&first).await.is_err());
        assert_eq!(refusing.calls(), 7);
        let _reloaded = cache();
        assert!(refusing.token(&first).await.is_err());
        assert_eq!(refusing.calls(), 7);
        advance(REFUSAL_AFTER_RELOAD).await;
        assert_eq!(text(&Wecom::default(), &first).await, "token1");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_caller_does_not_block_the_others() {
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
    async fn a_fetch_without_callers_is_cancelled() {
        let (wecom, cache) = (Wecom::default(), TokenCache::default());
        let mut only = Box::pin(wecom.token(&cache));
        assert!(poll!(&mut only).is_pending());
        drop(only);
        assert_eq!(text(&wecom, &cache).await, "token2");
    }

    #[test]
    fn only_equal_credentials_share_a_cache() {
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
