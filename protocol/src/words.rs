//! Words that later versions may add to.

/// Words of a newer peer read as the word that is safe to act on, so that one new word never
/// makes a whole page or answer unreadable.
macro_rules! open_words {
    ($type:ident, otherwise $fallback:ident: $($word:literal = $variant:ident),+) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                Ok(match &*word {
                    $($word => Self::$variant,)+
                    _ => Self::$fallback,
                })
            }
        }
    };
}

pub(crate) use open_words;
