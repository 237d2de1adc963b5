//! `crash`: the loops, for as long as there is time.
fn main() {}
