//! Turnstone's reference server: a generic row store behind `/sync/v1` that learns the schema it serves.
//!
//! Three layers, each of which can be read by itself: [`service`] holds the rules of the protocol and knows neither
//! HTTP nor SQL; [`storage`] is the trait the rules stand on, with SQLite inside; the rest is HTTP around them.
//! The service is synchronous and takes the time as an argument, so a test or a simulator drives it in process.

mod body;
mod budget;
mod clock;
pub mod config;
pub mod cursor;
mod http;
pub mod key;
mod problem;
mod routes;
mod serve;
pub mod service;
pub mod storage;
pub mod token;

/// Doors for the fuzzer into what has none.
#[doc(hidden)]
pub mod fuzzing {
    use turnstone_protocol::Problem;

    /// Unpacks a request body.
    ///
    /// # Errors
    /// A problem, as the client would get it.
    pub fn unpack(bytes: Vec<u8>, packing: &str, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        crate::body::unpack(bytes, packing, bytes_max)
    }
}

pub use clock::Clock;
pub use config::{Config, Limits};
pub use key::Key;
pub use serve::{Server, ServerError};
pub use service::{Principal, Service};
