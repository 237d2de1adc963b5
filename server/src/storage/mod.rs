//! What the rules stand on.
