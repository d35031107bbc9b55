//! Secrets that a configuration points to.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

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
