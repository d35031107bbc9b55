//! The `recovery-point` file: up to where a log is known to be on disk.

use std::fs;
use std::io;
use std::path::Path;

use crate::files::{Survives, replace};
use crate::{LogError, segment::Segment};

const FILE_NAME: &str = "recovery-point";
const FORMAT: &str = "schloss-recovery-point-1";
/// More than the line can have.
const MAX_FILE_BYTES: u64 = 256;

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
        let text = self.text();
        let line = format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes()));
        replace(&directory.join(FILE_NAME), line.as_bytes(), survives)
    }

    /// The stored place. `None` if there is none, or it is damaged, as a power cut may leave it.
    pub(crate) fn load(directory: &Path) -> Result<Option<Self>, LogError> {
        let path = directory.join(FILE_NAME);
        let read = fs::metadata(&path)
            .and_then(|facts| if facts.len() > MAX_FILE_BYTES { Ok(Vec::new()) } else { fs::read(&path) });
        match read {
            Ok(content) => Ok(std::str::from_utf8(&content).ok().and_then(Self::parse)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LogError::io("read", &path)(error)),
        }
    }

    fn text(&self) -> String {
        format!("{FORMAT} {} {} {}", self.segment, self.position, self.offset)
    }

    fn parse(line: &str) -> Option<Self> {
        let (text, crc) = line.strip_suffix('\n')?.rsplit_once(' ')?;
        if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(text.as_bytes()) {
            return None;
        }
        let mut words = text.split(' ');
        let format = words.next()?;
        let point = Self {
            segment: words.next()?.parse().ok()?,
            position: words.next()?.parse().ok()?,
            offset: words.next()?.parse().ok()?,
        };
        (format == FORMAT && words.next().is_none()).then_some(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_and_a_damaged_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Checkpoint::load(directory.path()).unwrap(), None);
        let point = Checkpoint { segment: 7, position: 4_096, offset: 12 };
        point.store(directory.path(), Survives::PowerCut).unwrap();
        assert_eq!(Checkpoint::load(directory.path()).unwrap(), Some(point));

        let path = directory.path().join(FILE_NAME);
        let good = fs::read(&path).unwrap();
        for index in 0..good.len() {
            let mut flipped = good.clone();
            flipped[index] ^= 1;
            fs::write(&path, &flipped).unwrap();
            assert_eq!(Checkpoint::load(directory.path()).unwrap(), None, "{index}");
            fs::write(&path, &good[..index]).unwrap();
            assert_eq!(Checkpoint::load(directory.path()).unwrap(), None, "{index}");
        }
    }
}
