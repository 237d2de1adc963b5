//! The server's edge: opens the store, listens, bounds connections, drains.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::clock::random_bytes;
use crate::config::Config;
use crate::http::{App, router};
use crate::service::{OpenError, Service, Settings};
use crate::storage::StorageError;
use crate::storage::sqlite::{SqliteOptions, SqliteStorage};

/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long a connection may be idle, or take for the head of a request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(75);
/// How long to wait after the system refused a connection (out of file handles).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    /// The database or the schema cannot be served.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// A server that listens and has not begun to answer.
pub struct Server {
    addr: SocketAddr,
    listener: TcpListener,
    router: Router,
    service: Arc<Service>,
    config: Config,
}

impl Server {
    /// Opens the database and listens on `addr` (port 0 takes a free one).
    ///
    /// # Errors
    /// [`ServerError`] says what to change.
    ///
    /// # Cancel safety
    /// A database that was opened is closed again.
    pub async fn bind(addr: SocketAddr, config: Config) -> Result<Self, ServerError> {
        let random = random_bytes();
        let service = Arc::new(open(config.clone(), random).await?);
        let failed = |source| ServerError::Bind { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let router = router(Arc::new(App::new(Arc::clone(&service), &config, random_bytes())));
        Ok(Self { addr, listener, router, service, config })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The service behind it, for calls in process.
    #[must_use]
    pub fn service(&self) -> Arc<Service> {
        Arc::clone(&self.service)
    }

    /// Answers requests until `shutdown` is ready; then takes no new ones and lets those it has finish, for at most
    /// `drain_ms`.
    ///
    /// # Errors
    /// None at present; the server survives whatever connections do.
    ///
    /// # Cancel safety
    /// Dropping the future stops listening; requests that are under way finish by themselves.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServerError> {
        let Self { addr, listener, router, service: _, config } = self;
        tracing::info!(%addr, "listening");
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(config.limits.connections_max));
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &places) => accepted,
                () = &mut shutdown => break,
            };
            if let Some((stream, place)) = accepted {
                answer(stream, router.clone(), &graceful, place);
            }
        }
        drop(listener);
        tracing::info!("draining");
        let drained = tokio::time::timeout(Duration::from_millis(config.drain_ms), graceful.shutdown()).await;
        tracing::info!(in_time = drained.is_ok(), "stopped");
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the server's edge: opening a database blocks")]
async fn open(config: Config, random: [u8; 32]) -> Result<Service, OpenError> {
    let opening = tokio::task::spawn_blocking(move || {
        let options =
            SqliteOptions { new_epoch: config.new_epoch, ..SqliteOptions::new(config.database.clone(), random) };
        let storage = SqliteStorage::open(&options)?;
        Service::open(Arc::new(storage), Settings::from(&config))
    });
    opening.await.unwrap_or(Err(OpenError::Storage(StorageError::GivenUp)))
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// Waits for a place, then for a connection.
#[expect(clippy::disallowed_methods, reason = "the server's edge: out of file handles, only time helps")]
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, Place)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Serves one connection in a task of its own.
#[expect(clippy::disallowed_methods, reason = "the server's edge: one task per connection")]
fn answer(stream: TcpStream, router: Router, graceful: &GracefulShutdown, place: Place) {
    // Answers are written whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        hyper::service::Service::call(&service, request.map(axum::body::Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // A connection that breaks is the client's to notice; what it asked for is stored or not, never half.
        let _ = connection.await;
        drop(place);
    });
}
