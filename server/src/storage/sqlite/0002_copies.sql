-- Version 2. Who sent a group that was in the log already, under another identity: a copy of a device, or a device that took
-- a new incarnation. What it sends after it has seen that group (docs/protocol.md, Seen).
CREATE TABLE repeated (
  at  INTEGER NOT NULL,                        -- as in the log
  d   INTEGER NOT NULL,                        -- who sent it again
  seq INTEGER NOT NULL,                        -- with which seq
  PRIMARY KEY (at, d)
) STRICT, WITHOUT ROWID;

-- SHA-256 of the ops of a group that came and is not in the log: a copy of its device sends them under another stamp.
ALTER TABLE gids ADD COLUMN ops BLOB;
