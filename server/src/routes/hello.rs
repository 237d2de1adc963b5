//! `GET /sync/v1/hello?device=…&incarnation=…`: what this server is, and where the device stands.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use turnstone_protocol::{Code, DeviceId, Incarnation, Problem};

use crate::body::Packing;
use crate::http::{Answer, App, Noted, pseudonym};
use crate::problem::Refused;

#[derive(Deserialize)]
pub(crate) struct Named {
    device: Option<DeviceId>,
    incarnation: Option<Incarnation>,
}

pub(crate) async fn hello(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<Named>, axum::extract::rejection::QueryRejection>,
) -> Result<Answer, Refused> {
    let who = app.authorise(&headers)?;
    let malformed = || Problem::new(Code::Malformed, "Name both device and incarnation, or neither.");
    let Query(named) = query.map_err(|_| malformed())?;
    let life = match (named.device, named.incarnation) {
        (Some(device), Some(incarnation)) => Some((device, incarnation)),
        (None, None) => None,
        _ => return Err(malformed().into()),
    };
    let packing = Packing::for_answer(&headers);
    let noted = Noted { tenant: Some(pseudonym(&who.tenant)), ..Noted::default() };
    let now_ms = app.now_ms();
    Ok(app.block(move |app| Answer::of(&app.service.hello(&who, life, now_ms)?, packing, noted)).await?)
}
