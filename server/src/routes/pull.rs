//! `POST /sync/v1/pull`: the next page of the feed.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use turnstone_protocol::wire::PullRequest;
use turnstone_protocol::{Code, Problem};

use crate::body::{Packing, drain, receive};
use crate::http::{Answer, App, Noted, pseudonym};
use crate::problem::Refused;

pub(crate) async fn pull(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Answer, Refused> {
    let who = match app.authorise(&headers) {
        Ok(who) => who,
        Err(problem) => {
            drain(body).await;
            return Err(problem.into());
        }
    };
    let received = receive(&headers, body, app.service.limits(), &app.budget).await?;
    let packing = Packing::for_answer(&headers);
    let noted = Noted { tenant: Some(pseudonym(&who.tenant)), bytes_in: received.packed_len(), ..Noted::default() };
    let now_ms = app.now_ms();
    let answer = app.block(move |app| {
        let expanded = received.expand(app.service.limits())?;
        let request: PullRequest = serde_json::from_slice(&expanded.bytes).map_err(|error| malformed(&error))?;
        Ok(Answer::new(app.service.pull_text(&who, &request, now_ms)?.json, packing, noted))
    });
    Ok(answer.await?)
}

/// A body that is not what the endpoint takes. The place is named, the content is not.
pub(super) fn malformed(error: &serde_json::Error) -> Problem {
    let title = format!("The body is not the documented JSON (line {}, column {}).", error.line(), error.column());
    Problem::new(Code::Malformed, title)
}
