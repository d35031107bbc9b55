//! The file that holds the root.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::private::{FILE_MODE, open_file};
use crate::root::{KEY_BYTES, SealingKey};

/// More than any form of the key takes, in bytes.
const MAX_FILE_BYTES: u64 = 256;

impl SealingKey {
    /// Reads the key from a file of 32 raw bytes, or of their base64 with white space around it. The file must
    /// be ours and nobody else's to read.
    ///
    /// # Errors
    /// What is wrong with the file, and the command that mends it.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let file = open_file(path)?;
        let mut content = Zeroizing::new(Vec::with_capacity(2 * MAX_FILE_BYTES as usize));
        file.take(MAX_FILE_BYTES).read_to_end(&mut content).map_err(io_error(path))?;
        parse(&content).ok_or_else(|| KeyError::Format(path.to_owned()))
    }

    /// Makes a new key and a file of mode 0600 for it, in base64. The file must not exist: it may hold a key
    /// that something is sealed with.
    ///
    /// # Errors
    /// The file exists or can't be written.
    pub fn generate_file(path: &Path) -> Result<Self, KeyError> {
        let wrong = io_error(path);
        let key = Self::generate()?;
        let mut text = Zeroizing::new(STANDARD.encode(key.bytes()));
        text.reserve_exact(1);
        text.push('\n');
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path).map_err(&wrong)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(&wrong)?;
        Ok(key)
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> KeyError + '_ {
    |source| KeyError::Io { path: path.to_owned(), source }
}

fn parse(content: &[u8]) -> Option<SealingKey> {
    if let Ok(raw) = <&[u8; KEY_BYTES]>::try_from(content) {
        return Some(SealingKey::from_bytes(raw));
    }
    let mut raw = Zeroizing::new([0; KEY_BYTES]);
    // The decoder wants room for what it might need, a little more than what it gives.
    let mut decoded = Zeroizing::new([0; MAX_FILE_BYTES as usize]);
    let length = STANDARD.decode_slice(content.trim_ascii(), decoded.as_mut_slice()).ok()?;
    if length != KEY_BYTES {
        return None;
    }
    raw.copy_from_slice(&decoded[..KEY_BYTES]);
    Some(SealingKey::from_bytes(&raw))
}
