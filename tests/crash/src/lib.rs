//! Power loss, kills, I/O errors and full disks at every step of Turnstone's client and server.
//!
//! A [`scenario::Scenario`] is a workload of acknowledged actions on machines whose disks live in
//! `turnstone_vfs`. [`power`] and [`faults`] run it through accidents and compare with an undisturbed run;
//! [`report`] says what came out. The tests run a bounded share; the `crash` program as much as it has time for.

pub mod dump;
mod examine;
pub mod faults;
mod judge;
pub mod link;
pub mod power;
pub mod report;
pub mod scenario;
pub mod scenarios;
pub mod time;
