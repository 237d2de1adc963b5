//! `GET /healthz`: whether the server can read its database. For load balancers; no token.

use std::sync::Arc;

use axum::extract::State;

use crate::body::Packing;
use crate::http::{Answer, App, Noted};
use crate::problem::Refused;

pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Result<Answer, Refused> {
    app.block(|app| app.service.is_ready()).await?;
    Ok(Answer::new(r#"{"ok":true}"#.to_owned(), Packing::Identity, Noted::default()))
}
