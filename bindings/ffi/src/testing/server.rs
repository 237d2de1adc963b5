//! The server of `turnstone-testing`, for the tests of apps in Kotlin and Swift.

use std::sync::Arc;

use turnstone::transport::{Method, Request};
use turnstone_protocol::wire::PRINCIPAL;
use turnstone_testing::{TestError, TestServer};

use crate::error::FfiError;
use crate::fence;
use crate::hooks::http::{FfiBody, FfiHeader, FfiHttpRequest, FfiHttpResponse};

/// The headers a server reads.
const READ: [&str; 3] = ["authorization", "content-encoding", PRINCIPAL];

/// A server for tests. Its data goes with it.
#[derive(uniffi::Object)]
pub struct FfiTestServer {
    server: TestServer,
}

#[uniffi::export]
impl FfiTestServer {
    /// A server without data that knows this schema, in TOML.
    #[uniffi::constructor]
    pub async fn create(schema: String) -> Result<Arc<Self>, FfiError> {
        fence::blocking("test_server_create", move || {
            Ok(Arc::new(Self { server: TestServer::start(&schema).map_err(failed)? }))
        })
        .await
    }

    /// A token of this user; all users of a test share one set of data.
    pub fn token(&self, user: String) -> Result<String, FfiError> {
        fence::quick("test_server_token", || self.server.token(&user).map_err(failed))
    }

    /// Answers a request, as over HTTP.
    pub async fn exchange(self: Arc<Self>, request: FfiHttpRequest) -> Result<FfiHttpResponse, FfiError> {
        fence::blocking("test_server_exchange", move || {
            let answer = self.server.answer(&asked(request).map_err(TestError::Folder).map_err(failed)?);
            let headers = answer.headers.into_iter().map(|(name, value)| FfiHeader { name, value });
            let body = FfiBody::Bytes { value: answer.body.to_vec() };
            Ok(FfiHttpResponse { status: answer.status, headers: headers.collect(), body })
        })
        .await
    }
}

/// The request as the core made it, with those of its headers that are read.
fn asked(request: FfiHttpRequest) -> std::io::Result<Request> {
    let value = |name| Some((name, request.headers.iter().find(|header| header.name == name)?.value.clone()));
    Ok(Request {
        method: if request.method == "GET" { Method::Get } else { Method::Post },
        headers: READ.into_iter().filter_map(value).collect(),
        path: request.path,
        body: match request.body {
            FfiBody::Bytes { value } => value,
            FfiBody::File { path } => std::fs::read(path)?,
        }
        .into(),
        answer_bytes_max: usize::try_from(request.answer_bytes_max).unwrap_or(usize::MAX),
    })
}

fn failed(error: TestError) -> FfiError {
    match error {
        TestError::Schema(error) => FfiError::invalid("schema", &error.to_string()),
        error => FfiError::internal("test_server", &error.to_string()),
    }
}
