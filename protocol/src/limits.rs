//! Minimum sizes every server accepts (rule 18 of `docs/protocol.md`).
//!
//! A client checks them before COMMIT, so that nothing it acknowledged is refused for its size later.

/// The largest value of one field, in bytes of its UTF-8 or raw form, unless configured otherwise.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// The largest value any configuration may allow.
pub const VALUE_BYTES_CEILING: usize = 10 << 20;
/// The largest row, in bytes of the canonical text of its fields.
pub const ROW_BYTES_MAX: usize = 16 << 20;
/// The most ops in one group.
pub const GROUP_OPS_MAX: usize = 10_000;
/// The largest group, in bytes of its body as sent.
pub const GROUP_BYTES_MAX: usize = 16 << 20;
/// The largest request body as it travels.
pub const REQUEST_PACKED_BYTES_MAX: usize = 8 << 20;
/// The largest request body once expanded.
pub const REQUEST_EXPANDED_BYTES_MAX: usize = 32 << 20;
/// The largest answer body a client accepts once expanded.
pub const ANSWER_EXPANDED_BYTES_MAX: usize = 32 << 20;
/// The most groups in one push.
pub const PUSH_GROUPS_MAX: usize = 1_000;
/// The most rows in one pull page; a larger group travels in parts.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// The most bytes of rows in one pull page, except that one row always fits.
pub const PAGE_BYTES_MAX: usize = 4 << 20;
/// The longest row id, in bytes.
pub const ID_BYTES_MAX: usize = 256;
/// The longest table or field name, in bytes.
pub const NAME_BYTES_MAX: usize = 63;
/// The most tables in a schema.
pub const TABLES_MAX: usize = 200;
/// The most fields in a table.
pub const FIELDS_MAX: usize = 200;
/// The most indexes in a table.
pub const INDEXES_MAX: usize = 64;
/// The largest schema document, in bytes.
pub const SCHEMA_BYTES_MAX: usize = 1 << 20;
/// The deepest nesting of a json value.
pub const JSON_DEPTH_MAX: usize = 64;
/// `was` values above this many bytes travel as a hash.
pub const WAS_BYTES_MAX: usize = 4 << 10;
/// The most gids in `after` or `covers`.
pub const GIDS_MAX: usize = 1_000;
/// The longest app version, in bytes.
pub const APP_BYTES_MAX: usize = 256;
/// The longest cursor, in bytes.
pub const CURSOR_BYTES_MAX: usize = 1_024;
/// The longest name of a principal, in bytes: it travels in a header.
pub const PRINCIPAL_BYTES_MAX: usize = 255;
/// The greatest seq, commit number and base: every reader's numbers carry them exactly.
pub const WIRE_INTEGER_MAX: u64 = (1 << 53) - 1;
