//! A certificate authority of the node's own, and the certificate that its listener shows.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use schloss_pki::Authority;
use time::Duration;
use zeroize::Zeroizing;

use crate::cli::UsageError;
use crate::datadir::{write_private, write_public};

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";

/// Ten years: replacing the CA means touching every client.
const CA_VALID: Duration = Duration::days(3650);
/// A year and a month, the longest that clients in general accept of a server.
const SERVER_VALID: Duration = Duration::days(397);

/// Makes `pki/`: CA and server certificate for this machine, and for `more` names. With a `shared` CA its certificate
/// alone is put there: its key stays where it is.
///
/// # Errors
/// A name that can't stand in a certificate, a CA that can't be used, or the file system's.
pub(super) fn make(root: &Path, more: &[String], shared: Option<&Path>) -> anyhow::Result<()> {
    let host_name = gethostname::gethostname().to_string_lossy().into_owned();
    let authority = match shared {
        Some(directory) => shared_authority(directory)?,
        None => Authority::generate(&format!("Schloss CA of {host_name}"), CA_VALID)?,
    };
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    for name in std::iter::once(&host_name).chain(more) {
        if !name.is_empty() && !names.contains(name) {
            names.push(name.clone());
        }
    }
    let server = authority
        .issue_server(&names, SERVER_VALID)
        .with_context(|| format!("no certificate can be issued for {}", names.join(", ")))?;
    let pki = root.join("pki");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&pki)?;
    write_public(&pki.join(CA), authority.cert_pem().as_bytes())?;
    if shared.is_none() {
        write_private(&pki.join(CA_KEY), authority.key_pem().as_bytes())?;
    }
    write_public(&pki.join("server.pem"), server.cert_pem.as_bytes())?;
    write_private(&pki.join("server.key"), server.key_pem.as_bytes())
}

/// Where the certificate of a CA is, in a directory like our `pki/` or one that has such a directory.
pub(super) fn shared_ca(directory: &Path) -> PathBuf {
    let inside = directory.join("pki").join(CA);
    if inside.exists() { inside } else { directory.join(CA) }
}

/// The CA in a directory like our `pki/`, or in one that has such a directory.
///
/// # Errors
/// It is not there, can't be used, or its key can be read by others.
pub(crate) fn shared_authority(directory: &Path) -> anyhow::Result<Authority> {
    let certificate = shared_ca(directory);
    let key = certificate.with_file_name(CA_KEY);
    let unreadable = |path: &Path, error: &dyn Display| {
        UsageError(format!(
            "--ca: {}: {error}; name the data directory of a node that has a CA, or one with {CA} and {CA_KEY}",
            path.display()
        ))
    };
    let text = fs::read_to_string(&certificate).map_err(|error| unreadable(&certificate, &error))?;
    let mode = fs::metadata(&key).map_err(|error| unreadable(&key, &error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(UsageError(format!(
            "--ca: {} can be read by others (mode {:o}): chmod 600 it",
            key.display(),
            mode & 0o777
        ))
        .into());
    }
    let secret = fs::read_to_string(&key).map(Zeroizing::new).map_err(|error| unreadable(&key, &error))?;
    Ok(Authority::from_pem(&text, &secret).map_err(|error| unreadable(&certificate, &error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_ca_signs_and_its_key_stays_where_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("first"), directory.path().join("second"));
        make(&first, &[], None).unwrap();
        make(&second, &[], Some(&first)).unwrap();
        let read = |path: PathBuf| fs::read(path).unwrap();
        assert_eq!(read(first.join("pki/ca.pem")), read(second.join("pki/ca.pem")));
        assert_ne!(read(first.join("pki/server.key")), read(second.join("pki/server.key")));
        assert!(!second.join("pki/ca.key").exists());

        let missing = make(&second, &[], Some(&second)).unwrap_err();
        assert!(missing.to_string().contains("ca.key"), "{missing}");
        fs::set_permissions(first.join("pki/ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
        let open = make(&second, &[], Some(&first.join("pki"))).unwrap_err();
        assert!(open.to_string().contains("chmod 600"), "{open}");
    }
}
