//! The table of routes, and what all answers share.

use axum::Router;
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{self, MethodRouter};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use super::error::ApiError;
use super::gate::{Gate, enforce};
use super::guard::guard;
use super::policy::{ANY, CLIENTS, POSITIONS, Policy};
use super::state::{Face, HttpState};
use super::{
    accuracy, alerts, calibration, explain, fixes, messages, page, presence, sites, status, survey,
    truth,
};

/// A path, the listeners that have it, and what it answers.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    faces: &'static [Face],
    pub(crate) verbs: Vec<Verb>,
}

/// A method of a route. There is no way to make one without saying who may use it.
pub(crate) struct Verb {
    pub(crate) method: Method,
    pub(crate) policy: Policy,
    answer: MethodRouter<HttpState>,
}

impl Route {
    /// On both listeners: what a consumer of messages reads.
    fn both(path: &'static str) -> Self {
        Self::on(&[Face::Map, Face::Messages], path)
    }

    /// On the listener of the map only.
    fn map(path: &'static str) -> Self {
        Self::on(&[Face::Map], path)
    }

    /// On the listener of messages only.
    fn messages(path: &'static str) -> Self {
        Self::on(&[Face::Messages], path)
    }

    fn on(faces: &'static [Face], path: &'static str) -> Self {
        Self {
            path,
            faces,
            verbs: Vec::new(),
        }
    }

    fn get<T: 'static>(self, policy: Policy, handler: impl Handler<T, HttpState>) -> Self {
        self.verb(Method::GET, policy, routing::get(handler))
    }

    fn post<T: 'static>(self, policy: Policy, handler: impl Handler<T, HttpState>) -> Self {
        self.verb(Method::POST, policy, routing::post(handler))
    }

    fn delete<T: 'static>(self, policy: Policy, handler: impl Handler<T, HttpState>) -> Self {
        self.verb(Method::DELETE, policy, routing::delete(handler))
    }

    fn verb(mut self, method: Method, policy: Policy, answer: MethodRouter<HttpState>) -> Self {
        self.verbs.push(Verb {
            method,
            policy,
            answer,
        });
        self
    }

    /// Whether this listener has it.
    pub(crate) fn is_on(&self, face: Face) -> bool {
        self.faces.contains(&face)
    }

    /// All methods, each behind its gate.
    fn guarded(self, state: &HttpState) -> MethodRouter<HttpState> {
        let path = self.path;
        let verbs = self.verbs.into_iter().map(|verb| {
            let gate = Gate {
                state: state.clone(),
                policy: verb.policy,
                path,
            };
            verb.answer.route_layer(from_fn_with_state(gate, enforce))
        });
        verbs.fold(MethodRouter::new(), MethodRouter::merge)
    }
}

/// Every path, who may do what there, and what answers; `openapi.json` describes the same ones.
pub(crate) fn table() -> Vec<Route> {
    const SEEN: Policy = Policy::Site(ANY);
    const LOCATED: Policy = Policy::Site(POSITIONS);
    const KNOWN: Policy = Policy::Site(CLIENTS);
    const ZONES: Policy = Policy::Site(&["zone.*"]);
    const TOKENS: Policy = Policy::AllSites(&["token.*"]);
    const APS: Policy = Policy::Site(&["ap.*"]);
    vec![
        Route::map("/").get(Policy::Token, page::index),
        Route::map("/page/{file}").get(Policy::Token, page::file),
        Route::messages("/messages").get(Policy::Messages, messages::poll),
        Route::messages("/alerts").get(Policy::AllSites(ANY), alerts::show),
        Route::both("/api/v1/sites").get(Policy::Token, sites::list),
        Route::both("/api/v1/sites/{site}").get(SEEN, sites::one),
        Route::both("/api/v1/sites/{site}/fixes").get(LOCATED, fixes::list),
        Route::both("/api/v1/sites/{site}/clients/{client}")
            .get(KNOWN, fixes::client)
            .delete(Policy::Order, presence::erase),
        Route::both("/api/v1/sites/{site}/zones").get(ZONES, presence::zones),
        Route::both("/api/v1/sites/{site}/zones/{zone}").get(ZONES, presence::zone),
        Route::both("/api/v1/sites/{site}/zones/{zone}/clients").get(ZONES, presence::clients),
        Route::both("/api/v1/sites/{site}/zones/{zone}/clients/{client}")
            .get(ZONES, presence::visit),
        Route::both("/api/v1/sites/{site}/aps").get(APS, presence::aps),
        Route::both("/api/v1/sites/{site}/aps/{ap}").get(APS, presence::ap),
        Route::both("/api/v1/sites/{site}/clients/{client}/explain").get(LOCATED, explain::explain),
        Route::both("/api/v1/sites/{site}/accuracy").get(SEEN, accuracy::show),
        Route::both("/api/v1/sites/{site}/calibration")
            .get(SEEN, calibration::show)
            .post(Policy::Order, calibration::order),
        Route::both("/api/v1/sites/{site}/survey")
            .get(LOCATED, survey::list)
            .post(Policy::Order, survey::take),
        Route::both("/api/v1/sites/{site}/survey/{point}").delete(Policy::Order, survey::remove),
        Route::both("/api/v1/consumers/{consumer}").get(TOKENS, presence::consumer),
        Route::both("/api/v1/ledger").get(Policy::AllSites(ANY), status::ledger),
        Route::map("/api/v1/demo/truth").get(Policy::AllSites(POSITIONS), truth::list),
        Route::both("/livez").get(Policy::Open, status::livez),
        Route::both("/readyz").get(Policy::Open, status::readyz),
        Route::both("/startupz").get(Policy::Open, status::startupz),
        Route::map("/metrics").get(Policy::AllSites(ANY), status::metrics),
        Route::both("/openapi.json").get(Policy::Open, status::openapi),
    ]
}

/// The routes of one listener over `state`, to be served or to be nested elsewhere.
pub fn router(state: HttpState) -> Router {
    let face = state.face;
    let routes = table().into_iter().filter(|route| route.is_on(face));
    let router = routes.fold(Router::new(), |router, route| {
        let path = route.path;
        router.route(path, route.guarded(&state))
    });
    let router = router
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method);
    let router = match face {
        Face::Map => router.layer(compression()),
        // Whoever polls is not to spend this node's time on packing.
        Face::Messages => router,
    };
    router
        .layer(from_fn_with_state(state.clone(), guard))
        .layer(map_response(never_sniffed))
        .with_state(state)
}

/// It gathers bytes before it lets them go: no good for a stream of lines or events.
fn compression() -> CompressionLayer<impl Predicate> {
    let compressed = DefaultPredicate::new()
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new("application/x-ndjson"));
    CompressionLayer::new().compress_when(compressed)
}

async fn unknown_route() -> ApiError {
    ApiError::not_found(
        "there is nothing at this path",
        "see /openapi.json for all paths",
    )
}

async fn wrong_method() -> ApiError {
    ApiError::method()
}

async fn never_sniffed(mut response: Response) -> Response {
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
