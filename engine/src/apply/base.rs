//! The last confirmed copy of a row, and what a server's word does to it.

use turnstone_protocol::merge;
use turnstone_protocol::op::{Op, OpKind};
use turnstone_protocol::schema::{DeletePolicy, Table};
use turnstone_protocol::value::Fields;

/// The last confirmed copy of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// The commit it stands for; 0: the server never had the row, as far as this device knows.
    pub version: u64,
    /// The row at that commit.
    pub standing: Standing,
}

/// Whether a row is there.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It is, with these fields.
    Live(Fields),
    /// It is not. A tombstone keeps the last image for as long as ops pend, because an edit may bring it back.
    Gone {
        /// The last image.
        last: Option<Fields>,
    },
}

impl Base {
    /// The base of a row the server never had.
    #[must_use]
    pub const fn never() -> Self {
        Self { version: 0, standing: Standing::Gone { last: None } }
    }

    /// Takes the row of a page, or its tombstone. A base never moves to a smaller version (rule 11).
    pub fn receive(&mut self, version: u64, row: Option<Fields>) -> bool {
        if version <= self.version {
            return false;
        }
        self.replace(version, row);
        true
    }

    /// Takes the row of another history, whose versions cannot be compared with this one's.
    pub fn replace(&mut self, version: u64, row: Option<Fields>) {
        self.version = version;
        self.standing = match row {
            Some(fields) => Standing::Live(fields),
            None => Standing::Gone { last: self.take_image() },
        };
    }

    /// Takes an op that had its full effect in commit `version`.
    pub fn promote(&mut self, version: u64, table: &Table, op: &Op) -> bool {
        if version < self.version {
            return false;
        }
        self.version = version;
        let standing = std::mem::replace(&mut self.standing, Standing::Gone { last: None });
        self.standing = step(table, standing, op);
        true
    }

    /// The row as a person sees it: the base with `ops` folded over it, oldest first.
    #[must_use]
    pub fn fold<'a>(&self, table: &Table, ops: impl IntoIterator<Item = &'a Op>) -> Option<Fields> {
        self.clone().into_fold(table, ops)
    }

    /// The same, where the base itself is not needed any more.
    #[must_use]
    pub fn into_fold<'a>(self, table: &Table, ops: impl IntoIterator<Item = &'a Op>) -> Option<Fields> {
        ops.into_iter().fold(self.standing, |standing, op| step(table, standing, op)).into_fields()
    }

    fn take_image(&mut self) -> Option<Fields> {
        match std::mem::replace(&mut self.standing, Standing::Gone { last: None }) {
            Standing::Live(fields) => Some(fields),
            Standing::Gone { last } => last,
        }
    }
}

impl Standing {
    /// The fields of a row that is there.
    #[must_use]
    pub fn into_fields(self) -> Option<Fields> {
        match self {
            Self::Live(fields) => Some(fields),
            Self::Gone { .. } => None,
        }
    }

    /// The fields of a row that is there.
    #[must_use]
    pub const fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Live(fields) => Some(fields),
            Self::Gone { .. } => None,
        }
    }
}

/// One op over one standing. Where edits win, an update finds the row in its tombstone (rule 9).
fn step(table: &Table, standing: Standing, op: &Op) -> Standing {
    let (present, last) = match standing {
        // A delete of this device saw the row: no earlier edit may bring it back.
        _ if op.kind == OpKind::Delete => return Standing::Gone { last: None },
        Standing::Live(fields) => (Some(fields), None),
        Standing::Gone { last } if op.kind == OpKind::Update && table.delete == DeletePolicy::EditWins => (last, None),
        Standing::Gone { last } => (None, last),
    };
    match merge::fold(table, present, op) {
        Some(fields) => Standing::Live(fields),
        None => Standing::Gone { last },
    }
}
