//! The keys of all topics and journals of a node: a directory with a file for each.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::data_key::{self, DataKey};
use crate::error::DataKeyError;
use crate::kms::Kms;
use crate::private::{DIRECTORY_MODE, check_directory, sync_parent};

/// Extension of a key's file; its name is its purpose with `-` for the space.
const EXTENSION: &str = "key";

/// The keys of all topics and journals of a node.
pub struct KeyStore {
    directory: PathBuf,
    kms: Arc<dyn Kms>,
    kek: String,
    /// Those that were asked for. Held while a file is opened, changed or destroyed, so that there is one value for
    /// each file, and none that a rotation writes again after it was destroyed.
    open: Mutex<HashMap<String, Arc<DataKey>>>,
}

/// What may be told of a key that is wrapped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DataKeyFacts {
    /// What it is for.
    pub purpose: String,
    /// The generation that seals now.
    pub generation: u32,
    /// The version of the KEK that wraps that generation: `name:version`.
    pub kek: String,
}

impl KeyStore {
    /// The keys in `directory`, made with mode 0700 if it is not there, wrapped by the KEK `kek` of `kms`.
    ///
    /// # Errors
    /// A directory that can't be made, or that others may enter.
    pub fn open(directory: &Path, kms: Arc<dyn Kms>, kek: &str) -> Result<Self, DataKeyError> {
        let made = DirBuilder::new().mode(DIRECTORY_MODE).create(directory);
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.and_then(|()| sync_parent(directory)).map_err(io_error(directory))?,
        }
        check_directory(directory)?;
        let (directory, kek) = (directory.to_owned(), kek.to_owned());
        Ok(Self { directory, kms, kek, open: Mutex::default() })
    }

    /// The key for a purpose: a kind and a name, such as `journal` and `metadata`. It is made if it is not there
    /// and `is_new` says that nothing was ever sealed with it. Blocks on the KMS.
    ///
    /// # Errors
    /// The KMS's, or a file that can't be used; a missing one if the purpose is not new.
    pub fn key(&self, kind: &str, name: &str, is_new: bool) -> Result<Arc<DataKey>, DataKeyError> {
        let purpose = format!("{kind} {name}");
        let mut open = self.open.lock();
        if let Some(key) = open.get(&purpose) {
            return Ok(Arc::clone(key));
        }
        let path = self.path(&purpose);
        let is_there = fs::exists(&path).map_err(io_error(&path))?;
        let key = match (is_there, is_new) {
            (false, true) => DataKey::create(&path, &purpose, &*self.kms, &self.kek)?,
            (false, false) => return Err(DataKeyError::Missing { path, purpose }),
            (true, _) => DataKey::open(&path, &purpose, &*self.kms, &self.kek)?,
        };
        open.insert(purpose, Arc::clone(&key));
        Ok(key)
    }

    /// Destroys the key for a purpose, and with it all that it sealed. Fine if there is none.
    ///
    /// # Errors
    /// The system's.
    pub fn destroy(&self, kind: &str, name: &str) -> Result<(), DataKeyError> {
        let purpose = format!("{kind} {name}");
        let path = self.path(&purpose);
        let mut open = self.open.lock();
        open.remove(&purpose);
        DataKey::destroy(&path).map_err(io_error(&path))
    }

    /// Gives a new generation to every key that is not wrapped by the newest version of the KEK, and wraps all
    /// its generations with that. What was sealed is not touched; what is sealed from now on takes the new
    /// generation. Returns how many keys changed. One call at a time, of one process. Blocks on KMS and disk.
    ///
    /// # Errors
    /// The KMS's, or a file that can't be used; keys before that one have changed, and another call goes on.
    pub fn follow(&self) -> Result<usize, DataKeyError> {
        let mut changed = 0;
        for path in files(&self.directory)? {
            // Not held over all files: topics are made and deleted meanwhile.
            let mut open = self.open.lock();
            if !fs::exists(&path).map_err(io_error(&path))? {
                continue;
            }
            let purpose = data_key::read(&path, None)?.purpose;
            let key = match open.get(&purpose) {
                Some(key) => Arc::clone(key),
                None => DataKey::open(&path, &purpose, &*self.kms, &self.kek)?,
            };
            if key.follow(&*self.kms)? {
                changed += 1;
            }
            open.entry(purpose).or_insert(key);
        }
        Ok(changed)
    }

    /// What may be told of the keys in `directory`, in the order of their purposes. Opens none of them. A
    /// directory that is not there has none.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn facts(directory: &Path) -> Result<Vec<DataKeyFacts>, DataKeyError> {
        let facts = |path: &PathBuf| data_key::read(path, None).map(|file| file.facts());
        files(directory)?.iter().map(facts).collect()
    }

    fn path(&self, purpose: &str) -> PathBuf {
        self.directory.join(format!("{}.{EXTENSION}", purpose.replace(' ', "-")))
    }
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, DataKeyError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(io_error(directory))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error(directory))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> DataKeyError + '_ {
    |source| DataKeyError::Io { path: path.to_owned(), source }
}
