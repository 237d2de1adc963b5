//! Rows changed on both sides, in different fields.
use crate::Result;
use crate::sample::Sample;
use crate::scenario::Bed;
pub(crate) fn prepare(_: &Bed) -> Result<()> {
    Ok(())
}
pub(crate) fn server(_: &Bed) -> Result<Sample> {
    Ok(Sample::default())
}
pub(crate) fn client(_: &Bed) -> Result<Sample> {
    Ok(Sample::default())
}
