//! The directory: asked for as long as the node runs.

use std::sync::Arc;

use anyhow::Context;
use schloss_directory::{Access, Ldap, LdapConfig};
use tracing::warn;

use crate::config::DirectorySection;

/// What is warned of where the way to the directory is open to all.
pub(super) const INSECURE: &str = "directory.insecure_plain: passwords and groups are readable and can be changed on the way to the directory";

/// The directory as the configuration says. A node starts without it: nobody logs in by it until it is there.
///
/// # Errors
/// The CA of its servers can't be read or used.
pub(super) async fn start(section: Option<&DirectorySection>) -> anyhow::Result<Option<Arc<Ldap>>> {
    let Some(section) = section else { return Ok(None) };
    let ldap = open(section)?;
    if let Err(trouble) = ldap.is_there().await {
        warn!("the directory can't be asked yet, so nobody logs in by it until it can: {trouble}");
    }
    Ok(Some(ldap))
}

/// The same without a look at whether it answers.
///
/// # Errors
/// As [`start`].
pub(crate) fn open(section: &DirectorySection) -> anyhow::Result<Arc<Ldap>> {
    let tls = match &section.ca_file {
        Some(file) => {
            let ca = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
            let tls = schloss_pki::client_config(&ca);
            Some(tls.with_context(|| format!("directory.ca_file: {} can't be used", file.display()))?)
        }
        None => None,
    };
    let ldap = section.ldap.clone();
    Ok(Ldap::start(LdapConfig { access: Access { tls, ..ldap.access }, ..ldap }))
}
