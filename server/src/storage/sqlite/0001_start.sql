-- The server's database, version 1. Applied once, in one transaction, with user_version and application_id.
-- docs/server.md says what it promises; each table below says why it is laid out so.

-- What is true of the whole file. Written at the first start; `schema` again whenever it grows.
--   history  16 bytes  half of the epoch; the other half lives beside the database, outside its backups
--   schema   text      canonical JSON of the schema served last
CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

-- The head row of each tenant. Every push locks it before it reads a row, and moves it last.
CREATE TABLE tenants (
  t       INTEGER PRIMARY KEY,                 -- the tenant's number: keys everything else
  name    TEXT    NOT NULL UNIQUE,             -- the token's `tenant`
  n       INTEGER NOT NULL,                    -- last commit number
  chain   BLOB    NOT NULL,                    -- H_n
  hlc     INTEGER NOT NULL,                    -- the tenant's clock, as 64 bits
  ms      INTEGER NOT NULL,                    -- wall time of the last commit, never falling
  horizon INTEGER NOT NULL,                    -- oldest commit a cursor may stand at
  stable  INTEGER NOT NULL                     -- a commit known to be stable; where the search for the newest starts
) STRICT;

-- Every device in each of its incarnations, for ever: a forgotten one could push its groups twice.
CREATE TABLE devices (
  d           INTEGER PRIMARY KEY,             -- its number
  t           INTEGER NOT NULL,                -- its tenant
  device      BLOB    NOT NULL,
  incarnation BLOB    NOT NULL,
  pruned_seq  INTEGER NOT NULL,                -- up to this seq, gids may have been forgotten
  UNIQUE (t, device, incarnation)
) STRICT;

-- Which seqs of a device were decided at which commit, as runs of neighbours. The last run ends at the last seq.
CREATE TABLE runs (
  d      INTEGER NOT NULL,
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL,
  at     INTEGER,                              -- commit that decided `first`; NULL while not decided
  rising INTEGER NOT NULL,                     -- 1: each next seq one commit later; 0: all at the same
  before INTEGER,                              -- latest decision before `first`; NULL if one is missing
  PRIMARY KEY (d, first)
) STRICT, WITHOUT ROWID;

-- The group log: append-only, one row per accepted group, read in order by pulls. The key is t * 2^40 + n, which
-- keeps a tenant's commits side by side in a tree of small keys.
CREATE TABLE log (
  at    INTEGER PRIMARY KEY,
  gid   BLOB    NOT NULL,
  d     INTEGER NOT NULL,                      -- who sent it
  seq   INTEGER NOT NULL,                      -- with which seq
  hlc   INTEGER NOT NULL,                      -- the clock it was given
  ms    INTEGER NOT NULL,                      -- wall time of the commit, never falling
  flags INTEGER NOT NULL,                      -- 1: merged with changes its writer had not seen; 2: took effect as sent
  count INTEGER NOT NULL,                      -- how many rows it touched
  parts INTEGER NOT NULL,                      -- how many parts its rows are stored in, if they do not fit a page; else 0
  chain BLOB    NOT NULL,                      -- H_n
  hash  BLOB    NOT NULL,                      -- SHA-256 of its payload
  rows  TEXT,                                  -- the rows after it, ready for a page; NULL: in parts, or the ops say them
  ops   TEXT    NOT NULL                       -- canonical JSON of its ops
) STRICT;

-- The rows after a commit that does not fit a page, cut into pages.
CREATE TABLE parts (
  at   INTEGER NOT NULL,                       -- as in the log
  i    INTEGER NOT NULL,                       -- from 1
  rows TEXT    NOT NULL,
  PRIMARY KEY (at, i)
) STRICT, WITHOUT ROWID;

-- What was said of each group. Of groups in the log only the commit number; the rest stands there.
CREATE TABLE gids (
  t       INTEGER NOT NULL,
  gid     BLOB    NOT NULL,
  n       INTEGER NOT NULL,                    -- commit that made it, or the head when it was decided
  outcome INTEGER,                             -- NULL: in the log at n
  hash    BLOB,                                -- NULL: in the log, or named by another group and never seen
  d       INTEGER,                             -- who sent it last, if it came and is not in the log
  seq     INTEGER,
  detail  TEXT,                                -- code, fields, by, explain of the verdict, as JSON
  PRIMARY KEY (t, gid)
) STRICT, WITHOUT ROWID;

-- The current rows and their tombstones. A tombstone keeps the last image.
CREATE TABLE rows (
  r       INTEGER PRIMARY KEY,
  t       INTEGER NOT NULL,
  tbl     TEXT    NOT NULL,
  id      TEXT    NOT NULL,
  born    INTEGER NOT NULL,                    -- commit of its create, in its present life
  version INTEGER NOT NULL,                    -- commit that wrote it last
  cause   INTEGER,                             -- why it is gone; NULL: it is there
  gone    BLOB,                                -- the stamp of the change that took it away
  stamps  BLOB    NOT NULL,                    -- a stamp per field, packed
  fields  TEXT    NOT NULL                     -- canonical JSON of every field ever written
) STRICT;
CREATE UNIQUE INDEX rows_by_id ON rows (t, tbl, id);
