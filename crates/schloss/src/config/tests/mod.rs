//! What is wrong in a file is said with its place; each kind of file has its own tests.

mod gateway;
mod serve;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::ConfigError;
use super::source::Source;

/// A directory with certificate and key files for a configuration to name.
struct Fixture {
    directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { directory: tempfile::tempdir().unwrap() };
        fixture.write("server.pem", "", 0o644);
        fixture.write("server.key", "", 0o600);
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// What `check` makes of `text` in a file of this name.
    fn check<T>(
        &self,
        name: &str,
        text: &str,
        check: impl Fn(&Source<'_>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        check(&Source::new(&self.path(name), text))
    }

    /// An error in words, without the directory before the names of files.
    fn words<T>(&self, result: Result<T, ConfigError>) -> String {
        let error = result.err().expect("refused").to_string();
        error.replace(&format!("{}/", self.directory.path().display()), "")
    }
}
