//! `POST /sync/v1/push`: groups in, verdicts out, the pull half along with them where it was asked for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::value::RawValue;
use turnstone_protocol::wire::PushRequest;

use super::pull::malformed;
use crate::body::{Packing, drain, receive};
use crate::http::{Answer, App, Noted, pseudonym};
use crate::problem::Refused;

pub(crate) async fn push(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Result<Answer, Refused> {
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
        let request: PushRequest<&RawValue> =
            serde_json::from_slice(&expanded.bytes).map_err(|error| malformed(&error))?;
        let pushed = app.service.push_text(&who, &request, now_ms)?;
        let noted = Noted { groups: pushed.groups, accepted: pushed.accepted, ..noted };
        Ok(Answer::new(pushed.json, packing, noted))
    });
    Ok(answer.await?)
}
