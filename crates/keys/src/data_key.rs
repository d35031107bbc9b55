//! The key of one topic, or of one journal: wrapped by the KMS, kept in a file, and above the keys of files.
//!
//! ```text
//! schloss-data-key-1
//! for <what it is for>
//! key <generation> <KEK> <wrapped key in base64>
//! key ...
//! ```
//! The last generation seals. Rotation adds one and wraps all of them anew; what was sealed before stays as it
//! is, and says which generation opens it. Destroying the file destroys all that was sealed: the wrapped key is
//! nowhere else.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::RwLock;
use zeroize::Zeroizing;

use crate::error::{DataKeyError, KeyError, OpenError};
use crate::kms::{Kms, Wrapped};
use crate::private::{open_file, replace, sync_parent};
use crate::root::{KEY_BYTES, SealingKey};
use crate::store::DataKeyFacts;
use crate::unit::{Fresh, UnitOpener, UnitSealer};

const FORMAT: &str = "schloss-data-key-1";
/// Far more than the generations of a century of daily rotations, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
const GENERATION_BYTES: usize = 4;

/// Bytes that [`DataKey::seal`] adds.
pub const DATA_SEAL_BYTES: usize = GENERATION_BYTES + 1 + 12 + 16;
/// Bytes of a wrapped unit key.
pub const WRAPPED_UNIT_KEY_BYTES: usize = KEY_BYTES + DATA_SEAL_BYTES;

const UNIT_KEYS: &str = "unit keys";

/// A key of a topic or a journal, opened. Shared as `Arc<DataKey>`.
pub struct DataKey {
    path: PathBuf,
    /// What it is for, as the KMS is told.
    purpose: String,
    kek: String,
    generations: RwLock<Vec<Generation>>,
}

struct Generation {
    number: u32,
    key: SealingKey,
    wrapped: Wrapped,
}

/// A key for the units of one new file.
pub struct UnitKey {
    /// Seals; exists once.
    pub sealer: UnitSealer,
    /// Opens.
    pub opener: UnitOpener,
    /// The key for [`DataKey::unit_opener`], [`WRAPPED_UNIT_KEY_BYTES`] long.
    pub wrapped: Vec<u8>,
}

impl DataKey {
    /// Makes a key for `purpose` (one line of text), wrapped by the KEK `kek`, and the file that holds it, which
    /// must not exist. Blocks on the KMS and the disk.
    ///
    /// # Errors
    /// The KMS's, or the file's.
    pub fn create(path: &Path, purpose: &str, kms: &dyn Kms, kek: &str) -> Result<Arc<Self>, DataKeyError> {
        if path.exists() {
            return Err(DataKeyError::Exists(path.to_owned()));
        }
        let key = Self {
            path: path.to_owned(),
            purpose: purpose.to_owned(),
            kek: kek.to_owned(),
            generations: RwLock::new(vec![Generation::draw(1, purpose, kms, kek)?]),
        };
        key.store(&key.generations.read())?;
        Ok(Arc::new(key))
    }

    /// Opens the key in a file. Blocks on the KMS.
    ///
    /// # Errors
    /// The KMS's, or a file that is missing, open to others, damaged, or for another purpose.
    pub fn open(path: &Path, purpose: &str, kms: &dyn Kms, kek: &str) -> Result<Arc<Self>, DataKeyError> {
        let generations = read(path, Some(purpose))?
            .generations
            .into_iter()
            .map(|(number, wrapped)| Generation::unwrap(number, wrapped, purpose, kms))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            purpose: purpose.to_owned(),
            kek: kek.to_owned(),
            generations: RwLock::new(generations),
        }))
    }

    /// Adds a generation, which seals from now on, and wraps all of them with the newest KEK. What was sealed
    /// before is not touched. Blocks on the KMS and the disk.
    ///
    /// # Errors
    /// The KMS's, or the file's: everything is as before.
    pub fn rotate(&self, kms: &dyn Kms) -> Result<(), DataKeyError> {
        let mut generations = self.rewrapped(kms)?;
        let next = generations.last().map_or(1, |last| last.number.saturating_add(1));
        generations.push(Generation::draw(next, &self.purpose, kms, &self.kek)?);
        self.swap(generations)
    }

    /// [Rotates](Self::rotate) the key unless it is wrapped with the newest version of the KEK. Returns whether
    /// it did. Blocks on the KMS and the disk.
    ///
    /// # Errors
    /// The KMS's, or the file's: everything is as before.
    pub fn follow(&self, kms: &dyn Kms) -> Result<bool, DataKeyError> {
        let newest = kms.newest(&self.kek)?;
        if self.generations.read().iter().all(|generation| generation.wrapped.kek == newest) {
            return Ok(false);
        }
        self.rotate(kms)?;
        Ok(true)
    }

    /// Destroys the key in `path`, and with it all that it sealed. Fine if there is none.
    ///
    /// The bytes are overwritten once the file is removed; what a file system or a disk keeps of old blocks is
    /// still wrapped by the KEK.
    ///
    /// # Errors
    /// The system's.
    pub fn destroy(path: &Path) -> io::Result<()> {
        let mut file = match OpenOptions::new().write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let length = file.metadata()?.len().min(MAX_FILE_BYTES);
        // The name goes first: zeros under it would be a damaged key, which no rotation gets past.
        fs::remove_file(path)?;
        sync_parent(path)?;
        file.write_all(&vec![0; usize::try_from(length).unwrap_or(0)])?;
        file.sync_data()
    }

    /// The generation that seals now.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generations.read().last().map_or(0, |last| last.number)
    }

    /// Seals bytes for one use, a constant of the code. `aad` names their place. Adds [`DATA_SEAL_BYTES`].
    /// Good for 2^32 messages of a generation and use: for keys and notes, not for records.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal(&self, usage: &str, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        let generations = self.generations.read();
        // There is always one: a file without is refused.
        let newest = generations.last().ok_or(KeyError::Random)?;
        let sealed = newest.key.sealer(usage).seal(aad, plaintext)?;
        Ok([&newest.number.to_be_bytes(), sealed.as_slice()].concat())
    }

    /// Opens what [`seal`](Self::seal) gave.
    ///
    /// # Errors
    /// Another key, another place, or changed bytes.
    pub fn unseal(&self, usage: &str, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (number, sealed) = sealed.split_first_chunk::<GENERATION_BYTES>().ok_or(OpenError)?;
        let number = u32::from_be_bytes(*number);
        let generations = self.generations.read();
        let at = generations.binary_search_by_key(&number, |one| one.number).map_err(|_| OpenError)?;
        generations[at].key.sealer(usage).open(aad, sealed)
    }

    /// A new key for the units of one file. `aad` names the file.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn new_unit_key(&self, aad: &[u8]) -> Result<UnitKey, KeyError> {
        let Fresh { sealer, opener, secret } = Fresh::draw()?;
        let wrapped = self.seal(UNIT_KEYS, aad, secret.as_slice())?;
        Ok(UnitKey { sealer, opener, wrapped })
    }

    /// Opens the units of a file whose key was wrapped with the same `aad`.
    ///
    /// # Errors
    /// Another key, another file, or changed bytes.
    pub fn unit_opener(&self, aad: &[u8], wrapped: &[u8]) -> Result<UnitOpener, OpenError> {
        let secret = self.unseal(UNIT_KEYS, aad, wrapped)?;
        Ok(UnitOpener::from_secret(secret.as_slice().try_into().map_err(|_| OpenError)?))
    }

    fn rewrapped(&self, kms: &dyn Kms) -> Result<Vec<Generation>, DataKeyError> {
        let generations = self.generations.read();
        let anew =
            |one: &Generation| Generation::wrap(one.number, one.key.clone(), &self.purpose, kms, &self.kek);
        generations.iter().map(anew).collect()
    }

    fn swap(&self, generations: Vec<Generation>) -> Result<(), DataKeyError> {
        let mut current = self.generations.write();
        self.store(&generations)?;
        *current = generations;
        Ok(())
    }

    fn store(&self, generations: &[Generation]) -> Result<(), DataKeyError> {
        let mut text = format!("{FORMAT}\nfor {}\n", self.purpose);
        for Generation { number, wrapped, .. } in generations {
            text += &format!("key {number} {} {}\n", wrapped.kek, STANDARD.encode(&wrapped.bytes));
        }
        replace(&self.path, text.as_bytes(), true)
            .map_err(|source| DataKeyError::Io { path: self.path.clone(), source })
    }
}

impl Generation {
    fn draw(number: u32, purpose: &str, kms: &dyn Kms, kek: &str) -> Result<Self, DataKeyError> {
        Self::wrap(number, SealingKey::generate()?, purpose, kms, kek)
    }

    fn wrap(
        number: u32,
        key: SealingKey,
        purpose: &str,
        kms: &dyn Kms,
        kek: &str,
    ) -> Result<Self, DataKeyError> {
        let wrapped = kms.wrap(kek, context(purpose, number).as_bytes(), key.bytes())?;
        Ok(Self { number, key, wrapped })
    }

    fn unwrap(number: u32, wrapped: Wrapped, purpose: &str, kms: &dyn Kms) -> Result<Self, DataKeyError> {
        let secret = kms.unwrap(context(purpose, number).as_bytes(), &wrapped)?;
        Ok(Self { number, key: SealingKey::from_bytes(&secret), wrapped })
    }
}

/// What the KMS binds a generation to: it can't stand for another one, nor for another topic's.
fn context(purpose: &str, generation: u32) -> String {
    format!("schloss data key {generation} for {purpose}")
}

/// What stands in a key's file, still wrapped.
pub(crate) struct KeyFile {
    pub(crate) purpose: String,
    /// In order, at least one.
    generations: Vec<(u32, Wrapped)>,
}

impl KeyFile {
    pub(crate) fn facts(&self) -> DataKeyFacts {
        let newest = self.generations.last();
        DataKeyFacts {
            purpose: self.purpose.clone(),
            generation: newest.map_or(0, |(number, _)| *number),
            kek: newest.map_or_else(String::new, |(_, wrapped)| wrapped.kek.clone()),
        }
    }
}

/// Reads a key's file, which must be for `purpose` if one is given.
pub(crate) fn read(path: &Path, purpose: Option<&str>) -> Result<KeyFile, DataKeyError> {
    let mut text = String::new();
    open_file(path)?
        .take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(|source| DataKeyError::Io { path: path.to_owned(), source })?;
    let damaged = |line: usize| DataKeyError::Format { path: path.to_owned(), line };
    let mut lines = text.lines();
    if lines.next() != Some(FORMAT) {
        return Err(damaged(1));
    }
    let found = lines.next().and_then(|line| line.strip_prefix("for ")).ok_or_else(|| damaged(2))?;
    if let Some(wanted) = purpose.filter(|wanted| *wanted != found) {
        return Err(DataKeyError::Purpose {
            path: path.to_owned(),
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        });
    }
    let mut generations: Vec<(u32, Wrapped)> = Vec::new();
    for (at, line) in lines.enumerate() {
        let generation = parse(line).ok_or_else(|| damaged(at + 3))?;
        if generations.last().is_some_and(|(last, _)| *last >= generation.0) {
            return Err(damaged(at + 3));
        }
        generations.push(generation);
    }
    if generations.is_empty() {
        return Err(damaged(3));
    }
    Ok(KeyFile { purpose: found.to_owned(), generations })
}

fn parse(line: &str) -> Option<(u32, Wrapped)> {
    let mut words = line.strip_prefix("key ")?.split(' ');
    let number = words.next()?.parse().ok()?;
    let kek = words.next()?.to_owned();
    let bytes = STANDARD.decode(words.next()?).ok()?;
    words.next().is_none().then_some((number, Wrapped { kek, bytes }))
}
