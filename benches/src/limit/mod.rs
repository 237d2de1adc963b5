//! The limits: the same work done by hand, as well as plain rusqlite and plain HTTP can do it.

pub(crate) mod database;
pub(crate) mod http;
