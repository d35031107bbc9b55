//! What unlocks a keyring: a key file, or a passphrase.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::{KeyError, KeyringError};
use crate::root::{KEY_BYTES, SealingKey, random};

const SALT_BYTES: usize = 16;
/// Cost of a new lock: the second choice of RFC 9106, section 4, about a tenth of a second.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Bounds of what a file may ask for: it is read before anything in it is known to be ours.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;
const MAX_LANES: u32 = 16;

/// What unlocks a keyring. Has no `Debug`.
pub enum Unlock {
    /// The key in a file.
    KeyFile(SealingKey),
    /// A passphrase, stretched by Argon2id (RFC 9106).
    Passphrase(Zeroizing<String>),
}

impl Unlock {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::KeyFile(_) => KEY_FILE,
            Self::Passphrase(_) => PASSPHRASE,
        }
    }
}

const KEY_FILE: &str = "key file";
const PASSPHRASE: &str = "passphrase";

/// How a keyring is locked, as its file says: nothing secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Lock {
    KeyFile,
    Passphrase { memory_kib: u32, passes: u32, lanes: u32, salt: [u8; SALT_BYTES] },
}

impl Lock {
    /// A new lock for this means.
    pub(crate) fn new(unlock: &Unlock) -> Result<Self, KeyError> {
        match unlock {
            Unlock::KeyFile(_) => Ok(Self::KeyFile),
            Unlock::Passphrase(_) => {
                let salt = random()?;
                Ok(Self::Passphrase { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt })
            }
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::KeyFile => KEY_FILE,
            Self::Passphrase { .. } => PASSPHRASE,
        }
    }

    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::KeyFile => "lock key-file".to_owned(),
            Self::Passphrase { memory_kib, passes, lanes, salt } => {
                format!("lock argon2id {memory_kib} {passes} {lanes} {}", STANDARD.encode(salt))
            }
        }
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("lock ")?.split(' ');
        let lock = match words.next()? {
            "key-file" => Self::KeyFile,
            "argon2id" => {
                let mut number = |limit: u32| words.next()?.parse().ok().filter(|value| *value <= limit);
                Self::Passphrase {
                    memory_kib: number(MAX_MEMORY_KIB)?,
                    passes: number(MAX_PASSES)?,
                    lanes: number(MAX_LANES)?,
                    salt: STANDARD.decode(words.next()?).ok()?.try_into().ok()?,
                }
            }
            _ => return None,
        };
        words.next().is_none().then_some(lock)
    }

    /// The key that this means gives for this lock; `None` if the lock takes the other means. Takes a while for a
    /// passphrase.
    pub(crate) fn key(&self, unlock: &Unlock) -> Result<Option<SealingKey>, KeyringError> {
        match (self, unlock) {
            (Self::KeyFile, Unlock::KeyFile(key)) => Ok(Some(key.clone())),
            (Self::Passphrase { memory_kib, passes, lanes, salt }, Unlock::Passphrase(passphrase)) => {
                let wrong = |error: argon2::Error| KeyringError::Passphrase(error.to_string());
                let params = Params::new(*memory_kib, *passes, *lanes, Some(KEY_BYTES)).map_err(wrong)?;
                let mut key = Zeroizing::new([0; KEY_BYTES]);
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice())
                    .map_err(wrong)?;
                Ok(Some(SealingKey::from_bytes(&key)))
            }
            _ => Ok(None),
        }
    }
}
