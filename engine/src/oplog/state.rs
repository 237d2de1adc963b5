//! The states of a group in the client's log. `docs/sync-states.md` shows who moves what.

/// Where a group stands. The numbers are those of the database.
///
/// Two facts are kept apart (rule 10): whether the server has decided the group, and whether its
/// ops are still folded over the base of their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum GroupState {
    /// Written here, never sealed.
    New = 0,
    /// Sealed: it has a seq and its body is frozen. It may or may not have left the device.
    Sent = 1,
    /// The server accepted it; the cursor has not passed its commit.
    Decided = 2,
    /// The server accepted it and the base contains it.
    Gone = 3,
    /// Refused or replaced, for good.
    Dead = 4,
    /// Given up here; its void has not been confirmed.
    Voiding = 5,
    /// Held back, because it builds on something that was refused.
    Parked = 6,
    /// The cursor has passed it and the base contains what became of it, but its verdict was never heard:
    /// it is sent again to hear it.
    Unheard = 7,
    /// Held back after it was sent: as `Parked`, in its old place in the fold, but its void has not been confirmed.
    Held = 8,
}

impl GroupState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::New,
        Self::Sent,
        Self::Decided,
        Self::Gone,
        Self::Dead,
        Self::Voiding,
        Self::Parked,
        Self::Unheard,
        Self::Held,
    ];

    /// Reads the number the database holds.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// The number the database holds.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// Whether its ops are folded over the base of their rows.
    #[must_use]
    pub const fn in_fold(self) -> bool {
        matches!(self, Self::New | Self::Sent | Self::Decided | Self::Parked | Self::Held)
    }

    /// Whether the base contains what became of it, as far as this device knows.
    #[must_use]
    pub const fn is_contained(self) -> bool {
        matches!(self, Self::Gone | Self::Unheard)
    }

    /// Whether a person's change is still waiting for the server's word.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::New | Self::Sent | Self::Parked | Self::Unheard | Self::Held)
    }

    /// Whether it was sent and is given up: what is sent of it is a void.
    #[must_use]
    pub const fn is_void(self) -> bool {
        matches!(self, Self::Voiding | Self::Held)
    }

    /// Whether it waits, held back, for something that was refused.
    #[must_use]
    pub const fn is_held_back(self) -> bool {
        matches!(self, Self::Parked | Self::Held)
    }

    /// Whether it was sealed and must be sent (again) until a terminal verdict comes.
    #[must_use]
    pub const fn is_resent(self) -> bool {
        matches!(self, Self::Sent | Self::Unheard) || self.is_void()
    }
}
