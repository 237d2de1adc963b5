//! `turnstone demo`: one person, five devices, a bad network, real notes. At the end everything is equal.
//!
//! [`source`] reads or makes a history, [`deal`] hands it out to devices, [`oracle`] works out from the deal
//! alone what must be true at the end. [`stage`] holds the processes ([`child`]) and their links, [`play`] runs it
//! all, [`report`] is the result as data, [`story`] and [`moments`] tell it.

pub mod child;
pub mod deal;
pub mod ledger;
pub mod moments;
pub mod oracle;
pub mod play;
pub mod report;
pub mod source;
pub mod stage;
pub mod story;
