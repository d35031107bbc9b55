//! The system calls whose failure has to be survived, behind a trait so that tests can make them fail.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;

use crate::Space;

/// What logs and journals ask of the disk while they run.
pub trait Disk: Send + Sync + 'static {
    /// Writes `buffers` at `position`; returns how many bytes were taken, as `pwritev(2)`.
    ///
    /// # Errors
    /// Those of the system, a full disk among them.
    fn write(&self, file: &File, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize>;

    /// Brings the data of `file` to the disk, as `fdatasync(2)`.
    ///
    /// # Errors
    /// Those of the system. What was not on disk before may be lost, and a later success proves nothing.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Cuts `file` to `length` bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn truncate(&self, file: &File, length: u64) -> io::Result<()>;

    /// How much the file system of `directory` holds, as `statvfs(3)`. A disk that does not tell has no end.
    ///
    /// # Errors
    /// Those of the system.
    fn space(&self, directory: &Path) -> io::Result<Space> {
        let _ = directory;
        Ok(Space { total: u64::MAX, available: u64::MAX })
    }
}

/// The real disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn write(&self, file: &File, buffers: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(file, buffers, position)?)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(directory)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { total: bytes(found.f_blocks), available: bytes(found.f_bavail) })
    }
}

impl dyn Disk {
    /// Writes all of `buffers` at `position`. On an error some of it may have been written.
    pub(crate) fn write_all(
        &self,
        file: &File,
        mut buffers: &mut [IoSlice<'_>],
        mut position: u64,
    ) -> io::Result<()> {
        IoSlice::advance_slices(&mut buffers, 0);
        while !buffers.is_empty() {
            match self.write(file, buffers, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut buffers, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
