//! How much to send at a time: shrinks to isolate one poison entry, grows back when it is found.
//!
//! A batch is always the first sendable entries in seq order, so bisecting needs no list of
//! suspects, only their number: after a failed batch of `n`, the poison is among the first `n`;
//! after a good half, among the `n / 2` that follow. Finding one among 1,000 takes ten requests.

/// Batches that must go through after a refusal before more bytes are tried again: a small backlog ends before that.
const PATIENCE_MIN: u32 = 12;
/// Batches that must go through before still more is tried, once more went through.
const PATIENCE_CLIMBING: u32 = 4;
/// The most of them: a limit of the server is met again that seldom.
const PATIENCE_MAX: u32 = 64;

/// The present size of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sizing {
    entries_max: usize,
    bytes_max: usize,
    bytes: usize,
    /// Batches that went through since `bytes` last changed, and after how many it grows again.
    good: u32,
    patience: u32,
    /// Whether `bytes` grew since a batch was last too large.
    grew: bool,
    /// The poison is among the next so many entries.
    suspects: Option<usize>,
    entries: usize,
}

impl Sizing {
    /// Starts at the full size.
    pub(super) const fn new(entries_max: usize, bytes_max: usize) -> Self {
        Self {
            entries_max,
            bytes_max,
            bytes: bytes_max,
            good: 0,
            patience: PATIENCE_MIN,
            grew: false,
            suspects: None,
            entries: entries_max,
        }
    }

    /// The most entries of the next batch.
    pub(super) const fn entries(&self) -> usize {
        self.entries
    }

    /// The most bytes of the next batch.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a poison entry is being looked for.
    pub(super) const fn is_searching(&self) -> bool {
        self.suspects.is_some()
    }

    /// A batch went through.
    pub(super) fn succeeded(&mut self, sent: usize) {
        self.good = self.good.saturating_add(1);
        let patience = if self.grew { PATIENCE_CLIMBING } else { self.patience };
        if self.bytes < self.bytes_max && self.good >= patience {
            self.bytes = self.bytes.saturating_mul(2).min(self.bytes_max);
            self.good = 0;
            self.grew = true;
            if self.bytes == self.bytes_max {
                self.patience = PATIENCE_MIN;
            }
        }
        match self.suspects.map(|suspects| suspects.saturating_sub(sent)) {
            None | Some(0) => self.found(),
            Some(left) => {
                self.suspects = Some(left);
                self.entries = halved(left);
            }
        }
    }

    /// A batch of so many entries failed for what is in it: try `1 / parts` of it next.
    pub(super) fn failed(&mut self, sent: usize, parts: usize) {
        self.suspects = Some(sent);
        self.entries = (sent / parts.max(2)).max(1);
    }

    /// A batch of so many bytes was too large for the server, and so will be others. What refused it may have been a
    /// proxy that is gone tomorrow, so more is tried again from time to time, and less often each time it fails.
    pub(super) fn too_large(&mut self, sent: usize, bytes: usize) {
        if std::mem::take(&mut self.grew) {
            self.patience = (self.patience * 2).min(PATIENCE_MAX);
        }
        self.good = 0;
        self.bytes = (bytes / 2).max(1);
        self.entries = halved(sent).min(self.entries_max);
        self.suspects = Some(self.entries);
    }

    /// The poison was found and set aside: full size again.
    pub(super) const fn found(&mut self) {
        self.suspects = None;
        self.entries = self.entries_max;
    }

    /// One entry at a time, as a probe.
    pub(super) const fn probe(&mut self) {
        self.suspects = Some(1);
        self.entries = 1;
    }
}

const fn halved(n: usize) -> usize {
    let half = n / 2;
    if half == 0 { 1 } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs batches against a server that fails any batch holding entry `poison`; returns the requests made.
    fn isolate(total: usize, poison: usize) -> usize {
        let mut sizing = Sizing::new(1_000, usize::MAX);
        let (mut done, mut requests) = (0, 0);
        while done < total {
            requests += 1;
            let sent = sizing.entries().min(total - done);
            let holds = (done..done + sent).contains(&poison);
            match (holds, sent) {
                (false, _) => {
                    sizing.succeeded(sent);
                    done += sent;
                }
                (true, 1) => {
                    sizing.found();
                    done += 1;
                }
                (true, _) => sizing.failed(sent, 2),
            }
            assert!(requests < 100, "did not end");
        }
        requests
    }

    #[test]
    fn one_poison_among_a_thousand_takes_about_ten_requests() {
        for poison in [0, 1, 333, 500, 700, 998, 999] {
            let requests = isolate(1_000, poison);
            assert!(requests <= 14, "{requests} requests for a poison at {poison}");
        }
    }

    #[test]
    fn without_a_poison_batches_stay_full() {
        assert_eq!(isolate(10_000, usize::MAX), 10);
    }

    #[test]
    fn a_failure_that_passes_grows_back_to_full_size() {
        let mut sizing = Sizing::new(1_000, 100);
        sizing.failed(800, 2);
        assert_eq!(sizing.entries(), 400);
        sizing.succeeded(400);
        assert_eq!(sizing.entries(), 200);
        sizing.succeeded(400);
        assert_eq!(sizing.entries(), 1_000);
    }

    #[test]
    fn a_size_the_server_refused_is_not_tried_again_at_once() {
        let mut sizing = Sizing::new(1_000, 4_000_000);
        sizing.too_large(900, 3_000_000);
        assert_eq!((sizing.entries(), sizing.bytes()), (450, 1_500_000));
        sizing.succeeded(450);
        assert_eq!((sizing.entries(), sizing.bytes()), (1_000, 1_500_000));
    }

    /// I-18: a passing 413 on tiny batches must not make every later batch tiny.
    #[test]
    fn the_size_grows_back_and_a_lasting_limit_is_met_ever_more_seldom() {
        let mut sizing = Sizing::new(1_000, 1 << 22);
        (0..30).for_each(|_| sizing.too_large(1, sizing.bytes()));
        assert_eq!(sizing.bytes(), 1);
        let pushes = (1..)
            .find(|_| {
                sizing.succeeded(1);
                sizing.bytes() == 1 << 22
            })
            .unwrap();
        assert!(pushes <= 100, "{pushes} pushes until full size");

        let (mut sizing, mut refused) = (Sizing::new(1_000, 1 << 22), 0);
        for _ in 0..1_000 {
            if sizing.bytes() > 1 << 20 {
                refused += 1;
                sizing.too_large(10, sizing.bytes());
            } else {
                sizing.succeeded(10);
            }
        }
        assert!(refused <= 24, "{refused} of 1000 refused");
    }
}
