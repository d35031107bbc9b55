//! The directories of partitions: `<topic>-<partition>`, each with its topic's id in a file.
//!
//! A directory gets its name only when the id is in it and on disk. One whose id is not the one expected is
//! set aside in `.stray`, never deleted: if it is the metadata that was lost, the records must not follow.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use schloss_log::{LogError, remove_deleted};
use schloss_wire::Uuid;
use thiserror::Error;

/// The directory in a data directory that holds those of all partitions.
pub(crate) const TOPICS: &str = "topics";
/// Directories on their way to a name.
const UNFINISHED: &str = ".new";
/// Directories that no topic of the metadata owns.
const STRAY: &str = ".stray";
/// The file in each directory that says which topic it belongs to: its id in 32 hexadecimal digits.
const ID_FILE: &str = "topic.id";

/// Why a partition's directory can't be used.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A partition's log, or the remains of deleted ones.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The directory that holds those of all partitions.
pub(crate) struct Directories {
    root: PathBuf,
}

impl Directories {
    /// Opens or makes `root`, and clears away what is unfinished in it.
    pub(crate) fn open(root: &Path) -> Result<Self, DirectoryError> {
        make(root)?;
        remove_deleted(root)?;
        remove_all(&root.join(UNFINISHED))?;
        Ok(Self { root: root.to_owned() })
    }

    /// Where a partition lives.
    pub(crate) fn of(&self, topic: &str, partition: usize) -> PathBuf {
        self.root.join(format!("{topic}-{partition}"))
    }

    /// Sets aside each partition's directory whose topic id is not what `expected` says of its topic and
    /// partition.
    pub(crate) fn set_strangers_aside(
        &self,
        expected: impl Fn(&str, usize) -> Option<Uuid>,
    ) -> Result<(), DirectoryError> {
        let entries = fs::read_dir(&self.root).map_err(io_error("read", &self.root))?;
        for entry in entries {
            let path = entry.map_err(io_error("read", &self.root))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((topic, partition)) = name.and_then(split_name) else { continue };
            let (found, wanted) = (read_id(&path)?, expected(topic, partition));
            if found.is_none() || found != wanted {
                self.set_aside(&path, found)?;
            }
        }
        Ok(())
    }

    /// Makes a partition's directory, id included; it is there for good after [`sync`](Self::sync).
    pub(crate) fn create(&self, topic: &str, id: Uuid, partition: usize) -> Result<PathBuf, DirectoryError> {
        let directory = self.of(topic, partition);
        if directory.exists() {
            let found = read_id(&directory)?;
            self.set_aside(&directory, found)?;
        }
        let unfinished = self.root.join(UNFINISHED);
        make(&unfinished)?;
        let made = unfinished.join(format!("{topic}-{partition}"));
        remove_all(&made)?;
        make(&made)?;
        write_id(&made.join(ID_FILE), id)?;
        sync_directory(&made)?;
        fs::rename(&made, &directory).map_err(io_error("name", &directory))?;
        Ok(directory)
    }

    /// Removes a partition's directory and all in it, if it is there and belongs to the topic with this id.
    pub(crate) fn remove(&self, topic: &str, id: Uuid, partition: usize) -> Result<(), DirectoryError> {
        let directory = self.of(topic, partition);
        if read_id(&directory)? == Some(id) { remove_all(&directory) } else { Ok(()) }
    }

    /// Brings the names of directories to disk.
    pub(crate) fn sync(&self) -> Result<(), DirectoryError> {
        sync_directory(&self.root)
    }

    fn set_aside(&self, directory: &Path, id: Option<Uuid>) -> Result<(), DirectoryError> {
        let owner = id.map_or_else(|| "unknown".to_owned(), hex);
        let shelf = self.root.join(STRAY).join(owner);
        make(&self.root.join(STRAY))?;
        make(&shelf)?;
        let mut target = shelf.join(directory.file_name().unwrap_or_default());
        while target.exists() {
            target.as_mut_os_string().push("+");
        }
        fs::rename(directory, &target).map_err(io_error("set aside", directory))?;
        tracing::warn!(
            from = %directory.display(),
            to = %target.display(),
            "a partition's directory belongs to no topic of the metadata; it is set aside, remove it if its \
             records are not needed"
        );
        Ok(())
    }
}

/// The names of the topics that have partitions in a data directory, by their id in 32 hexadecimal digits. A broker
/// may run meanwhile.
///
/// # Errors
/// The directory can't be read; that there is none is no error.
pub fn topic_names(data_dir: &Path) -> Result<BTreeMap<String, String>, DirectoryError> {
    let root = data_dir.join(TOPICS);
    let mut names = BTreeMap::new();
    let entries = match fs::read_dir(&root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        entries => entries.map_err(io_error("read", &root))?,
    };
    for entry in entries {
        let path = entry.map_err(io_error("read", &root))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((topic, _)) = name.and_then(split_name) else { continue };
        if let Some(id) = read_id(&path)? {
            names.insert(hex(id), topic.to_owned());
        }
    }
    Ok(names)
}

/// Topic and partition of a directory's name.
fn split_name(name: &str) -> Option<(&str, usize)> {
    let (topic, digits) = name.rsplit_once('-')?;
    let partition: usize = digits.parse().ok()?;
    (partition.to_string() == digits && !topic.is_empty()).then_some((topic, partition))
}

fn hex(id: Uuid) -> String {
    format!("{:032x}", u128::from_be_bytes(id.to_bytes()))
}

/// The id in a partition's directory; none if the file is missing or holds something else.
fn read_id(directory: &Path) -> Result<Option<Uuid>, DirectoryError> {
    let path = directory.join(ID_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let id = u128::from_str_radix(text.trim(), 16).ok();
            Ok(id.map(|id| Uuid::from_bytes(id.to_be_bytes())))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
            Ok(None)
        }
        Err(error) => Err(io_error("read", &path)(error)),
    }
}

fn write_id(path: &Path, id: Uuid) -> Result<(), DirectoryError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io_error("create", path))?;
    file.write_all(hex(id).as_bytes()).and_then(|()| file.sync_all()).map_err(io_error("write", path))
}

fn make(directory: &Path) -> Result<(), DirectoryError> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(io_error("create", directory)(error))
        }
        _ => Ok(()),
    }
}

fn remove_all(directory: &Path) -> Result<(), DirectoryError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", directory)(error)),
        _ => Ok(()),
    }
}

fn sync_directory(directory: &Path) -> Result<(), DirectoryError> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(io_error("flush", directory))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Uuid = Uuid::from_bytes([1; 16]);
    const OTHER: Uuid = Uuid::from_bytes([2; 16]);

    #[test]
    fn the_names_of_topics_are_read_from_their_directories() {
        let home = tempfile::tempdir().unwrap();
        assert!(topic_names(home.path()).unwrap().is_empty(), "there is nothing yet");
        let directories = Directories::open(&home.path().join(TOPICS)).unwrap();
        directories.create("orders", OURS, 0).unwrap();
        directories.create("orders", OURS, 1).unwrap();
        directories.create("bills-2", OTHER, 0).unwrap();
        directories.set_strangers_aside(|topic, _| (topic == "orders").then_some(OURS)).unwrap();
        make(&directories.of("empty", 0)).unwrap();
        let names = topic_names(home.path()).unwrap();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), [("01".repeat(16), "orders".to_owned())]);
    }

    #[test]
    fn names_are_split_at_the_last_dash() {
        assert_eq!(split_name("orders-0"), Some(("orders", 0)));
        assert_eq!(split_name("a-1-12"), Some(("a-1", 12)));
        for name in ["orders", "orders-", "-1", "orders-01", "orders-x", ".new", ".stray"] {
            assert_eq!(split_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_directory_of_another_topic_is_set_aside_with_all_it_holds() {
        let root = tempfile::tempdir().unwrap();
        let directories = Directories::open(root.path()).unwrap();
        let old = directories.create("orders", OTHER, 0).unwrap();
        fs::write(old.join("data"), "old").unwrap();
        let new = directories.create("orders", OURS, 0).unwrap();
        assert_eq!(old, new);
        assert!(!new.join("data").exists());
        assert_eq!(read_id(&new).unwrap(), Some(OURS));
        let kept = root.path().join(STRAY).join(hex(OTHER)).join("orders-0").join("data");
        assert_eq!(fs::read_to_string(kept).unwrap(), "old");
    }

    #[test]
    fn at_the_start_strangers_and_directories_without_an_id_are_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let directories = Directories::open(root.path()).unwrap();
        let kept = directories.create("orders", OURS, 0).unwrap();
        let stranger = directories.create("gone", OTHER, 3).unwrap();
        let nameless = root.path().join("orders-1");
        fs::create_dir(&nameless).unwrap();
        fs::create_dir(root.path().join("unrelated")).unwrap();
        let directories = Directories::open(root.path()).unwrap();
        directories.set_strangers_aside(|topic, _| (topic == "orders").then_some(OURS)).unwrap();
        assert!(kept.exists() && root.path().join("unrelated").exists());
        assert!(!stranger.exists() && !nameless.exists());
    }

    #[test]
    fn what_was_unfinished_is_cleared_away() {
        let root = tempfile::tempdir().unwrap();
        let unfinished = root.path().join(UNFINISHED).join("orders-0");
        fs::create_dir_all(&unfinished).unwrap();
        Directories::open(root.path()).unwrap();
        assert!(!unfinished.exists());
    }
}
