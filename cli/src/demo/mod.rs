//! `turnstone demo`: one person, five devices, a bad network, real notes. At the end everything is equal.
//!
//! [`source`] reads or makes a history, [`deal`] hands it out to devices, [`oracle`] works out from the deal
//! alone what must be true at the end.

pub mod deal;
pub mod ledger;
pub mod oracle;
pub mod source;
