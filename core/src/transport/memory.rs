//! A server in the same process, behind the same trait.

use std::sync::Arc;

use super::{Exchange, Request, Response, Transport, TransportError};

type Handler = dyn Fn(Request) -> Result<Response, TransportError> + Send + Sync;

/// Gives every request to a function.
#[derive(Clone)]
pub struct MemoryTransport {
    handler: Arc<Handler>,
}

impl MemoryTransport {
    /// Answers by calling `handler`, on the thread that asks.
    pub fn new(handler: impl Fn(Request) -> Result<Response, TransportError> + Send + Sync + 'static) -> Self {
        Self { handler: Arc::new(handler) }
    }
}

impl Transport for MemoryTransport {
    fn exchange(&self, request: Request) -> Exchange<'_> {
        let handler = Arc::clone(&self.handler);
        Box::pin(async move { handler(request) })
    }
}

impl std::fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryTransport")
    }
}
