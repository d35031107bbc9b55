//! The cluster as it is before anything is made, and the file that says how to reach it.

use std::path::Path;

use anyhow::Context;
use schloss_client::{ClientConfig, Cluster, Security};

use super::Arguments;
use crate::cli::UsageError;
use crate::node::upstream_error;
use crate::quickstart::upstream_file;

/// The ids of the brokers that there are, asked as `file` says.
///
/// # Errors
/// The cluster can't be reached, or does not let us in.
pub(super) async fn brokers(client: &ClientConfig, file: &Path) -> anyhow::Result<Vec<i32>> {
    let cluster = Cluster::connect(client.clone()).await.map_err(|error| upstream_error(error, file))?;
    Ok(cluster.brokers().iter().map(|broker| broker.id).collect())
}

/// Copies or makes the client file, and returns its name, the addresses to use instead of those in it, and what
/// it says.
pub(super) fn client(
    root: &Path,
    arguments: &Arguments,
) -> anyhow::Result<(String, Option<Vec<String>>, ClientConfig)> {
    let wanted = &arguments.upstream;
    let Some(given) = &arguments.upstream_config else {
        if wanted.is_empty() {
            let message =
                "name the cluster with --upstream HOST:PORT, and its client file with --upstream-config FILE";
            return Err(UsageError(message.to_owned()).into());
        }
        let name = upstream_file::make_open(root, wanted)?;
        let client = ClientConfig::from_file(root.join(&name)).context("--upstream")?;
        return Ok((name, None, client));
    };
    // Errors name the file that the user knows.
    let in_file = ClientConfig::from_file(given);
    let suffices = match &in_file {
        Ok(client) => wanted.iter().all(|address| client.bootstrap.contains(address)),
        Err(_) => wanted.is_empty(),
    };
    let client = if suffices { in_file? } else { ClientConfig::from_file_for(given, wanted)? };
    let name = upstream_file::copy(root, given)?;
    Ok((name, (!suffices).then(|| wanted.clone()), client))
}

pub(super) fn is_plaintext(client: &ClientConfig) -> bool {
    matches!(client.security, Security::Plaintext)
}
