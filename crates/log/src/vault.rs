//! Whence the keys of logs and journals come.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use schloss_keys::KeyStore;

use crate::{LogError, Sealing};

const TOPIC: &str = "topic";
const JOURNAL: &str = "journal";

/// How everything of one node is protected: with a key for each topic and each journal, or not at all.
#[derive(Clone)]
pub enum Vault {
    /// Sealed with keys of this store.
    Sealed(Arc<KeyStore>),
    /// As it is, readable by whoever has the disk.
    InsecurePlain,
}

impl Vault {
    /// How the logs of a topic are protected. A key is made only if `is_new` says that there is none yet of
    /// these logs. Blocks on the key management service.
    ///
    /// # Errors
    /// [`LogError::DataKey`].
    pub fn topic(&self, id: [u8; 16], is_new: bool) -> Result<Sealing, LogError> {
        self.sealing(TOPIC, &hex(id), is_new)
    }

    /// How the journal in file `path` is protected. A key is made only if there is no such file. Blocks on the
    /// key management service.
    ///
    /// # Errors
    /// [`LogError::DataKey`].
    pub fn journal(&self, name: &str, path: &Path) -> Result<Sealing, LogError> {
        let exists = fs::exists(path).map_err(LogError::io("look at", path))?;
        self.sealing(JOURNAL, name, !exists)
    }

    /// Destroys the key of a topic: nobody reads its records again, wherever they were copied to. Blocks on the
    /// disk.
    ///
    /// # Errors
    /// [`LogError::DataKey`].
    pub fn destroy_topic(&self, id: [u8; 16]) -> Result<(), LogError> {
        match self {
            Self::Sealed(store) => Ok(store.destroy(TOPIC, &hex(id))?),
            Self::InsecurePlain => Ok(()),
        }
    }

    fn sealing(&self, kind: &str, name: &str, is_new: bool) -> Result<Sealing, LogError> {
        match self {
            Self::Sealed(store) => Ok(Sealing::Sealed(store.key(kind, name, is_new)?)),
            Self::InsecurePlain => Ok(Sealing::InsecurePlain),
        }
    }
}

fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sealed(_) => "Sealed(..)",
            Self::InsecurePlain => "InsecurePlain",
        })
    }
}
