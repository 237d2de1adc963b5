//! The words of the schema document: one table per enum, read in both directions.

use super::model::{CreatePolicy, DeletePolicy, Kind, Policy, RowMerge};

macro_rules! words {
    ($type:ident: $($variant:ident = $word:literal),+ $(,)?) => {
        impl $type {
            /// Every word, in the order documents list them.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as the schema document writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Reads the word of the schema document.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

words!(Kind: Text = "text", Integer = "integer", Real = "real", Boolean = "boolean", Bytes = "bytes",
    Timestamp = "timestamp", Json = "json");
words!(Policy: Lww = "lww", Server = "server", Client = "client", Max = "max", Min = "min", Counter = "counter",
    Set = "set", Text = "text", TextCrdt = "text_crdt", Json = "json", Manual = "manual", Fork = "fork");
words!(DeletePolicy: DeleteWins = "delete_wins", EditWins = "edit_wins", Manual = "manual");
words!(CreatePolicy: Merge = "merge", Reject = "reject");
words!(RowMerge: Field = "field", Lww = "lww");
