//! A client file: its text, and its dialect by its name.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::ConfigError;
use crate::files::NamedFile;

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
    file: NamedFile,
    pub(crate) dialect: Dialect,
}

/// One `key = value` of a file. The value may be a password, so there is no `Debug`.
pub(crate) struct Entry {
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) value: Zeroizing<String>,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = NamedFile::read(path)
            .map_err(|error| problem(format!("cannot read it: {error}; name a client file")))?;
        let dialect = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Dialect::Json,
            Some("conf") => Dialect::Librdkafka,
            _ => Dialect::Java,
        };
        Ok(Self { file, dialect })
    }

    pub(crate) fn text(&self) -> Result<&str, ConfigError> {
        str::from_utf8(&self.file.bytes).map_err(|_| problem("is no UTF-8; name a client file".to_owned()))
    }

    /// Where the file is, for paths in it.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.file.path.parent()
    }

    /// Refuses a file that holds a secret and is open to group or others.
    pub(crate) fn require_private(&self, secret: &str) -> Result<(), ConfigError> {
        self.file.require_private(secret).map_err(problem)
    }
}

fn problem(problem: String) -> ConfigError {
    ConfigError { problem, ..ConfigError::default() }
}
