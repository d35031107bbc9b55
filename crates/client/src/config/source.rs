//! Reading a client file: bounded, its dialect by its name, and closed to other users if it holds a secret.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::ConfigError;

/// Largest client or CA file, in bytes. A system's CA bundle has about 250 KiB.
pub(crate) const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024;

/// How the file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    /// Java `.properties`.
    Java,
    /// librdkafka and kcat `.conf`.
    Librdkafka,
    /// Schloss' own `.json`.
    Json,
}

/// A client file in memory; wiped when dropped.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: Zeroizing<String>,
    pub(crate) dialect: Dialect,
    /// Permission bits that let others than the owner in; 0 where the system has none.
    open_bits: u32,
}

/// One `key = value` of a file. The value may be a password, so there is no `Debug`.
pub(crate) struct Entry {
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) value: Zeroizing<String>,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |error: std::io::Error| ConfigError {
            problem: format!("cannot read it: {error}"),
            ..Default::default()
        };
        let file = File::open(path).map_err(unreadable)?;
        // Asked of the open file, so that it can't be exchanged in between.
        let open_bits = open_bits(&file.metadata().map_err(unreadable)?);
        let mut text = Zeroizing::new(String::new());
        let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if read as u64 > MAX_FILE_BYTES {
            return Err(ConfigError {
                problem: format!("is over {MAX_FILE_BYTES} bytes; name a client file"),
                ..Default::default()
            });
        }
        let dialect = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Dialect::Json,
            Some("conf") => Dialect::Librdkafka,
            _ => Dialect::Java,
        };
        Ok(Self { path: path.to_owned(), text, dialect, open_bits })
    }

    /// Where the file is, for paths in it.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.path.parent()
    }

    /// Refuses a file that holds a password and is open to group or others, as ssh does with keys.
    pub(crate) fn require_private(&self) -> Result<(), ConfigError> {
        if self.open_bits == 0 {
            return Ok(());
        }
        Err(ConfigError {
            problem: format!(
                "holds a password and is open to other users (mode bits {:03o}); run: chmod 600 {}",
                self.open_bits,
                self.path.display()
            ),
            ..Default::default()
        })
    }
}

#[cfg(unix)]
fn open_bits(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077
}

#[cfg(not(unix))]
fn open_bits(_metadata: &std::fs::Metadata) -> u32 {
    0
}
