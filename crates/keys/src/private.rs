//! Files and directories that nobody else can open, and content that is there whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Mode of every file of ours.
pub const FILE_MODE: u32 = 0o600;
/// Mode of every directory of ours.
pub const DIRECTORY_MODE: u32 = 0o700;
/// What others must not have.
const OTHERS: u32 = 0o077;

/// Extension of a file that is not finished: it is added to the name that the file will have.
pub const UNFINISHED_EXTENSION: &str = "new";

/// Others may see or change a file or a directory, or it is not what it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NotPrivate {
    /// The system can't say.
    #[error("can't look at {}: {source}", path.display())]
    Io {
        /// On which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may enter, read or write it.
    #[error("{0} is open to others (mode {mode:03o}): run chmod {wanted:o} {0}", path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// It belongs to somebody else.
    #[error("{0} belongs to user id {owner}, and we are {us}: run chown {us} {0}", path.display())]
    Owner {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// It is a directory or a device.
    #[error("{} is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// It is a file or a device.
    #[error("{} is no directory", .0.display())]
    NotADirectory(PathBuf),
}

/// Checks that an open file is a regular one, is ours, and is nobody else's to read or write. `path` is for
/// the message: asked of the open file, so that no other can take its place in between.
///
/// # Errors
/// What is wrong with it, with the command that mends it.
pub fn check_file(file: &File, path: &Path) -> Result<(), NotPrivate> {
    let facts = file.metadata().map_err(|source| NotPrivate::Io { path: path.to_owned(), source })?;
    if !facts.is_file() {
        return Err(NotPrivate::NotAFile(path.to_owned()));
    }
    check(&facts, path, FILE_MODE)
}

/// Checks that a directory is ours and nobody else's to enter.
///
/// # Errors
/// What is wrong with it, with the command that mends it.
pub fn check_directory(path: &Path) -> Result<(), NotPrivate> {
    let facts = fs::metadata(path).map_err(|source| NotPrivate::Io { path: path.to_owned(), source })?;
    if !facts.is_dir() {
        return Err(NotPrivate::NotADirectory(path.to_owned()));
    }
    check(&facts, path, DIRECTORY_MODE)
}

fn check(facts: &Metadata, path: &Path, wanted: u32) -> Result<(), NotPrivate> {
    let us = rustix::process::geteuid().as_raw();
    if facts.uid() != us {
        return Err(NotPrivate::Owner { path: path.to_owned(), owner: facts.uid(), us });
    }
    if facts.mode() & OTHERS != 0 {
        return Err(NotPrivate::Open { path: path.to_owned(), mode: facts.mode() & 0o777, wanted });
    }
    Ok(())
}

/// Opens a file for reading, and checks it as [`check_file`] does. Never waits for a pipe's other end.
///
/// # Errors
/// As `check_file`.
pub fn open_file(path: &Path) -> Result<File, NotPrivate> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(|source| NotPrivate::Io { path: path.to_owned(), source })?;
    check_file(&file, path)?;
    Ok(file)
}

/// Puts a file of mode 0600 with `content` at `path` in one step: whoever looks sees the old one or the new
/// one. With `lasting` that holds after a power cut too, and the new one is on disk when this returns.
///
/// # Errors
/// The system's.
pub fn replace(path: &Path, content: &[u8], lasting: bool) -> io::Result<()> {
    let temporary = unfinished_name(path);
    let written = write(&temporary, content, lasting);
    if written.is_err() {
        // On a full disk the remains would be in the way.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    fs::rename(&temporary, path)?;
    if lasting { sync_parent(path) } else { Ok(()) }
}

fn write(path: &Path, content: &[u8], lasting: bool) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    file.write_all(content)?;
    if lasting { file.sync_data() } else { Ok(()) }
}

/// The name under which a file is made before it takes the place of `path`.
#[must_use]
pub fn unfinished_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(OsStr::new(UNFINISHED_EXTENSION));
    name.into()
}

/// Brings the names in the directory of `path` to disk: without it a new or renamed file may be gone after a
/// power cut.
///
/// # Errors
/// The system's.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
