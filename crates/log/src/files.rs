//! Files and directories that only their owner can open, and names that survive a crash.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;

use crate::LogError;

const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Makes `directory`, and the ones above it, unless they are there, and brings their names to disk.
pub(crate) fn create_directory(directory: &Path) -> Result<(), LogError> {
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

/// Opens a file for reading and writing.
pub(crate) fn open_file(path: &Path) -> Result<File, LogError> {
    OpenOptions::new().read(true).write(true).open(path).map_err(LogError::io("open", path))
}

/// Brings the names in `directory` to disk: without it a new or renamed file may be gone after a power cut.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), LogError> {
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(LogError::io("flush directory", directory))
}

/// [`sync_directory`] for the one that holds `path`.
pub(crate) fn sync_parent(path: &Path) -> Result<(), LogError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
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
    let temporary = temporary_name(path);
    let mut file = create_file(&temporary)?;
    file.write_all(content).map_err(LogError::io("write", &temporary))?;
    if survives == Survives::PowerCut {
        file.sync_data().map_err(LogError::io("flush", &temporary))?;
    }
    fs::rename(&temporary, path).map_err(LogError::io("rename", &temporary))?;
    if survives == Survives::PowerCut {
        sync_parent(path)?;
    }
    Ok(())
}

/// Extension of a file that is not finished.
pub(crate) const TEMPORARY_EXTENSION: &str = "new";

/// The name under which a file is made before it takes the place of `path`.
pub(crate) fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(TEMPORARY_EXTENSION);
    name.into()
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
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    // The allocator may give more room than was asked for, and then more was read.
    buffer.truncate(start + length);
    Ok(())
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
        create_directory(&directory).unwrap();
        create_directory(&directory).unwrap();
        let file = directory.join("file");
        create_file(&file).unwrap();
        replace(&directory.join("other"), b"x", Survives::PowerCut).unwrap();
        assert_eq!(
            (mode(&root.path().join("a")), mode(&directory), mode(&file), mode(&directory.join("other"))),
            (0o700, 0o700, 0o600, 0o600)
        );
    }

    #[test]
    fn a_read_gives_exactly_what_was_asked_for_or_fails() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        let file = open_file(&path).unwrap();
        let mut buffer = Vec::new();
        read_at(&file, 2, 3, &mut buffer).unwrap();
        assert_eq!(buffer, b"234");
        assert_eq!(read_at(&file, 8, 3, &mut buffer).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
