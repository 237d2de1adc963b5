//! Local writes that a sync waits for: a little, and not for ever.

use super::DEBOUNCE_TOTAL_MS_MAX;

/// Writes that wait for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Debounce {
    pub(super) until_ms: u64,
    latest_ms: u64,
}

impl Debounce {
    /// A write after those in `was`, if any.
    pub(super) fn after(was: Option<Self>, wait_ms: u64, now_ms: u64) -> Self {
        let latest_ms = was.map_or(now_ms.saturating_add(DEBOUNCE_TOTAL_MS_MAX), |was| was.latest_ms);
        Self { until_ms: now_ms.saturating_add(wait_ms).min(latest_ms), latest_ms }
    }
}
