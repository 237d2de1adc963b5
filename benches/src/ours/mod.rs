//! The same work through Turnstone's public API.

use crate::Result;
use crate::scenario::Bed;

macro_rules! stubs {
    ($($module:ident: $($name:ident($($arg:ident: $type:ty),*) -> $out:ty),*;)*) => {
        $(pub(crate) mod $module {
            use super::*;
            $(pub(crate) fn $name(_bed: &Bed $(, $arg: $type)*) -> Result<$out> {
                $(let _ = $arg;)*
                Ok(Default::default())
            })*
        })*
    };
}
use crate::limit::database::Durability;
use crate::sample::Sample;
stubs! {
    w1: create(d: Durability) -> Sample, group(n: usize) -> Sample, batch() -> Sample, update() -> Sample, sql() -> Sample;
    w2: get() -> Sample, query() -> Sample, scan() -> Sample;
    w3: pages(n: usize) -> Sample, prepare_server(n: usize) -> ();
    w4: backlog() -> Sample, tenth() -> Sample, prepare() -> (), prepare_linear() -> ();
    w5: incremental() -> Sample, prepare() -> ();
    w6: server() -> Sample, client() -> Sample, prepare() -> ();
    w7: open() -> Sample, prepare() -> ();
    w8: pushes(n: usize) -> Sample;
    scale: prepare_pending() -> (), prepare_rows() -> (), create_empty() -> Sample, create_after_pending() -> Sample,
      create(n: usize) -> Sample, update(n: usize) -> Sample, get(n: usize) -> Sample, query(n: usize) -> Sample;
}
pub(crate) fn prepare_synced(_bed: &Bed) -> Result<()> {
    Ok(())
}
