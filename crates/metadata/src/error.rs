//! What can go wrong: with the store, and with one wish out of many.

use std::io;
use std::path::{Path, PathBuf};

use schloss_log::LogError;
use schloss_wire::ErrorCode;
use thiserror::Error;

/// The metadata could not be opened or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The directory or a file in it could not be used.
    #[error("can't use {}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the directory open.
    #[error("{} is in use by another process: stop that one first", .0.display())]
    InUse(PathBuf),
    /// The journal could not be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record is of a kind that this version does not know, or does not read as its kind.
    #[error(
        "a metadata record can't be understood: {0}; it was written by another version, so start that one"
    )]
    Record(String),
    /// A record that does not fit what came before it.
    #[error("a metadata record can't be applied: {0}")]
    Inapplicable(String),
    /// A change is too large to be one.
    #[error("the change takes {bytes} bytes in the journal, more than {limit}: make several smaller ones")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// A shared ledger gave the change no turn that lasted to its end.
    #[error("the change was not made in {seconds} s, something came between each time: {why}; try again")]
    Contended {
        /// How long it was tried.
        seconds: u64,
        /// What came between at last.
        why: String,
    },
    /// The ledger can't be reached or written; nothing was changed.
    #[error("the metadata can't be changed now: {0}")]
    Unavailable(String),
    /// The change may have been made.
    #[error("it is not known whether the change was made: {0}; look before making it again")]
    Undecided(String),
    /// The ledger keeps no such records.
    #[error("{0} can't be kept by this ledger")]
    Unsupported(&'static str),
    /// The server is being stopped.
    #[error("the change was interrupted by the end of the server; whether it happened shows after a restart")]
    Interrupted,
}

impl MetadataError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// The error code for a client. The text of the error is for the log: it names files.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::PolicyViolation,
            Self::Contended { .. } | Self::Unavailable(_) | Self::Undecided(_) => ErrorCode::RequestTimedOut,
            Self::Unsupported(_) => ErrorCode::InvalidRequest,
            Self::Io { .. } | Self::Log(_) => ErrorCode::KafkaStorageError,
            _ => ErrorCode::UnknownServerError,
        }
    }
}

/// Why one wish of a request is not fulfilled, in Kafka's terms; the others may be.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// What the client gets.
    pub code: ErrorCode,
    /// In words, for the client too.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
