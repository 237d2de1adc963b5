//! The real server and real stores inside one process, for the tests of apps: no port, no thread of the server's own, and
//! nothing left behind. Requests and answers are those of the wire; only HTTP is left out.
//!
//! ```
//! use turnstone_testing::TestServer;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const SCHEMA: &str = r#"
//! name = "notes"
//! version = 1
//! [tables.notes]
//! fields.title = { type = "text", default = "" }
//! fields.views = { type = "integer", default = 0, merge = "counter" }
//! "#;
//!
//! let server = TestServer::start(SCHEMA)?;
//! let (phone, tablet) = (server.device()?, server.device()?);
//!
//! // In a tunnel a write is there at once, and travels later.
//! phone.link.set_up(false);
//! let id = phone.store.write(|tx| tx.insert("notes", [("title", "Milk")]))?;
//! assert!(phone.store.sync_blocking().is_err());
//! phone.link.set_up(true);
//!
//! // The server has it, the answer is lost: nothing is doubled.
//! phone.link.lose_answers(1);
//! server.settle([&phone, &tablet])?;
//! assert_eq!(tablet.store.query("SELECT title FROM notes", &[])?.rows.len(), 1);
//! assert_eq!(tablet.store.state_hash()?.hash, server.state_hash()?);
//! # Ok(())
//! # }
//! ```
//!
//! Time is an argument: [`TestServer::start_at`] takes a clock that a test moves, and every device of that server has it, unless
//! [`TestServer::device_with`] gives it another one. For a network that misbehaves by a seed, wrap [`TestServer::transport`] in
//! [`FaultyTransport`].

mod device;
mod server;

pub use device::{Link, TestDevice};
pub use server::TestServer;
pub use turnstone::testing::{Fault, FaultyTransport};

/// Why a test could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// A store refused.
    #[error(transparent)]
    Store(#[from] turnstone::Error),
    /// The schema does not read.
    #[error("the schema of the test: {0}")]
    Schema(#[from] turnstone_protocol::schema::SchemaError),
    /// The server refused.
    #[error("the test's server: {0}")]
    Server(String),
    /// A folder of the test could not be made, or a file in it not be read.
    #[error("a folder of the test: {0}")]
    Folder(#[from] std::io::Error),
}
