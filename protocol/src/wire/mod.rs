//! Requests and answers under `/sync/v1`.

mod hello;
mod number;
mod pull;
mod push;
mod verdict;

pub use hello::HelloAnswer;
pub use pull::{Cause, Commit, Consistency, Part, PullAnswer, PullRequest, Row};
pub use push::{PullPart, PushAnswer, PushRequest, Run};
pub use verdict::{Explain, Kept, Outcome, Verdict};

/// The path prefix of every endpoint.
pub const PREFIX: &str = "/sync/v1";

/// The header in which a client names whose database it asks for, as [`HelloAnswer::principal`] said.
pub const PRINCIPAL: &str = "turnstone-principal";
