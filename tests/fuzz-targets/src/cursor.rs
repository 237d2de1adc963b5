//! Cursors: no text opens that was not sealed here for this holder (I-21).

use turnstone_protocol::Code;
use turnstone_server::Key;
use turnstone_server::cursor::{CursorKeys, Holder};

/// The key that the committed cursors were sealed with.
pub(crate) const KEY: [u8; 32] = [1; 32];

pub(crate) fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let keys = CursorKeys::new(&[Key::from_bytes(KEY).expect("a key")]);
    let mut opened = 0;
    for (tenant, scopes) in [("ann", ""), ("bob", ""), ("ann", "x")] {
        let holder = Holder { tenant, scopes };
        match keys.open(holder, text) {
            // Nobody can seal without the key: it is one of ours, letter by letter.
            Ok(cursor) => {
                assert_eq!(keys.seal(holder, &cursor).expect("it seals"), text);
                opened += 1;
            }
            Err(problem) => assert_eq!(problem.code, Code::CursorInvalid),
        }
    }
    assert!(opened <= 1, "a cursor opens for two holders");
}
