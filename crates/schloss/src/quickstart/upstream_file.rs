//! The client file of the gateway itself, kept in the data directory so that nobody else's change breaks it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::datadir::write_private;

/// Keys of all dialects that name a file.
const PATHS: &[&str] = &[
    "ssl.truststore.location",
    "ssl.keystore.location",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ca",
    "certificate",
    "key",
];

/// Copies `given` to `upstream.<its ending>`, mode 0600, and returns that name. Files that it names by relative
/// paths are named by absolute ones: the copy stands elsewhere.
///
/// # Errors
/// It can't be read, or names a file that is not there.
pub(super) fn copy(root: &Path, given: &Path) -> anyhow::Result<String> {
    let ending = given.extension().and_then(|ending| ending.to_str());
    // Whatever else it is called, it is read as properties.
    let ending = ending.filter(|ending| ["conf", "json"].contains(ending)).unwrap_or("properties");
    let name = format!("upstream.{ending}");
    let text = fs::read_to_string(given).map(Zeroizing::new);
    let text = text.with_context(|| format!("can't read {}", given.display()))?;
    let mut copied = Zeroizing::new(String::with_capacity(text.len() * 2));
    for line in text.lines() {
        copied.push_str(&with_absolute_path(line, given)?);
        copied.push('\n');
    }
    write_private(&root.join(&name), copied.as_bytes())?;
    Ok(name)
}

/// Writes a client file for a cluster that speaks plain text and asks nobody who they are.
///
/// # Errors
/// The file system's.
pub(super) fn make_open(root: &Path, addresses: &[String]) -> anyhow::Result<String> {
    let name = "upstream.properties";
    let text = format!("bootstrap.servers={}\nsecurity.protocol=PLAINTEXT\n", addresses.join(","));
    write_private(&root.join(name), text.as_bytes())?;
    Ok(name.to_owned())
}

fn with_absolute_path(line: &str, file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let unchanged = Ok(Zeroizing::new(line.to_owned()));
    let Some((key, value)) = line.split_once(['=', ':']) else { return unchanged };
    // JSON has both in quotes, and a comma behind.
    let path = value.trim().trim_end_matches(',').trim_matches('"');
    if !PATHS.contains(&key.trim().trim_matches('"')) || path.is_empty() || Path::new(path).is_absolute() {
        return unchanged;
    }
    // Where the client itself looks, in the same order.
    let beside = file.parent().unwrap_or(Path::new("")).join(path);
    let candidates = [PathBuf::from(path), beside];
    let Some(found) = candidates.iter().find_map(|candidate| fs::canonicalize(candidate).ok()) else {
        bail!("{} names {path}, which is no file: write its absolute path", file.display());
    };
    Ok(Zeroizing::new(line.replacen(path, &found.to_string_lossy(), 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_beside_the_given_one_are_found_from_the_copy_too() {
        let there = tempfile::tempdir().unwrap();
        let here = tempfile::tempdir().unwrap();
        fs::write(there.path().join("my-ca.pem"), "").unwrap();
        let ca = fs::canonicalize(there.path().join("my-ca.pem")).unwrap();
        for (name, text) in [
            ("a.properties", "sasl.password=my-ca.pem\nssl.truststore.location = my-ca.pem\n"),
            ("a.conf", "ssl.ca.location=my-ca.pem\n"),
            ("a.json", "{\n\"ca\": \"my-ca.pem\",\n\"user\": \"u\"\n}\n"),
        ] {
            fs::write(there.path().join(name), text).unwrap();
            let name = copy(here.path(), &there.path().join(name)).unwrap();
            let copied = fs::read_to_string(here.path().join(&name)).unwrap();
            assert_eq!(copied.replacen(&*ca.to_string_lossy(), "my-ca.pem", 1), text, "{name}");
            assert!(copied.contains(&*ca.to_string_lossy()), "{name}");
        }
        fs::write(there.path().join("b.conf"), "ssl.ca.location=nowhere.pem\n").unwrap();
        let error = copy(here.path(), &there.path().join("b.conf")).unwrap_err().to_string();
        assert!(error.contains("names nowhere.pem"), "{error}");
    }
}
