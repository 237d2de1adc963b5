//! The router, and what happens around every request: a place, an id, a line in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use turnstone_protocol::hash::{hex, sha256};
use turnstone_protocol::wire::PRINCIPAL;
use turnstone_protocol::{Code, Problem};

use crate::body::{Packing, drain, pack};
use crate::budget::Budget;
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;
use crate::key::Key;
use crate::problem::{Refused, RefusedCode, busy};
use crate::routes;
use crate::service::{Principal, Service};
use crate::token;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every route has at hand.
pub(crate) struct App {
    pub(crate) service: Arc<Service>,
    pub(crate) budget: Budget,
    keys: Vec<Key>,
    clock: Clock,
    places: Semaphore,
    /// Begins the id of every request of this start of the server.
    run: String,
    requests: AtomicU64,
}

/// What a route adds to the line in the log.
#[derive(Clone, Default)]
pub(crate) struct Noted {
    pub(crate) tenant: Option<String>,
    pub(crate) groups: usize,
    pub(crate) accepted: usize,
    pub(crate) bytes_in: usize,
    pub(crate) bytes_out: usize,
}

impl App {
    pub(crate) fn new(service: Arc<Service>, config: &Config, random: [u8; 32]) -> Self {
        let run = random.first_chunk::<4>().map(|bytes| hex(bytes)).unwrap_or_default();
        Self {
            service,
            budget: Budget::new(config.limits.bodies_bytes_max),
            keys: config.keys.clone(),
            clock: config.clock.clone(),
            places: Semaphore::new(config.limits.requests_max),
            run,
            requests: AtomicU64::new(0),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Says who asks, for a database of their own.
    pub(crate) fn authorise(&self, headers: &HeaderMap) -> Result<Principal, Problem> {
        let missing = || Problem::new(Code::TokenMissing, "Send a token: `Authorization: Bearer …`.");
        let value = headers.get(AUTHORIZATION).ok_or_else(missing)?.to_str().map_err(|_| missing())?;
        let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing());
        }
        let who = token::verify(&self.keys, token.trim(), self.now_ms())?;
        who.owns(headers.get(PRINCIPAL).map(HeaderValue::as_bytes))?;
        Ok(who)
    }

    /// Runs blocking work off the runtime's threads. Work that panics is an internal problem, and nothing else stops.
    #[expect(clippy::disallowed_methods, reason = "the server's home of blocking work")]
    pub(crate) async fn block<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&app)).await;
        done.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "The server failed on this request.")))
    }
}

/// JSON on its way out, packed by the blocking part of a route.
pub(crate) struct Answer {
    bytes: Vec<u8>,
    packing: Packing,
    noted: Noted,
}

impl Answer {
    pub(crate) fn new(json: String, packing: Packing, noted: Noted) -> Self {
        let (bytes, packing) = pack(json.into_bytes(), packing);
        let noted = Noted { bytes_out: bytes.len(), ..noted };
        Self { bytes, packing, noted }
    }

    pub(crate) fn of<T: serde::Serialize>(value: &T, packing: Packing, noted: Noted) -> Result<Self, Problem> {
        let json = serde_json::to_string(value);
        Ok(Self::new(json.map_err(|_| Problem::new(Code::Internal, "The answer cannot be written."))?, packing, noted))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = self.bytes.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(name) = self.packing.name() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        response.extensions_mut().insert(self.noted);
        response
    }
}

/// The routes, with what happens around each request.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(routes::healthz))
        .route("/sync/v1/hello", get(routes::hello))
        .route("/sync/v1/push", post(routes::push))
        .route("/sync/v1/pull", post(routes::pull))
        .route("/sync/v1/state-hash", get(routes::state_hash))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), around))
        .with_state(app)
}

async fn unknown(body: Body) -> Response {
    drain(body).await;
    Refused(Problem::new(Code::NotFound, "There is no such endpoint here.")).into_response()
}

async fn wrong_method(body: Body) -> Response {
    drain(body).await;
    Refused(Problem::new(Code::MethodNotAllowed, "This endpoint has another method.")).into_response()
}

async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let id = request_id(&app, request.headers());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let mut response = match app.places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Refused(busy()).into_response(),
    };
    let ms = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
    let noted = response.extensions_mut().remove::<Noted>().unwrap_or_default();
    let code = response.extensions_mut().remove::<RefusedCode>();
    tracing::info!(
        request = %id,
        // A path that is not ours may hold anything, so it is not written down.
        route = route.as_deref().unwrap_or("-"),
        method = %method,
        status = response.status().as_u16(),
        code = code.as_ref().map(|code| code.0.as_str()),
        tenant = noted.tenant.as_deref(),
        groups = noted.groups,
        accepted = noted.accepted,
        bytes_in = noted.bytes_in,
        bytes_out = noted.bytes_out,
        ms,
        "request"
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The id a proxy gave the request, if it looks like one, or the next of ours.
fn request_id(app: &App, headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    match given.filter(plain) {
        Some(id) => id.to_owned(),
        None => format!("{}-{}", app.run, app.requests.fetch_add(1, Ordering::Relaxed)),
    }
}

/// A tenant as logs name it: the same for the same tenant, and nobody's name.
pub(crate) fn pseudonym(tenant: &str) -> String {
    sha256(tenant.as_bytes()).first_chunk::<4>().map(|bytes| hex(bytes)).unwrap_or_default()
}
