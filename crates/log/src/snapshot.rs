//! What somebody keeps about the batches of a log, so that it need not be told all of them at every start.
//!
//! The `snapshot` file holds `magic 8 | offset 8 | content | CRC-32C 4`, sealed as a whole if the log is.

use std::fs;
use std::io::ErrorKind;

use schloss_wire::records::BatchHeader;

use crate::LogError;
use crate::files::{Survives, remove_if_there, replace};
use crate::segment::Home;

const FILE_NAME: &str = "snapshot";
const MAGIC: &[u8; 8] = b"SCHLSNP1";
/// What snapshots are sealed for.
const USE: &str = "log snapshot";
/// Largest snapshot, in bytes.
pub const MAX_SNAPSHOT_BYTES: usize = 64 * 1024 * 1024;

/// Who is told of the batches of a log when it is opened.
pub trait Replay {
    /// Takes over what [`Snapshots`] gave at some time: it stands for all batches before an offset. If this says
    /// false, nothing was taken over, and all batches follow.
    fn restore(&mut self, snapshot: &[u8]) -> bool;

    /// The next batch in the log: its header and all its bytes.
    fn batch(&mut self, header: &BatchHeader, batch: &[u8]);
}

/// Gives what there is to know now of all batches before an offset, and that offset, at most
/// [`MAX_SNAPSHOT_BYTES`]. It is asked now and then, from a thread that flushes and holds no lock of the log, and
/// when the log is closed. To be in step with appends it takes the lock that they are made under, and asks the
/// function that it is given for the end of the log then.
pub type Snapshots = dyn Fn(&dyn Fn() -> i64) -> (i64, Vec<u8>) + Send + Sync;

/// What was to be kept at some offset.
pub(crate) struct Snapshot {
    pub(crate) offset: i64,
    pub(crate) content: Vec<u8>,
}

impl Snapshot {
    pub(crate) fn store(&self, home: &Home, survives: Survives) -> Result<(), LogError> {
        if self.content.len() > MAX_SNAPSHOT_BYTES {
            let (bytes, limit) = (self.content.len() as u64, MAX_SNAPSHOT_BYTES as u64);
            return Err(LogError::TooLarge { bytes, limit });
        }
        let mut bytes = [MAGIC.as_slice(), &self.offset.to_be_bytes(), &self.content].concat();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        let stored = home.sealing.protect(USE, &home.identity.aad(), bytes)?;
        replace(&home.directory.join(FILE_NAME), &stored, survives)
    }

    /// The stored snapshot. `None` if there is none, or it is damaged, as a power cut may leave it.
    pub(crate) fn load(home: &Home) -> Result<Option<Self>, LogError> {
        let path = home.directory.join(FILE_NAME);
        let stored = match fs::metadata(&path) {
            Ok(facts) if facts.len() > 2 * MAX_SNAPSHOT_BYTES as u64 => return Ok(None),
            Ok(_) => fs::read(&path),
            Err(error) => Err(error),
        };
        let stored = match stored {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(LogError::io("read", &path))?,
        };
        let bytes = home.sealing.reveal(USE, &home.identity.aad(), stored).ok();
        let snapshot = bytes.and_then(|bytes| Self::parse(&bytes));
        if snapshot.is_none() {
            tracing::warn!(file = %path.display(), "the snapshot is damaged; all batches are read instead");
        }
        Ok(snapshot)
    }

    pub(crate) fn remove(home: &Home) -> Result<(), LogError> {
        remove_if_there(&home.directory.join(FILE_NAME)).map(|_| ())
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (bytes, crc) = bytes.split_last_chunk::<4>()?;
        let (offset, content) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
        (crc32c::crc32c(bytes).to_be_bytes() == *crc)
            .then(|| Self { offset: i64::from_be_bytes(*offset), content: content.to_vec() })
    }
}
