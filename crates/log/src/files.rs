//! Files and directories that only their owner can open, and names that survive a crash.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, ReadWriteFlags};
use schloss_keys::private::{self, DIRECTORY_MODE, FILE_MODE};

use crate::LogError;

pub(crate) use schloss_keys::private::{UNFINISHED_EXTENSION, unfinished_name};

/// Opens `directory` for our use: made, with the ones above it, unless it is there. One that others may enter is
/// refused.
pub(crate) fn own_directory(directory: &Path) -> Result<(), LogError> {
    create_directory(directory)?;
    Ok(private::check_directory(directory)?)
}

/// Makes `directory`, and the ones above it, unless they are there, and brings their names to disk.
fn create_directory(directory: &Path) -> Result<(), LogError> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        create_directory(parent)?;
    }
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        // Another partition's directory is made at the same time, under the same parent.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
        other => other.map_err(LogError::io("create directory", directory))?,
    }
    sync_parent(directory)
}

/// Makes an empty file, in place of one that may be there.
pub(crate) fn create_file(path: &Path) -> Result<File, LogError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(LogError::io("create", path))
}

/// Opens a file of ours for reading and writing. One that others may read or write is refused.
pub(crate) fn open_file(path: &Path) -> Result<File, LogError> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(LogError::io("open", path))?;
    private::check_file(&file, path)?;
    Ok(file)
}

/// Brings the names in `directory` to disk: without it a new or renamed file may be gone after a power cut.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), LogError> {
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(LogError::io("flush directory", directory))
}

/// [`sync_directory`] for the one that holds `path`.
pub(crate) fn sync_parent(path: &Path) -> Result<(), LogError> {
    private::sync_parent(path).map_err(LogError::io("flush directory of", path))
}

/// Whether the new content of a file has to survive a power cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Survives {
    /// It has to: flushed with its name.
    PowerCut,
    /// It can be made anew, and its checksum tells.
    ProcessOnly,
}

/// Puts a file with `content` at `path` in one step: whoever looks sees the old one or the new one.
pub(crate) fn replace(path: &Path, content: &[u8], survives: Survives) -> Result<(), LogError> {
    private::replace(path, content, survives == Survives::PowerCut).map_err(LogError::io("write", path))
}

/// Removes `path`; returns whether it was there.
pub(crate) fn remove_if_there(path: &Path) -> Result<bool, LogError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(LogError::io("remove", path)(error)),
    }
}

/// Appends the `length` bytes at `position` of `file` to `buffer`, with one allocation.
pub(crate) fn read_at(file: &File, position: u64, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    let start = buffer.len();
    buffer.reserve_exact(length);
    while buffer.len() - start < length {
        let at = position + (buffer.len() - start) as u64;
        match rustix::io::pread(file, spare_capacity(buffer), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    // The allocator may give more room than was asked for, and then more was read.
    buffer.truncate(start + length);
    Ok(())
}

/// Fills `buffer` from `position` on with what the system holds in memory. False where it would have to wait for the
/// disk, or can't tell whether it would; what is in `buffer` then means nothing.
pub(crate) fn read_without_waiting(file: &File, position: u64, buffer: &mut [u8]) -> bool {
    let mut filled = 0;
    while filled < buffer.len() {
        let rest = &mut [IoSliceMut::new(&mut buffer[filled..])];
        match rustix::io::preadv2(file, rest, position + filled as u64, ReadWriteFlags::NOWAIT) {
            Ok(0) | Err(_) => return false,
            Ok(count) => filled += count,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_and_directories_are_for_their_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        own_directory(&directory).unwrap();
        own_directory(&directory).unwrap();
        let file = directory.join("file");
        create_file(&file).unwrap();
        replace(&directory.join("other"), b"x", Survives::PowerCut).unwrap();
        assert_eq!(
            (mode(&root.path().join("a")), mode(&directory), mode(&file), mode(&directory.join("other"))),
            (0o700, 0o700, 0o600, 0o600)
        );
    }

    #[test]
    fn what_others_can_open_is_refused_with_the_command_that_mends_it() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("log");
        own_directory(&directory).unwrap();
        let file = directory.join("file");
        create_file(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
        let why = open_file(&file).unwrap_err().to_string();
        assert!(why.contains(&format!("run chmod 600 {}", file.display())), "{why}");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o750)).unwrap();
        let why = own_directory(&directory).unwrap_err().to_string();
        assert!(why.contains(&format!("run chmod 700 {}", directory.display())), "{why}");
    }

    #[test]
    fn a_read_gives_exactly_what_was_asked_for_or_fails() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        let file = File::open(&path).unwrap();
        let mut buffer = Vec::new();
        read_at(&file, 2, 3, &mut buffer).unwrap();
        assert_eq!(buffer, b"234");
        assert_eq!(read_at(&file, 8, 3, &mut buffer).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let mut buffer = [0; 3];
        assert!(!read_without_waiting(&file, 2, &mut buffer) || &buffer == b"234");
        assert!(!read_without_waiting(&file, 8, &mut buffer));
    }
}
