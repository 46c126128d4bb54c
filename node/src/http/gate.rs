//! What every request passes on its way to a handler: token, pace, policy.

use std::time::Instant;

use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::door::Caller;
use super::error::ApiError;
use super::policy::Policy;
use super::state::{Face, HttpState};

/// What stands before one method of one route.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) state: HttpState,
    pub(super) policy: Policy,
    pub(super) path: &'static str,
}

/// Lets a request through to its handler, with its [`Caller`], or refuses it.
pub(super) async fn enforce(
    State(gate): State<Gate>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    if gate.policy == Policy::Open {
        return next.run(request).await;
    }
    let caller = match check(&gate, params, &request) {
        Ok(caller) => caller,
        Err(refusal) => {
            if let (Policy::Messages, Some(board)) = (gate.policy, &gate.state.board) {
                board.tallies().refuse();
            }
            return refusal.into_response();
        }
    };
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    match is_endless(&response) {
        true => until_shut(&gate.state, caller, response),
        false => response,
    }
}

fn check(
    gate: &Gate,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: &Request,
) -> Result<Caller, ApiError> {
    let caller = gate.state.door.admit(request.headers())?;
    // Who needs no token is on this machine, or behind a proxy that speaks for many: to one address
    // belongs no one pace. Those who poll without a token share one, since messages can wait.
    let is_paced = caller.is_named() || gate.state.face == Face::Messages;
    if let Some(paces) = gate.state.paces.as_ref().filter(|_| is_paced) {
        paces
            .take(caller.name(), Instant::now())
            .map_err(ApiError::too_many)?;
    }
    // Where nobody is asked for a token, nothing is refused: the handler tells what a path is.
    if !caller.is_named() {
        return Ok(caller);
    }
    let params = params.map_err(|_| {
        ApiError::bad_request("the path cannot be read", "use percent-encoded UTF-8")
    })?;
    match gate
        .policy
        .allows(caller.grant(), &filled(gate.path, &params))
    {
        true => Ok(caller),
        false => Err(ApiError::forbidden(
            "this token is not for this",
            "ask whoever runs this node for a token with this site, type and right: \
             \"trilobite token create\"",
        )),
    }
}

/// The path with its parameters as the handler gets them. One with a slash in it would mean another
/// path here than there: it becomes a segment that nothing allows.
fn filled(template: &str, params: &RawPathParams) -> String {
    let mut path = template.to_owned();
    for (name, value) in params {
        let value = if value.contains('/') { ".." } else { value };
        path = path.replace(&format!("{{{name}}}"), value);
    }
    path
}

fn is_endless(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let text = content_type.and_then(|value| value.to_str().ok());
    text.is_some_and(|text| {
        text.starts_with("text/event-stream") || text.starts_with("application/x-ndjson")
    })
}

/// A stream ends when its reader would not be let in any more.
fn until_shut(state: &HttpState, caller: Caller, response: Response) -> Response {
    let shut = state.door.clone().shut_for(caller);
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(shut))))
}
