//! What can be wrong with a key, and with what it should open.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A key can't be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file can't be read or made.
    #[error("can't use the key file {}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read or write the file.
    #[error("the key file {0} is open to others (mode {mode:03o}): run chmod 600 {0}", path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to somebody else.
    #[error("the key file {0} belongs to user id {owner}, and we are {us}: run chown {us} {0}", path.display())]
    Owner {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        us: u32,
    },
    /// It is a directory or a device.
    #[error("the key file {} is no regular file", .0.display())]
    NotAFile(PathBuf),
    /// The file holds something else.
    #[error(
        "the key file {} does not hold 32 bytes, raw or in base64: restore it from its backup, or make a new one \
         with: (umask 077; openssl rand -base64 32 > FILE)",
        .0.display()
    )]
    Format(PathBuf),
    /// The operating system has no randomness to give.
    #[error("the operating system gives no random bytes")]
    Random,
}

/// Sealed bytes that this key, at this place, does not open: another key, another place, or changed bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the sealed bytes were changed, moved, or sealed with another key")]
pub struct OpenError;
