//! Planted bugs: small wrong changes that the simulator must find (`docs/reliability.md`).
//!
//! Without the feature `planted-bugs` nothing here can be switched on and every hook compiles to nothing. Only
//! `tests/simulation` asks for the feature, and only in its calibration build.
//!
//! Two classes of mistakes wait for what they are mistakes of: *coalescing into a sent op* (rule 13: nothing is
//! coalesced yet) and *a purge resurrects a row* (no tombstone is purged yet). Whoever builds these plants the bug with it.

macro_rules! bugs {
    ($($name:ident: $what:literal,)*) => {
        /// What can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Bug {
            $(#[doc = $what] $name,)*
        }

        impl Bug {
            /// Every bug, with what it does.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $what),)*];
        }
    };
}

bugs! {
    RowAndOpApart: "a row and its op are written in two transactions",
    KeyBeforeOps: "a write id is written down before what it stands for",
    WriteIdForgotten: "a write id that was used is not recognised",
    DeviceDoesNotSync: "a device's commit does not wait for the disk",
    ServerDoesNotSync: "the server's commit does not wait for the disk",
    CaptureListens: "an SQL update makes ops of what it did not change",
    NoDedupe: "the server decides a known group again",
    VerdictNotStored: "the server does not store which group made a commit",
    HighWaterMark: "the server takes any seq up to the last one for a repetition",
    IdentityKept: "a restored or forked device goes on under its old incarnation",
    HeadBeforeLock: "the server reads the head of a tenant before it has the lock",
    CursorBeforeData: "the cursor is committed before the rows of its page",
    CommitSkipped: "a page's cursor stands at the head, whatever the page holds",
    WrongTenant: "a page reads on into the next tenant",
    GroupCutByPage: "the parts of a group show as they come",
    PullOverwritesPending: "a page writes over rows with pending changes",
    FoldedTwice: "an op stays in the fold after the base contains it",
    AckEndsFold: "an op leaves the fold with its verdict",
    AckClearsAll: "an acknowledgement clears everything that was sent",
    AckedAtHead: "a page acknowledges what is decided after its end",
    UnheardIsDone: "a group that was passed without a verdict is not asked after",
    BaseDroppedWhenSent: "the copy of a base is dropped when its op is sent",
    SealedAgain: "a group is stamped anew each time it is sent",
    DeviceWallClock: "a device stamps by its wall clock",
    OneFailureEndsRetries: "after a failure nothing is tried again",
    WakeLost: "a write made while a push is under way wakes nobody",
    StatusMiscounts: "decided groups are not counted out of the pending ones",
    AgeForgotten: "nobody is told the age of what was written since the last sync",
    LetterNotCounted: "a status tells of no dead letters",
    DoneTooSoon: "a run in the background whose time is up says that everything is done",
    BackoffUnbounded: "after failures a device waits longer and longer",
    RetryAfterIgnored: "a server that asks for patience is tried again like one that failed",
    SyncWaitsItsTurn: "a sync that is asked for waits like one that is not",
    HeldBackForgotten: "of what builds on something refused only the first write is held back, others are given up",
    HeldBackTooMuch: "a refusal holds back everything that was written since",
    NothingForgotten: "a device keeps what it sent for ever",
    RepeatsForgotten: "what a copy of a device had sent first is not seen by what the device sends after it",
    StagedKept: "what was staged of a page stays in the file",
    PageKept: "every page stays in the file as it came",
    AskedAgain: "the next page is asked for while it is under way",
    RowsTakenFirst: "the rows of a page are taken away in a transaction of their own before they are written",
    LateEditClearsDelete: "a late edit brings a row back where deletes win",
    DeleteOverUnseen: "a delete takes away what its writer had not seen where edits win",
    RecreatedKeepsImage: "a row made again keeps fields of its earlier life",
    OlderLifeMerged: "an edit of an earlier life is merged into the present one",
    JoinedForgotten: "the second of two creates counts as not having seen the first",
    CreateOverwrites: "a create over a live row replaces it",
    TieByArrival: "of two writes the one that arrives later wins",
    WholeRowByArrival: "of two writes of a row that is merged whole the one that arrives later wins",
    WasDecides: "a write wins if it had seen the value that is there",
    EqualKeepsStamp: "an equal value does not raise the stamp",
    ClockUnbounded: "the server takes any clock a device says",
    FloorForgotten: "an edit may be dated before what it had seen",
    CounterOverwrites: "an amount replaces a count its writer had not seen",
    AsSentWrong: "a field that lost is told as if it had won",
    LostNotKept: "what lost to a delete becomes no dead letter",
    PoisonNotIsolated: "the first group of a refused batch is taken for the one to blame",
    PoisonLeavesHole: "a group that is set aside does not use up its seq",
    RetryAsItWas: "a dead letter is sent again on the base it was refused on",
    ForgottenNotResent: "what a restored server forgot is not sent again",
    EpochReused: "a server that was given a new epoch goes on under its old one",
    RetryLeavesRest: "a dead letter is sent again without what was held back for it",
}

/// What only two requests at once can show. The search has one thread; `server/tests/planted.rs` has more.
pub const THREADED: &[Bug] = &[Bug::HeadBeforeLock];

/// Whether any bug can be planted in this build.
pub const POSSIBLE: bool = cfg!(feature = "planted-bugs");

#[cfg(feature = "planted-bugs")]
mod switch {
    use std::sync::atomic::{AtomicU8, Ordering};

    const NONE: u8 = u8::MAX;
    static ON: AtomicU8 = AtomicU8::new(NONE);

    /// Plants one bug, in place of the one before; none: takes it out.
    pub fn set(bug: Option<super::Bug>) {
        ON.store(bug.map_or(NONE, |bug| bug as u8), Ordering::Relaxed);
    }

    /// Whether this bug is planted.
    #[must_use]
    pub fn on(bug: super::Bug) -> bool {
        ON.load(Ordering::Relaxed) == bug as u8
    }
}
#[cfg(feature = "planted-bugs")]
pub use switch::{on, set};

/// Whether this bug is planted: never, in this build.
#[cfg(not(feature = "planted-bugs"))]
#[must_use]
pub const fn on(_: Bug) -> bool {
    false
}

#[cfg(not(feature = "planted-bugs"))]
const _: () = assert!(!on(Bug::NoDedupe), "known when it is compiled, so that the hooks are left out");
