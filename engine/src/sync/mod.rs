//! The sync state machine (being written).
