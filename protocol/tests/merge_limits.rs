//! Sizes merge watches, and what cannot be said in JSON vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use turnstone_protocol::limits::{FIELDS_MAX, ROW_BYTES_MAX, VALUE_BYTES_MAX};
use turnstone_protocol::merge::{self, Context, Stamp, Stamps};
use turnstone_protocol::schema::{Schema, Table};
use turnstone_protocol::{Code, Fields, Gid, Hlc, Op, OpKind, Value, canonical, hash};

fn op(kind: OpKind, set: Fields) -> Op {
    Op {
        kind,
        table: "t".to_owned(),
        id: "r".to_owned(),
        base: 0,
        set,
        inc: Default::default(),
        was: Fields::new(),
        was_hash: Default::default(),
    }
}

fn texts(count: usize, text: &str) -> Fields {
    (0..count).map(|at| (format!("f{at}"), Value::from(text))).collect()
}

fn create(table: &Table, set: Fields) -> Result<merge::Applied, merge::Refusal> {
    let op = merge::admit_op(table, op(OpKind::Create, set), VALUE_BYTES_MAX)?;
    let ctx = Context { table, gid: Gid([1; 16]), n: 0, hlc: Hlc(1), commit: 1, sees: &|_| false };
    merge::apply(None, &op, &ctx)
}

/// I-58: a row that would not fit into an answer is refused, measured as it travels.
#[test]
fn a_row_is_bounded_by_its_canonical_text() {
    let schema = Schema::builder(1).table("t", |table| table).build().unwrap();
    let table = schema.table("t").unwrap();
    let plain = "x".repeat(VALUE_BYTES_MAX);
    assert!(create(table, texts(15, &plain)).is_ok());
    assert_eq!(create(table, texts(16, &plain)).unwrap_err().code, Code::TooLarge);
    let escaped = "\u{1}".repeat(VALUE_BYTES_MAX);
    assert!(create(table, texts(2, &escaped)).is_ok());
    assert_eq!(create(table, texts(3, &escaped)).unwrap_err().code, Code::TooLarge);
    assert!(canonical::fields(&texts(2, &escaped)).len() <= ROW_BYTES_MAX);
}

#[test]
fn an_op_is_bounded_in_fields() {
    let schema = Schema::builder(1).table("t", |table| table).build().unwrap();
    let table = schema.table("t").unwrap();
    assert!(create(table, texts(FIELDS_MAX, "x")).is_ok());
    assert_eq!(create(table, texts(FIELDS_MAX + 1, "x")).unwrap_err().code, Code::InvalidValue);
}

/// -0.0 and 0.0 are one value, also where no text is compared.
#[test]
fn minus_zero_is_zero() {
    let schema = Schema::builder(1).table("t", |table| table.real("f0").default(0.0).end()).build().unwrap();
    let field = schema.table("t").unwrap().field("f0").unwrap();
    let Value::Real(real) = field.admit(Value::Real(-0.0)).unwrap() else { panic!("a real") };
    assert!(real.is_sign_positive());
    let unknown = Fields::from([("unknown".to_owned(), Value::Real(-0.0))]);
    let admitted = merge::admit_op(schema.table("t").unwrap(), op(OpKind::Create, unknown), VALUE_BYTES_MAX).unwrap();
    assert!(matches!(admitted.set.get("unknown"), Some(Value::Real(real)) if real.is_sign_positive()));
}

#[test]
fn values_from_an_app_are_refused_like_those_from_the_wire() {
    let schema = Schema::builder(1)
        .table("t", |table| table.real("r").nullable().end().json("j").nullable().end())
        .build()
        .unwrap();
    let table = schema.table("t").unwrap();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for field in ["r", "j", "unknown"] {
            let set = Fields::from([(field.to_owned(), Value::Real(bad))]);
            assert_eq!(create(table, set).unwrap_err().fields, [format!("t.{field}")]);
        }
    }
    for text in ["{", "\"a\\u0000\"", "[9007199254740993]", ""] {
        for field in ["j", "unknown"] {
            let set = Fields::from([(field.to_owned(), Value::Json(text.to_owned()))]);
            assert_eq!(create(table, set).unwrap_err().code, Code::InvalidValue, "{text}");
        }
    }
}

/// Members beyond the BMP sort by UTF-16 units in every object that is hashed.
#[test]
fn unknown_names_are_hashed_in_utf16_order() {
    let fields = Fields::from([("\u{ffee}".to_owned(), Value::Int(1)), ("\u{1f600}".to_owned(), Value::Int(2))]);
    assert_eq!(canonical::fields(&fields), "{\"\u{1f600}\":2,\"\u{ffee}\":1}");
}

/// Databases keep these bytes: a change of the form needs a new number in its first byte.
#[test]
fn the_stored_form_of_stamps_is_pinned() {
    let stamp = |byte: u8, commit: u64| Stamp { hlc: Hlc(u64::from(byte)), gid: Gid([byte; 16]), n: 300, commit };
    let stamps = Stamps {
        row: stamp(1, 5),
        joined: vec![stamp(2, 6)],
        except: [("ab".to_owned(), stamp(3, 1 << 40)), ("c".to_owned(), stamp(2, 6))].into(),
    };
    let one = |byte: &str, commit: &str| format!("00000000000000{byte}{}ac02{commit}", byte.repeat(16));
    let expected =
        format!("0103{}{}{}0101020261620201630 1", one("01", "05"), one("02", "06"), one("03", "808080808020"))
            .replace(' ', "");
    assert_eq!(hash::hex(&stamps.to_bytes()), expected);
    let mut longer = stamps.to_bytes();
    longer.push(0);
    assert_eq!(Stamps::from_bytes(&longer), None, "nothing may follow");
}

#[test]
fn hex_reads_only_its_own_form() {
    let hash = hash::sha256(b"x");
    assert_eq!(hash::from_hex(&hash::hex(&hash)), Some(hash));
    for bad in ["", "00", &"A".repeat(64), &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
        assert_eq!(hash::from_hex(bad), None);
    }
}
