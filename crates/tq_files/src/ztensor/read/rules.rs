//! Where the bytes of parts may lie.

use crate::ContainerError;
use crate::ztensor::model::{Object, Part};
use crate::ztensor::names::check_name;

/// The rules of a generation.
#[derive(Debug, Clone, Copy)]
pub(in crate::ztensor) struct Rules {
    /// Offsets are multiples of it, and not zero.
    pub(in crate::ztensor) align: u64,
    /// Where the last byte of a part ends at the latest.
    pub(in crate::ztensor) end: u64,
    /// Offset and length of a directory that lies among the parts.
    pub(in crate::ztensor) directory: Option<(u64, u64)>,
    /// Whether two parts may share all their bytes.
    pub(in crate::ztensor) sharing: bool,
}

impl Rules {
    /// Checks the place of one part.
    pub(in crate::ztensor) fn check(&self, part: &Part) -> Result<(), ContainerError> {
        let &Part { offset, length, .. } = part;
        if offset == 0 || !offset.is_multiple_of(self.align) {
            let align = self.align;
            return Err(part
                .label
                .malformed(format!("its offset {offset} is not a multiple of {align} above 0")));
        }
        match offset.checked_add(length) {
            Some(end) if end <= self.end => Ok(()),
            _ => Err(part.label.malformed(format!(
                "its {length} bytes at offset {offset} go beyond the data, which end at {}",
                self.end
            ))),
        }
    }

    /// Checks that no two parts overlap that lie in the same file. Empty ones don't.
    pub(in crate::ztensor) fn check_disjoint<'p>(
        &self,
        parts: impl Iterator<Item = &'p Part>,
    ) -> Result<(), ContainerError> {
        let places = parts.map(|part| (part.shard.as_deref(), part.offset, part.length, Some(&part.label)));
        let directory = self.directory.map(|(offset, length)| (None, offset, length, None));
        let mut places: Vec<_> = places.chain(directory).filter(|place| place.2 > 0).collect();
        places.sort_unstable_by_key(|place| (place.0, place.1, place.2));
        if self.sharing {
            places.dedup_by_key(|place| (place.0, place.1, place.2));
        }
        for pair in places.windows(2) {
            let [(shard, offset, length, one), (other_shard, next, _, other)] = pair else { continue };
            if shard == other_shard && offset.saturating_add(*length) > *next {
                let name = |label: &Option<_>| label.map_or("the directory".into(), ToString::to_string);
                let (one, other) = (name(one), name(other));
                return Err(ContainerError::Malformed(format!("{one} and {other} overlap at offset {next}")));
            }
        }
        Ok(())
    }
}

/// Checks each tensor, and that none overlap. Where parts lie in other files is checked by who knows these.
pub(in crate::ztensor) fn check(objects: &mut [Object], rules: &Rules) -> Result<(), ContainerError> {
    for object in objects.iter_mut() {
        check_name(&object.name)?;
        let mut here = object.parts.iter().filter(|part| part.shard.is_none());
        here.try_for_each(|part| rules.check(part))?;
        object.check()?;
    }
    rules.check_disjoint(objects.iter().flat_map(|object| &object.parts))
}
