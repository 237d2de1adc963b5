//! Schema documents: one that reads says the same as TOML and as canonical JSON, and contradicts itself nowhere.

use turnstone_protocol::{Schema, schema};

pub(crate) fn schema(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for read in [Schema::parse(text), Schema::from_canonical_json(text)].into_iter().flatten() {
        // Places in the document are not part of what it says.
        let json = read.to_canonical_json();
        let toml = Schema::parse(&read.to_toml()).expect("its TOML reads");
        assert_eq!(toml.to_canonical_json(), json, "its TOML says something else");
        let again = Schema::from_canonical_json(&json).expect("its JSON reads");
        assert_eq!(again.to_canonical_json(), json, "its JSON says something else");
        assert_eq!(toml.hash(), read.hash());
        assert!(schema::changes(&read, &toml).expect("it contradicts itself").is_empty());
        let _ = read.check_supported();
    }
}
