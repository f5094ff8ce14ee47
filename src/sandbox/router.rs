//! The routes of WeCom's calls and of the control API.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::any;

use super::control;
use super::handle::handle;
use super::instance::Sandbox;
use super::phone;
use super::request::{Api, ApiRequest};

/// nginx answers a larger body with a bare 413.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

impl Sandbox {
    /// WeCom's routes and the control API. Behind another server than [`Sandbox::serve`] the caller's address is not known,
    /// and a dropped connection becomes a 500 with a text that says so.
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for api in Api::ALL {
            let receive = move |sandbox, request| receive(sandbox, api, request);
            router = router.route(&format!("/cgi-bin/{}", api.name()), any(receive));
        }
        router = router.merge(phone::routes());
        router.nest("/sandbox", control::routes()).fallback(not_found).with_state(self.clone())
    }
}

async fn not_found() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("nginx"));
    response
}

async fn receive(State(sandbox): State<Sandbox>, api: Api, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    let request = ApiRequest::new(api, sandbox.now(), parts, body);
    // There is no await before this point, because a caller that hangs up must not undo an accepted call.
    let response = sandbox.change(|state| handle(state, sandbox.settings(), &request));
    response.send().await
}
