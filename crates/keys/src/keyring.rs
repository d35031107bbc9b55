//! A KMS in a file: key-encryption keys with versions, locked by a key file or a passphrase.
//!
//! ```text
//! schloss-keyring-1
//! lock key-file                         or: lock argon2id <KiB> <passes> <lanes> <salt in base64>
//! sealed <the keys, sealed, in base64>
//! ```

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::RwLock;
use zeroize::Zeroizing;

use crate::error::{KeyError, KeyringError};
use crate::kms::{Kms, KmsError, Wrapped};
use crate::private::{open_file, replace};
use crate::root::{KEY_BYTES, SealingKey};
use crate::unlock::{Lock, Unlock};

const FORMAT: &str = "schloss-keyring-1";
const SEALED: &str = "sealed ";
/// Far more than a century of daily rotations takes, in bytes.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;
const MAX_NAME_BYTES: usize = 100;
/// What the keys of a keyring are sealed for, and what a KEK is used for.
const CONTENT: &str = "keyring";
const WRAPPING: &str = "wrap";

/// Key-encryption keys in a file of this machine.
pub struct Keyring {
    path: PathBuf,
    lock: Lock,
    /// What the lock and the means to unlock it gave.
    key: SealingKey,
    keks: RwLock<Vec<Kek>>,
}

/// One version of a key. Versions of one name stand in their order.
struct Kek {
    name: String,
    version: u32,
    /// Seconds since the epoch.
    made: u64,
    key: SealingKey,
}

/// What may be told of a version of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KekFacts {
    /// Name of the key.
    pub name: String,
    /// Version, counted from 1; the largest wraps.
    pub version: u32,
    /// When it was made, in seconds since the epoch.
    pub made: u64,
}

impl Keyring {
    /// Makes a keyring with one key, named `name`. The file must not exist.
    ///
    /// # Errors
    /// The file's, or a name that can't be one.
    pub fn create(path: &Path, unlock: &Unlock, name: &str) -> Result<Self, KeyringError> {
        if path.exists() {
            return Err(KeyringError::Exists(path.to_owned()));
        }
        let lock = Lock::new(unlock)?;
        let key = unlocked(path, &lock, unlock)?;
        let keyring = Self { path: path.to_owned(), lock, key, keks: RwLock::default() };
        keyring.add(name)?;
        Ok(keyring)
    }

    /// Opens a keyring. Takes a while if a passphrase unlocks it.
    ///
    /// # Errors
    /// A file that is missing, open to others, damaged, or locked with something else.
    pub fn open(path: &Path, unlock: &Unlock) -> Result<Self, KeyringError> {
        let (lock, sealed) = load(path)?;
        let key = unlocked(path, &lock, unlock)?;
        let keks = unseal(path, &lock, &key, &sealed)?;
        Ok(Self { path: path.to_owned(), lock, key, keks: RwLock::new(keks) })
    }

    /// Makes a new version of a key; it wraps from now on. Returns its name with the version. Earlier versions
    /// stay, for what they wrapped, and so do those that another process made meanwhile. Waits for one that rotates
    /// now.
    ///
    /// # Errors
    /// There is no such key, or the file can't be read or written; then nothing is changed.
    pub fn rotate(&self, name: &str) -> Result<String, KeyringError> {
        // Two processes that rotate at once would each write the same version, and lose the other's with all that
        // it has wrapped by then.
        let _alone = self.lock_out_others()?;
        self.refresh()?;
        if self.keks.read().iter().all(|kek| kek.name != name) {
            return Err(KeyringError::UnknownKey(name.to_owned()));
        }
        self.add(name)
    }

    /// Keeps other processes from changing the keyring, until the file is dropped. It is the directory that is
    /// locked, since the keyring is another file after every change.
    fn lock_out_others(&self) -> Result<File, KeyringError> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let locked = File::open(directory.unwrap_or_else(|| Path::new(".")))
            .and_then(|directory| directory.lock().map(|()| directory));
        locked.map_err(|source| KeyringError::Io { path: self.path.clone(), source })
    }

    /// Reads the file again, which another process may have rotated. Returns whether there is something new.
    ///
    /// # Errors
    /// As [`open`](Self::open); what was read before stays in use.
    pub fn refresh(&self) -> Result<bool, KeyringError> {
        let (lock, sealed) = load(&self.path)?;
        let keks = unseal(&self.path, &lock, &self.key, &sealed)?;
        let mut current = self.keks.write();
        let news = facts(&keks) != facts(&current);
        *current = keks;
        Ok(news)
    }

    /// All versions of all keys.
    #[must_use]
    pub fn keys(&self) -> Vec<KekFacts> {
        facts(&self.keks.read())
    }

    fn add(&self, name: &str) -> Result<String, KeyringError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(plain) {
            return Err(KeyringError::Name(name.chars().take(MAX_NAME_BYTES).collect()));
        }
        let mut keks = self.keks.write();
        let version = newest(&keks, name).map_or(1, |kek| kek.version.saturating_add(1));
        let made = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let kek = Kek { name: name.to_owned(), version, made, key: SealingKey::generate()? };
        let id = kek.id();
        keks.push(kek);
        let stored = self.store(&keks);
        if stored.is_err() {
            keks.pop();
        }
        stored.map(|()| id)
    }

    fn store(&self, keks: &[Kek]) -> Result<(), KeyringError> {
        // Large enough from the start: growing would leave keys behind.
        let size: usize = keks.iter().map(|kek| kek.name.len() + 1 + 4 + 8 + KEY_BYTES).sum();
        let mut content = Zeroizing::new(Vec::with_capacity(size));
        for kek in keks {
            content.push(u8::try_from(kek.name.len()).unwrap_or(u8::MAX));
            content.extend_from_slice(kek.name.as_bytes());
            content.extend_from_slice(&kek.version.to_be_bytes());
            content.extend_from_slice(&kek.made.to_be_bytes());
            content.extend_from_slice(kek.key.bytes());
        }
        let head = head(&self.lock);
        let sealed = self.key.sealer(CONTENT).seal(head.as_bytes(), &content)?;
        let text = format!("{head}{SEALED}{}\n", STANDARD.encode(sealed));
        replace(&self.path, text.as_bytes(), true)
            .map_err(|source| KeyringError::Io { path: self.path.clone(), source })
    }
}

impl Kms for Keyring {
    fn wrap(&self, name: &str, context: &[u8], key: &[u8; KEY_BYTES]) -> Result<Wrapped, KmsError> {
        let keks = self.keks.read();
        let kek = newest(&keks, name).ok_or_else(|| KmsError::UnknownKey(name.to_owned()))?;
        let bytes = kek.key.sealer(WRAPPING).seal(context, key);
        let bytes = bytes.map_err(|error: KeyError| KmsError::Refused(error.to_string()))?;
        Ok(Wrapped { kek: kek.id(), bytes })
    }

    fn unwrap(&self, context: &[u8], wrapped: &Wrapped) -> Result<Zeroizing<[u8; KEY_BYTES]>, KmsError> {
        let keks = self.keks.read();
        let kek = keks.iter().find(|kek| kek.id() == wrapped.kek);
        let kek = kek.ok_or_else(|| KmsError::UnknownKey(wrapped.kek.clone()))?;
        let opened = kek.key.sealer(WRAPPING).open(context, &wrapped.bytes);
        let opened = opened.map_err(|error| KmsError::Refused(error.to_string()))?;
        let key = opened.as_slice().try_into().map_err(|_| KmsError::Refused("no key of 32 bytes".into()))?;
        Ok(Zeroizing::new(key))
    }

    fn newest(&self, name: &str) -> Result<String, KmsError> {
        newest(&self.keks.read(), name).map(Kek::id).ok_or_else(|| KmsError::UnknownKey(name.to_owned()))
    }
}

impl Kek {
    fn id(&self) -> String {
        format!("{}:{}", self.name, self.version)
    }
}

fn newest<'a>(keks: &'a [Kek], name: &str) -> Option<&'a Kek> {
    keks.iter().rev().find(|kek| kek.name == name)
}

fn facts(keks: &[Kek]) -> Vec<KekFacts> {
    let facts = |kek: &Kek| KekFacts { name: kek.name.clone(), version: kek.version, made: kek.made };
    keks.iter().map(facts).collect()
}

fn head(lock: &Lock) -> String {
    format!("{FORMAT}\n{}\n", lock.to_line())
}

fn unlocked(path: &Path, lock: &Lock, unlock: &Unlock) -> Result<SealingKey, KeyringError> {
    let other =
        || KeyringError::OtherLock { path: path.to_owned(), wanted: lock.name(), given: unlock.name() };
    lock.key(unlock)?.ok_or_else(other)
}

fn load(path: &Path) -> Result<(Lock, Vec<u8>), KeyringError> {
    let mut text = String::new();
    open_file(path)?
        .take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(|source| KeyringError::Io { path: path.to_owned(), source })?;
    let mut lines = text.lines();
    let parsed = (|| {
        lines.next().filter(|line| *line == FORMAT)?;
        let lock = Lock::parse(lines.next()?)?;
        let sealed = STANDARD.decode(lines.next()?.strip_prefix(SEALED)?).ok()?;
        lines.next().is_none().then_some((lock, sealed))
    })();
    parsed.ok_or_else(|| KeyringError::Format(path.to_owned()))
}

fn unseal(path: &Path, lock: &Lock, key: &SealingKey, sealed: &[u8]) -> Result<Vec<Kek>, KeyringError> {
    let content = key
        .sealer(CONTENT)
        .open(head(lock).as_bytes(), sealed)
        .map_err(|_| KeyringError::Locked { path: path.to_owned(), given: lock.name() })?;
    let mut rest = content.as_slice();
    let mut keks = Vec::new();
    while !rest.is_empty() {
        keks.push(parse(&mut rest).ok_or_else(|| KeyringError::Format(path.to_owned()))?);
    }
    Ok(keks)
}

fn parse(rest: &mut &[u8]) -> Option<Kek> {
    let length = usize::from(*rest.split_off_first()?);
    let name = String::from_utf8(rest.split_off(..length)?.to_vec()).ok()?;
    let mut take = |count| rest.split_off(..count);
    Some(Kek {
        name,
        version: u32::from_be_bytes(take(4)?.try_into().ok()?),
        made: u64::from_be_bytes(take(8)?.try_into().ok()?),
        key: SealingKey::from_bytes(take(KEY_BYTES)?.try_into().ok()?),
    })
}
