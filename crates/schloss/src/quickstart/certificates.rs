//! A certificate authority of the node's own, and the certificate that its listener shows.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use time::Duration;

use crate::datadir::{write_private, write_public};

/// Ten years: replacing the CA means touching every client.
const CA_VALID: Duration = Duration::days(3650);
/// A year and a month, the longest that clients in general accept of a server.
const SERVER_VALID: Duration = Duration::days(397);

/// Makes `pki/`: CA and server certificate for this machine, and for `more` names.
///
/// # Errors
/// A name that can't stand in a certificate, or the file system's.
pub(super) fn make(root: &Path, more: &[String]) -> anyhow::Result<()> {
    let host_name = gethostname::gethostname().to_string_lossy().into_owned();
    let authority = schloss_pki::Authority::generate(&format!("Schloss CA of {host_name}"), CA_VALID)?;
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
    write_public(&pki.join("ca.pem"), authority.cert_pem().as_bytes())?;
    write_private(&pki.join("ca.key"), authority.key_pem().as_bytes())?;
    write_public(&pki.join("server.pem"), server.cert_pem.as_bytes())?;
    write_private(&pki.join("server.key"), server.key_pem.as_bytes())
}
