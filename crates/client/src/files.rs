//! The files that settings name: read whole and bounded, looked for in two places, secrets only where others
//! can't read them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Largest client, certificate or key file, in bytes. A system's CA bundle has about 250 KiB.
pub(crate) const MAX_FILE_BYTES: u64 = 2 * 1024 * 1024;

/// A file in memory; wiped when dropped.
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Permission bits that let others than the owner in; 0 where the system has none.
    open_bits: u32,
}

impl NamedFile {
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // Asked of the open file, so that it can't be exchanged in between.
        let metadata = file.metadata()?;
        // The whole capacity at once, so that growing leaves no copy of a secret behind.
        let capacity = usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or(0) + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("it is over {MAX_FILE_BYTES} bytes")));
        }
        Ok(Self { path: path.to_owned(), bytes, open_bits: open_bits(&metadata) })
    }

    /// Reads a file looked for in the working directory first and then beside the client file that names it.
    ///
    /// # Errors
    /// It is in neither place or unreadable; the text says so.
    pub(crate) fn find(path: &Path, beside: Option<&Path>) -> Result<Self, String> {
        let candidates: Vec<PathBuf> = match beside {
            Some(directory) if path.is_relative() => vec![path.to_owned(), directory.join(path)],
            _ => vec![path.to_owned()],
        };
        for candidate in &candidates {
            match Self::read(candidate) {
                Ok(file) => return Ok(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("cannot read {}: {error}", candidate.display())),
            }
        }
        let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
        Err(format!("no file at {}; give the path of a PEM file", tried.join(" nor at ")))
    }

    /// Refuses a file that holds a secret and is open to group or others, as ssh does with keys.
    pub(crate) fn require_private(&self, secret: &str) -> Result<(), String> {
        if self.open_bits == 0 {
            return Ok(());
        }
        Err(format!(
            "holds {secret} and is open to other users (mode bits {:03o}); run: chmod 600 {}",
            self.open_bits,
            self.path.display()
        ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_beside_the_one_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca-only-here.pem"), "x").unwrap();
        let file = NamedFile::find(Path::new("ca-only-here.pem"), Some(directory.path())).unwrap();
        assert_eq!(*file.bytes, b"x");
        let error = NamedFile::find(Path::new("nowhere.pem"), Some(directory.path())).err().unwrap();
        assert!(error.contains(" nor at "), "{error}");
    }
}
