//! `GET /sync/v1/state-hash`: the tenant's live rows as one hash. For tests and support.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;

use crate::body::Packing;
use crate::http::{Answer, App, Noted, pseudonym};
use crate::problem::Refused;

pub(crate) async fn state_hash(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Answer, Refused> {
    let who = app.authorise(&headers)?;
    let packing = Packing::for_answer(&headers);
    let noted = Noted { tenant: Some(pseudonym(&who.tenant)), ..Noted::default() };
    Ok(app.block(move |app| Answer::of(&app.service.state_hash(&who)?, packing, noted)).await?)
}
