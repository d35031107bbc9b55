//! Which partition a log is, and how its bytes are protected.

use std::fmt;
use std::sync::Arc;

use schloss_keys::{DataKey, KeyError, OpenError};
use zeroize::Zeroizing;

/// Which partition a log is. All that is sealed is bound to it: it opens nowhere else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Id of the topic.
    pub topic: [u8; 16],
    /// Number of the partition.
    pub partition: u32,
}

impl Identity {
    pub(crate) fn aad(&self) -> Vec<u8> {
        [self.topic.as_slice(), &self.partition.to_be_bytes()].concat()
    }
}

/// How what is stored is protected. What was stored in one way is not read in the other: who can write to the
/// disk could otherwise put plain records in the place of sealed ones.
#[derive(Clone)]
pub enum Sealing {
    /// Sealed with keys below this one.
    Sealed(Arc<DataKey>),
    /// As it is, readable by whoever has the disk.
    InsecurePlain,
}

impl Sealing {
    /// The form of a whole file's content on disk.
    pub(crate) fn protect(&self, usage: &str, aad: &[u8], content: Vec<u8>) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::Sealed(key) => key.seal(usage, aad, &content),
            Self::InsecurePlain => Ok(content),
        }
    }

    /// What [`protect`](Self::protect) was given.
    pub(crate) fn reveal(
        &self,
        usage: &str,
        aad: &[u8],
        stored: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        match self {
            Self::Sealed(key) => key.unseal(usage, aad, &stored),
            Self::InsecurePlain => Ok(Zeroizing::new(stored)),
        }
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sealed(_) => "Sealed(..)",
            Self::InsecurePlain => "InsecurePlain",
        })
    }
}
