//! How much one push takes.

/// The room left in a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    groups_left: usize,
    bytes_left: usize,
    empty: bool,
}

impl Room {
    /// Room for so many groups and bytes of their bodies.
    #[must_use]
    pub const fn new(groups_max: usize, bytes_max: usize) -> Self {
        Self { groups_left: groups_max, bytes_left: bytes_max, empty: true }
    }

    /// Takes a group of `bytes` if it fits. The first one always does, so that a large one is not stuck for ever.
    pub const fn take(&mut self, bytes: usize) -> bool {
        if self.groups_left == 0 || (bytes > self.bytes_left && !self.empty) {
            return false;
        }
        self.empty = false;
        self.groups_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_always_fits_and_the_limits_hold_after_it() {
        let mut room = Room::new(3, 10);
        assert!(room.take(50));
        assert!(!room.take(1), "no bytes are left");

        let mut room = Room::new(2, 10);
        assert!(room.take(4) && room.take(6));
        assert!(!room.take(0), "no groups are left");
    }
}
