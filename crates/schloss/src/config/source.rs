//! The text of a configuration file: read, parsed, and searched for the place of what is wrong.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use toml::Spanned;
use zeroize::Zeroizing;

use super::error::{ConfigError, nearest};

/// A file under check, to find lines in.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    text: &'a str,
}

/// The text of a configuration file, which may hold a password.
///
/// # Errors
/// It can't be read; `help` says where to get one.
pub(super) fn read(path: &Path, help: &str) -> Result<Zeroizing<String>, ConfigError> {
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| ConfigError {
        path: path.to_owned(),
        line: None,
        key: None,
        message: format!("can't be read: {error}"),
        help: Some(help.to_owned()),
    })
}

impl<'a> Source<'a> {
    /// `text`, as if it stood in `path`.
    pub(super) const fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text }
    }

    /// The keys of the file, still unchecked.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(self.text).map_err(|error| self.syntax_error(&error))
    }

    /// Whether it has a section of this name; one that can't be parsed has none.
    pub(super) fn has_section(&self, name: &str) -> bool {
        self.text.parse::<toml::Table>().is_ok_and(|table| table.contains_key(name))
    }

    /// A path of the file, which starts at the file's directory if it is relative.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        // Without the dots of `data_dir = "."`, which would stand in every message.
        self.path.parent().unwrap_or(Path::new(".")).join(path).components().collect()
    }

    pub(super) fn error(&self, span: Range<usize>, key: &str, message: impl Into<String>) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            line: Some(self.line(span.start)),
            key: Some(key.to_owned()),
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn missing(&self, key: &str, help: &str) -> ConfigError {
        ConfigError {
            path: self.path.to_owned(),
            line: None,
            key: Some(key.to_owned()),
            message: "is missing".to_owned(),
            help: Some(help.to_owned()),
        }
    }

    fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let message = error.message();
        let line = error.span().map(|span| self.line(span.start));
        let key = line.and_then(|line| self.key_on(line));
        // serde words it "unknown field `x`, expected one of `a`, `b`"; only that wording gives the candidates.
        let mut quoted = message.split('`').skip(1).step_by(2);
        let (message, help) = match quoted.next() {
            Some(word) if message.starts_with("unknown field") => {
                let known: Vec<&str> = quoted.collect();
                let help = match nearest(word, known.iter().copied()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                (format!("unknown key '{word}'"), Some(help))
            }
            // serde repeats the value that it did not expect, and here that is the secret.
            _ if key.as_deref().is_some_and(|key| key.ends_with("password")) => {
                ("is not readable as a string in quotes".to_owned(), None)
            }
            _ => (message.to_owned(), None),
        };
        ConfigError { path: self.path.to_owned(), line, key, message, help }
    }

    /// The key that stands on a line, with its section.
    fn key_on(&self, line: usize) -> Option<String> {
        let lines: Vec<&str> = self.text.lines().take(line).collect();
        let (key, value) = lines.last()?.split_once('=').unzip();
        let section = lines
            .iter()
            .rev()
            .find_map(|line| line.trim().strip_prefix('['))
            .map(|rest| rest.trim_start_matches('[').split(']').next().unwrap_or_default().trim());
        value?;
        Some(match (section, key?.trim()) {
            (Some(section), key) => format!("{section}.{key}"),
            (None, key) => key.to_owned(),
        })
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or(self.text).matches('\n').count() + 1
    }

    /// The number under `value`, or `default`, within `range`.
    pub(super) fn number(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let Some(value) = value else { return Ok(default) };
        if range.contains(value.get_ref()) {
            return Ok(*value.get_ref());
        }
        let (number, low, high) = (value.get_ref(), range.start(), range.end());
        Err(self.error(value.span(), key, format!("{number} is impossible: must be {low} to {high}")))
    }

    pub(super) fn millis(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<Duration, ConfigError> {
        self.number(value, key, default, range).map(Duration::from_millis)
    }

    pub(super) fn count(
        &self,
        value: Option<&Spanned<u64>>,
        key: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<usize, ConfigError> {
        let number = self.number(value, key, default, range)?;
        usize::try_from(number).map_err(|_| self.missing(key, "use a smaller number on this machine"))
    }
}
