//! The directory that holds everything of a node.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};
use schloss_keys::private::{NotPrivate, check_directory};

/// A data directory that is ours, locked against a second process for as long as this value lives.
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: fs::File,
}

/// The file that makes a directory ours.
const MARKER: &str = "schloss.id";
const MARKER_TEXT: &str = "schloss data directory, format 1\n";

impl DataDir {
    /// Opens `path`, or makes it if it is missing or empty.
    ///
    /// # Errors
    /// A directory of something else, of another format, readable by others, or in use by another process.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::make_private(path)?;
        let marker = path.join(MARKER);
        match fs::read_to_string(&marker) {
            Ok(text) if text == MARKER_TEXT => {}
            Ok(text) => bail!(
                "{} says '{}', which this version does not know: use the version that made it, or another directory",
                marker.display(),
                text.trim()
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut entries =
                    fs::read_dir(path).with_context(|| format!("can't list {}", path.display()))?;
                if let Some(stranger) = entries.next() {
                    let stranger = stranger?.file_name();
                    bail!(
                        "{} is not a data directory of Schloss: it holds '{}' and no {MARKER}; name an empty or \
                         missing directory with --data-dir",
                        path.display(),
                        stranger.display()
                    );
                }
                write_private(&marker, MARKER_TEXT.as_bytes())?;
            }
            Err(error) => return Err(error).with_context(|| format!("can't read {}", marker.display())),
        }
        let lock = fs::File::open(&marker).with_context(|| format!("can't open {}", marker.display()))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!(
                "{} is in use by another schloss process: stop it first, or name another directory",
                path.display()
            );
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// A path inside.
    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn make_private(path: &Path) -> anyhow::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("can't make the data directory {}", path.display()))?;
        match check_directory(path) {
            Err(NotPrivate::Open { .. }) if fs::read_dir(path)?.next().is_none() => {
                fs::set_permissions(path, fs::Permissions::from_mode(0o700))
                    .with_context(|| format!("can't make {} private", path.display()))
            }
            checked => Ok(checked?),
        }
    }
}

/// Writes a file of mode 0600 whole or not at all: a reader never sees half of it, nor does a crash leave half.
///
/// # Errors
/// The file system's.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_with_mode(path, bytes, 0o600)
}

/// Like [`write_private`], for what is no secret and other accounts need, such as a CA certificate.
///
/// # Errors
/// The file system's.
pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_with_mode(path, bytes, 0o644)
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let temporary = path.with_extension("new");
        // A leftover may have any mode; a new file has ours from its first moment.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("can't write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_missing_directory_is_made_private_and_opens_again() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let made = DataDir::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join(MARKER)), 0o600);
        drop(made);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_directory_of_something_else_is_refused_and_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("thesis.tex"), "x").unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let error = DataDir::open(parent.path()).err().expect("refused").to_string();
        assert!(error.contains("not a data directory of Schloss: it holds 'thesis.tex'"), "{error}");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let _first = DataDir::open(&path).unwrap();
        let error = DataDir::open(&path).err().expect("refused").to_string();
        assert!(error.contains("in use by another schloss process"), "{error}");
    }

    #[test]
    fn a_directory_that_others_can_enter_is_refused_with_the_command_that_mends_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        drop(DataDir::open(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let error = DataDir::open(&path).err().expect("refused").to_string();
        assert!(error.contains("run chmod 700"), "{error}");
    }

    #[test]
    fn a_future_format_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        drop(DataDir::open(&path).unwrap());
        fs::write(path.join(MARKER), "schloss data directory, format 2\n").unwrap();
        assert!(DataDir::open(&path).err().expect("refused").to_string().contains("format 2"));
    }
}
