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

pub use clock::Clock;
pub use config::{Config, Limits};
pub use key::Key;
pub use serve::{Server, ServerError};
pub use service::{Principal, Service};
