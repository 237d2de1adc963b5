//! The server's edge: listens, bounds connections, drains.

use std::future::Future;
use std::net::SocketAddr;

use crate::config::Config;

/// A server that cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A server that listens and has not begun to answer.
pub struct Server {
    addr: SocketAddr,
    listener: tokio::net::TcpListener,
}

impl Server {
    /// Opens the database and listens on `addr` (port 0 takes a free one).
    ///
    /// # Errors
    /// [`ServerError`] says what to change.
    pub async fn bind(addr: SocketAddr, _config: Config) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Bind { addr, source };
        let listener = tokio::net::TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self { addr, listener })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers requests until `shutdown` is ready, then lets accepted ones finish within `drain_ms`.
    ///
    /// # Errors
    /// [`ServerError`] if it cannot go on.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServerError> {
        shutdown.await;
        drop(self.listener);
        Ok(())
    }
}
