//! Secrets that a configuration points to.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use zeroize::Zeroizing;

use super::error::ConfigError;
use super::source::Source;

/// The secret in a file of mode 0600, without the end of its line. `key` is the setting that names the file.
///
/// # Errors
/// The file can't be read, or others can read it.
pub(super) fn from_file(
    source: &Source<'_>,
    file: &Spanned<PathBuf>,
    key: &str,
) -> Result<Zeroizing<String>, ConfigError> {
    let path = source.resolve(file.get_ref());
    let fail = |message: String| source.error(file.span(), key, message);
    require_private(&path).map_err(fail)?;
    let text = std::fs::read_to_string(&path).map(Zeroizing::new);
    let text = text.map_err(|error| fail(format!("{} can't be read: {error}", path.display())))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The secret in an environment variable. `key` is the setting that names it.
///
/// # Errors
/// It is not set.
pub(super) fn from_env(
    source: &Source<'_>,
    name: &Spanned<String>,
    key: &str,
) -> Result<Zeroizing<String>, ConfigError> {
    std::env::var(name.get_ref()).map(Zeroizing::new).map_err(|_| {
        let message = format!("environment variable {} is not set", name.get_ref());
        source.error(name.span(), key, message)
    })
}

/// Refuses a file that others than its owner may read, as ssh does with its keys.
///
/// # Errors
/// The reason and the command that mends it, in words.
pub(crate) fn require_private(path: &Path) -> Result<(), String> {
    const OTHERS: u32 = 0o077;
    let metadata =
        std::fs::metadata(path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    if metadata.mode() & OTHERS == 0 {
        return Ok(());
    }
    Err(format!(
        "{} can be read by others (mode {:04o}): run 'chmod 600 {}'",
        path.display(),
        metadata.mode() & 0o7777,
        path.display()
    ))
}
