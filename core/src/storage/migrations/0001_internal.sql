-- Internal tables of a Turnstone database, user_version 1.
--
-- Every table an app declares is an ordinary table beside these. `visible(row) = fold(ops of the
-- row in the fold, base(row))` holds after every transaction (DESIGN section 5, I-03).
--
-- Who writes: "storage" is core/src/storage (local writes), "sync" is core/src/sync (sealing,
-- verdicts, pages), each inside one write transaction. Apps may read these tables, never write them.

-- One value per key; `core/src/storage/meta.rs` lists every key, what it means and who writes it.
CREATE TABLE _ts_meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per time the database was opened. The newest is the lease: its number is the fencing
-- token, checked whenever somebody else wrote to the file. Written by storage.
CREATE TABLE _ts_sessions (
    session     INTEGER PRIMARY KEY,
    opened_wall INTEGER NOT NULL,          -- wall clock at open, ms since 1970
    boot        BLOB    NOT NULL,          -- boot id, 16 bytes
    schema      INTEGER NOT NULL,          -- schema version the app ran with
    app         TEXT,                      -- the app's own version
    closed_wall INTEGER                    -- wall clock at an orderly close; NULL: open, or killed
) STRICT;

-- The op log. Append-only; numbers are local order, contiguous, never reused. Written by storage,
-- deleted by sync once the server declared the group stable (the newest row always stays).
CREATE TABLE _ts_ops (
    op        INTEGER PRIMARY KEY,
    grp       INTEGER NOT NULL,            -- the local transaction it belongs to; contiguous from 1
    n         INTEGER NOT NULL,            -- position in its group, from 0
    tbl       TEXT    NOT NULL,
    row_id    TEXT    NOT NULL,
    prev      INTEGER,                     -- the row's newest op in the fold when this one was written
    body      TEXT    NOT NULL,            -- the op in canonical wire JSON, frozen when it was written
    undo      TEXT,                        -- local only: what `was` in the body does not hold (core/src/storage/image.rs)
    -- Facts of the whole group, on its first op only, so that a local write touches no second log page:
    gid       BLOB,                        -- idempotency key, 16 bytes
    wall      INTEGER,                     -- wall clock, ms since 1970
    boot_ms   INTEGER,                     -- ms since boot, counting sleep
    session   INTEGER,                     -- _ts_sessions: boot id, schema and app version
    hlc_floor INTEGER                      -- the greatest server HLC known then (bits of a u64)
) STRICT;

-- What became of a group. Rows are made in bulk, from the log, at the start of a system transaction:
-- a group without a row here was never sealed. State numbers are those of engine::oplog::GroupState.
CREATE TABLE _ts_groups (
    grp       INTEGER PRIMARY KEY,
    gid       BLOB    NOT NULL,
    state     INTEGER NOT NULL,            -- storage: 0 (new); then sync
    first_op  INTEGER NOT NULL,
    ops       INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,            -- bytes of its op bodies
    wall      INTEGER NOT NULL,
    boot      BLOB    NOT NULL,
    boot_ms   INTEGER NOT NULL,
    hlc_floor INTEGER NOT NULL,
    schema    INTEGER NOT NULL,
    app       TEXT,
    -- The rest is written by sync.
    seq       INTEGER,                     -- position in the incarnation, set when sealed
    hlc       INTEGER,                     -- stamp, set when sealed (bits of a u64)
    hash      BLOB,                        -- payload hash, set when sealed
    after     TEXT,                        -- JSON list of gids that must be applied first
    replaces  BLOB,                        -- gid of the sent group this one takes the place of
    commit_n  INTEGER,                     -- the commit that decided it
    verdict   TEXT,                        -- the server's word, as JSON
    attempts  INTEGER NOT NULL DEFAULT 0,
    error     TEXT                         -- code of the last refusal
) STRICT;
CREATE INDEX _ts_groups_seq ON _ts_groups (seq) WHERE seq IS NOT NULL;
-- Voiding, parked and held groups: none, in an ordinary life, and counted for every status.
CREATE INDEX _ts_groups_odd ON _ts_groups (state) WHERE state IN (5, 6, 8);

-- The base of a row with ops in the fold, where a page from the server changed it. Everywhere else the base
-- is the visible row with its ops undone. Written and removed by sync.
CREATE TABLE _ts_base (
    tbl    TEXT    NOT NULL,
    row_id TEXT    NOT NULL,
    v      INTEGER NOT NULL,               -- commit of that base
    gone   INTEGER NOT NULL DEFAULT 0,     -- 1: the server deleted the row
    image  TEXT,                           -- JSON object of its fields; NULL: there is no row
    PRIMARY KEY (tbl, row_id)
) STRICT, WITHOUT ROWID;

-- Rows that are not in their table although ops of theirs are in the fold: deleted here and not yet there,
-- or the reverse. Holds what the row itself would hold in `_p` and `_v`. Written by storage and sync.
CREATE TABLE _ts_absent (
    tbl    TEXT    NOT NULL,
    row_id TEXT    NOT NULL,
    p      INTEGER NOT NULL,               -- newest op in the fold
    v      INTEGER NOT NULL,               -- version of the base, 0: the server never had it
    PRIMARY KEY (tbl, row_id)
) STRICT, WITHOUT ROWID;

-- Refused changes, whole enough to be read, repaired and sent again without the log. Written by sync.
CREATE TABLE _ts_dead (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    gid      BLOB    NOT NULL,
    n        INTEGER,                      -- which op of the group; NULL: all of it
    code     TEXT    NOT NULL,
    fields   TEXT    NOT NULL,             -- JSON list of `table.field`
    body     TEXT    NOT NULL,             -- the group or op in wire JSON
    base     TEXT,                         -- what the server had, where known
    error    TEXT,
    attempts INTEGER NOT NULL,
    at_wall  INTEGER NOT NULL              -- ms since 1970
) STRICT;

-- Idempotency keys of local writes: a repeated key gives the first result (I-04). Written by storage.
CREATE TABLE _ts_write_ids (
    write_id TEXT NOT NULL PRIMARY KEY,
    gid      BLOB,                         -- NULL: the write changed nothing
    grp      INTEGER,
    result   TEXT                          -- what the writer wanted remembered
) STRICT, WITHOUT ROWID;

-- Parts of a commit that is larger than a page, until it is complete. Written and removed by sync.
CREATE TABLE _ts_stage (
    commit_n INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    body     TEXT    NOT NULL,             -- the part in wire JSON
    PRIMARY KEY (commit_n, part)
) STRICT, WITHOUT ROWID;

-- The feed read again from its beginning, until it was read to its end: the latest image of each row. Rows with
-- an empty table name are the gids of the groups it has shown. Written, published and emptied by sync.
CREATE TABLE _ts_resync (
    tbl    TEXT    NOT NULL,
    row_id TEXT    NOT NULL,
    v      INTEGER NOT NULL,
    gone   INTEGER NOT NULL,               -- 1: a tombstone
    image  TEXT,                           -- JSON object of its fields
    PRIMARY KEY (tbl, row_id)
) STRICT, WITHOUT ROWID;

-- Rows of tables this app does not know yet. Written by sync; storage moves them into the table
-- when the app learns it.
CREATE TABLE _ts_unknown (
    tbl    TEXT    NOT NULL,
    row_id TEXT    NOT NULL,
    v      INTEGER NOT NULL,
    image  TEXT    NOT NULL,               -- JSON object of its fields
    PRIMARY KEY (tbl, row_id)
) STRICT, WITHOUT ROWID;
