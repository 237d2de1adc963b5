use super::*;

#[test]
fn kotlin_wants_a_comment_on_what_others_see() {
    let good = r#"
/** A. */
public class A {
    /** B. */
    @JvmStatic
    public fun b(text: String = "{"): Int = 1
    internal fun c() {}
    public override fun toString(): String = ""
    override val d: Int = 1
    private class E { val f = 1 }
}
/** G. */
public enum class G {
    /** H. */
    H,

    /** I. */
    I(1);
    private fun j() { Other }
}
/**
 * K.
 *
 * @property l is there.
 */
public data class K(
    val l: Int,
    /** M. */
    val m: Int,
    private val n: Int,
    override val o: Int,
)
"#;
    assert_eq!(kotlin(good), Vec::<String>::new());
    for (from, to, line) in [
        ("    /** B. */\n", "", "5: public fun b"),
        ("    /** I. */\n", "", "17: I(1);"),
        ("    H,\n", "    H, Z,\n", "15: H, Z,"),
        (" * @property l is there.\n", "", "26: l"),
        ("    /** M. */\n", "", "28: m"),
        ("/** A. */\n", "", "2: public class A"),
    ] {
        let bad = kotlin(&good.replace(from, to));
        assert!(bad.len() == 1 && bad.iter().all(|found| found.starts_with(line)), "{line}: {bad:?}");
    }
    assert_eq!(kotlin("/** A. */\npublic enum class A { B, C }").len(), 1);
    let one_line = "/** A. */\npublic class A(public val b: Int, private val c: Int) : D";
    assert_eq!(kotlin(one_line), ["2: b"]);
}

#[test]
fn swift_wants_a_comment_on_what_others_see() {
    let good = r#"
/// A.
public struct A {
    /// B.
    @discardableResult
    public func b() -> Int { 1 }
    /// C.
    @MainActor public init() {}
    func d() { switch self { case .e: "}" } }
}
/// F.
public enum F {
    /// G.
    case g
    /// H.
    case h(String, text: String)
    var i: Int {
        switch self {
        case .g: 1
        }
    }
}
/// J.
public protocol J {
    /// K.
    func k()
}
extension A {
    enum L { case m, n }
}
"#;
    assert_eq!(swift(good), Vec::<String>::new());
    for (from, to, line) in [
        ("    /// B.\n", "", "5: public func b"),
        ("    /// C.\n", "", "7: public init"),
        ("    /// H.\n", "", "15: case h"),
        ("    case g\n", "    case g, z\n", "14: case g, z"),
        ("    /// K.\n", "", "25: func k"),
        ("/// J.\n", "", "23: public protocol J"),
    ] {
        let bad = swift(&good.replace(from, to));
        assert!(bad.len() == 1 && bad.iter().all(|found| found.starts_with(line)), "{line}: {bad:?}");
    }
}

#[test]
fn the_catalogue_names_what_is_declared() {
    let names: BTreeSet<&str> =
        declared("public final class A {\n    public func b(_ c: Int) {}\n    case d\n").collect();
    assert_eq!(unknown("# ``Turnstone``\n- ``A/b(_:)``\n- ``A/d``", &names), Vec::<&str>::new());
    assert_eq!(unknown("- ``A/gone``\n- ``Old``", &names), ["gone", "Old"]);
}
