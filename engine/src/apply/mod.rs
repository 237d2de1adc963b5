//! What a pull page, a verdict or a refusal does to one row: pure, so that a test can print it.
