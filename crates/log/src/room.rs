//! Room that records leave to others: on a disk that they filled to its last byte nobody could delete anything.
//!
//! A topic's deletion is an entry of the metadata journal and a record of the audit log, and consumers commit what
//! they go on to read. So records are refused while little is left, and all else is written as long as it can be.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Disk, LogError};

/// One in so many bytes of a file system is left free by records,
const SHARE: u64 = 20;
/// but no more than this, in bytes.
const MAX_RESERVE_BYTES: u64 = 256 * 1024 * 1024;
/// After so many bytes of records, at most, the system is asked again how much is left.
const LOOK_AGAIN_BYTES: u64 = 16 * 1024 * 1024;

/// How much a file system holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Space {
    /// Bytes in all.
    pub total: u64,
    /// Bytes that this process may still use.
    pub available: u64,
}

/// What the records of all logs on one disk may take.
#[derive(Default)]
pub(crate) struct Room {
    /// Bytes that are known to be there.
    known: AtomicU64,
}

impl Room {
    /// Takes `bytes` for a log in `directory`.
    ///
    /// # Errors
    /// There is not so much; [`LogError::is_disk_full`] tells. Or the system's.
    pub(crate) fn take(&self, disk: &dyn Disk, directory: &Path, bytes: u64) -> Result<(), LogError> {
        let take = |known: u64| known.checked_sub(bytes);
        if self.known.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            return Ok(());
        }
        let space = disk.space(directory).map_err(LogError::io("look for room in", directory))?;
        let reserve = (space.total / SHARE).min(MAX_RESERVE_BYTES);
        let spare = space.available.saturating_sub(reserve);
        if bytes > spare {
            self.known.store(0, Ordering::Relaxed);
            let why = format!(
                "the disk is full: its last {} MiB are kept for metadata, offsets and the audit log",
                reserve >> 20
            );
            return Err(LogError::io("append to", directory)(io::Error::new(
                io::ErrorKind::StorageFull,
                why,
            )));
        }
        // Half of it, since others write too.
        self.known.store(((spare - bytes) / 2).min(LOOK_AGAIN_BYTES), Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::IoSlice;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// Of so many MiB, with so many left, both changed by the tests.
    #[derive(Default)]
    struct Stub {
        total: u64,
        available: AtomicU64,
        looks: AtomicUsize,
    }

    impl Disk for Stub {
        fn write(&self, _: &File, _: &[IoSlice<'_>], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn sync(&self, _: &File) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn truncate(&self, _: &File, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn space(&self, _: &Path) -> io::Result<Space> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            Ok(Space { total: self.total, available: self.available.load(Ordering::Relaxed) })
        }
    }

    fn take(room: &Room, stub: &Stub, bytes: u64) -> bool {
        match room.take(stub, Path::new("/"), bytes) {
            Ok(()) => {
                stub.available.fetch_sub(bytes, Ordering::Relaxed);
                true
            }
            Err(error) => {
                assert!(error.is_disk_full(), "{error}");
                false
            }
        }
    }

    #[test]
    fn records_stop_before_the_last_bytes_and_go_on_when_there_is_room_again() {
        let stub = Stub { total: 100 * MIB, available: (50 * MIB).into(), ..Stub::default() };
        let room = Room::default();
        let mut taken = 0;
        while take(&room, &stub, MIB / 4) {
            taken += MIB / 4;
        }
        assert_eq!(taken, 45 * MIB);
        assert!(!take(&room, &stub, 1));
        stub.available.fetch_add(MIB, Ordering::Relaxed);
        assert!(take(&room, &stub, MIB) && !take(&room, &stub, 1));
    }

    #[test]
    fn a_large_disk_keeps_a_bound_and_is_not_asked_each_time() {
        let stub = Stub { total: 1 << 44, available: (1 << 43).into(), ..Stub::default() };
        let room = Room::default();
        for _ in 0..1_000 {
            assert!(take(&room, &stub, MIB));
        }
        assert!(stub.looks.load(Ordering::Relaxed) < 100);
        let (stub, room) = (Stub { available: (MAX_RESERVE_BYTES + MIB).into(), ..stub }, Room::default());
        assert!(take(&room, &stub, MIB) && !take(&room, &stub, 1));
    }
}
