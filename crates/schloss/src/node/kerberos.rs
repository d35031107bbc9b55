//! Kerberos: the keytab in the environment of the process, and the library that reads it there.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use schloss_identity::KerberosLogin;
use schloss_kerberos::{Acceptor, KEYTAB_VARIABLE, is_in_environment, keytab_value};

use crate::config::Common;

/// Starts this program anew, as the same process, with the keytab of the configuration in its environment, if it is
/// not there. To be called before anything is opened.
///
/// # Errors
/// The program can't be started.
pub(crate) fn restart_with_keytab(common: &Common) -> anyhow::Result<()> {
    let Some(kerberos) = common.kerberos.as_ref().filter(|kerberos| !is_in_environment(&kerberos.keytab))
    else {
        return Ok(());
    };
    let program =
        std::env::current_exe().context("kerberos: this program can't be found to start it anew")?;
    let mut arguments = std::env::args_os();
    let mut command = Command::new(&program);
    command.env(KEYTAB_VARIABLE, keytab_value(&kerberos.keytab));
    command.arg0(arguments.next().unwrap_or_else(|| program.clone().into())).args(arguments);
    // It only comes back if it failed.
    Err(command.exec()).with_context(|| format!("kerberos: {} can't be started anew", program.display()))
}

/// Log-in by tickets as the configuration says, if it does.
///
/// # Errors
/// The keytab can't be used.
pub(super) async fn tickets(common: &Common) -> anyhow::Result<Option<Arc<KerberosLogin>>> {
    let Some(kerberos) = &common.kerberos else { return Ok(None) };
    let (keytab, service) = (kerberos.keytab.clone(), kerberos.service.clone());
    let opened = tokio::task::spawn_blocking(move || Acceptor::open(&keytab, &service)).await?;
    let acceptor = opened.with_context(|| format!("{}: kerberos.keytab", common.path.display()))?;
    Ok(Some(Arc::new(KerberosLogin::new(Arc::new(acceptor), kerberos.rules.clone()))))
}
