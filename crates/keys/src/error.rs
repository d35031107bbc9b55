//! What can be wrong with a key, and with what it should open.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::kms::KmsError;
use crate::private::NotPrivate;

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
    /// The file is not ours alone.
    #[error("the key file {0}")]
    NotPrivate(#[source] NotPrivate),
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

impl From<NotPrivate> for KeyError {
    fn from(error: NotPrivate) -> Self {
        match error {
            NotPrivate::Io { path, source } => Self::Io { path, source },
            error => Self::NotPrivate(error),
        }
    }
}

/// The key of a topic or a journal can't be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataKeyError {
    /// The file can't be read or made.
    #[error("can't use the key file {}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key is gone, and something is sealed with it.
    #[error("the key file {} is missing, and what is sealed for {purpose} takes it: restore it from a backup", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// What it is for.
        purpose: String,
    },
    /// The file is missing, or not ours alone.
    #[error("the key file: {0}")]
    NotPrivate(#[from] NotPrivate),
    /// A new key would take the place of one that something may be sealed with.
    #[error("the key file {} exists already", .0.display())]
    Exists(PathBuf),
    /// The file is damaged.
    #[error("the key file {} is damaged in line {line}: restore it from a backup", path.display())]
    Format {
        /// Which one.
        path: PathBuf,
        /// The first line that can't be read, counted from 1.
        line: usize,
    },
    /// The file holds a key for something else.
    #[error("the key file {} is for {found}, and {wanted} is wanted", path.display())]
    Purpose {
        /// Which one.
        path: PathBuf,
        /// What it is for.
        found: String,
        /// What was to be opened.
        wanted: String,
    },
    /// The KMS does not wrap or unwrap it.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// No randomness.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The keyring can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The file can't be read or made.
    #[error("can't use the keyring {}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is missing, or not ours alone.
    #[error("the keyring: {0}")]
    NotPrivate(#[from] NotPrivate),
    /// A new keyring would take the place of one that something may be wrapped with.
    #[error("the keyring {} exists already", .0.display())]
    Exists(PathBuf),
    /// The file is no keyring.
    #[error("{} is no keyring that this version knows: restore it from a backup", .0.display())]
    Format(PathBuf),
    /// The keyring wants the other means.
    #[error("the keyring {} is locked with a {wanted}, and a {given} was given", path.display())]
    OtherLock {
        /// Which one.
        path: PathBuf,
        /// What it is locked with.
        wanted: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// Another key file or passphrase, or changed bytes.
    #[error("the keyring {} does not open: it was changed, or the {given} is not the one it was locked with", path.display())]
    Locked {
        /// Which one.
        path: PathBuf,
        /// What was given.
        given: &'static str,
    },
    /// There is no such key.
    #[error("the keyring has no key '{0}'")]
    UnknownKey(String),
    /// The name can't be that of a key.
    #[error("'{0}' can't be the name of a key: use letters, digits, '.', '_' and '-', at most 100")]
    Name(String),
    /// The passphrase can't be stretched: too little memory.
    #[error("can't derive a key from the passphrase: {0}")]
    Passphrase(String),
    /// No randomness.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Sealed bytes that this key, at this place, does not open: another key, another place, or changed bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the sealed bytes were changed, moved, or sealed with another key")]
pub struct OpenError;
