//! The `recovery-point` file: up to where a log is known to be on disk.

use std::path::Path;

use crate::files::Survives;
use crate::note::{self, Note};
use crate::{LogError, segment::Segment};

const FILE_NAME: &str = "recovery-point";
const FORMAT: &str = "schloss-recovery-point-1";

/// Everything before this place was flushed: damage there is an error, not a torn end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Checkpoint {
    /// Base offset of the segment.
    pub(crate) segment: i64,
    /// Bytes from the front of the segment, at the boundary of a batch.
    pub(crate) position: u64,
    /// Offset of the batch that begins there.
    pub(crate) offset: i64,
}

impl Checkpoint {
    /// The place at `position` of `segment`.
    pub(crate) fn new(segment: &Segment, position: u64, offset: i64) -> Self {
        Self { segment: segment.base_offset(), position, offset }
    }

    /// Stores the place. An older one that survives a power cut in its stead only means more to verify.
    pub(crate) fn store(&self, directory: &Path, survives: Survives) -> Result<(), LogError> {
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        let numbers = [self.segment, position, self.offset];
        note::store(&directory.join(FILE_NAME), FORMAT, numbers, survives)
    }

    /// The stored place. `None` if there is none, or it is damaged, as a power cut may leave it.
    pub(crate) fn load(directory: &Path) -> Result<Option<Self>, LogError> {
        let Note::Here([segment, position, offset]) = note::load(&directory.join(FILE_NAME), FORMAT)? else {
            return Ok(None);
        };
        Ok(u64::try_from(position).ok().map(|position| Self { segment, position, offset }))
    }
}
