//! What all network commands begin with.

use std::future::Future;

use schloss_client::{ClientConfig, Cluster};

use super::ClientFile;

/// Connects as the client file says and runs `work` with the cluster.
///
/// # Errors
/// The client file's, the connection's, or those of `work`.
pub(super) fn with_cluster<T, F>(file: &ClientFile, work: impl FnOnce(Cluster) -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let config = ClientConfig::from_file(&file.client)?;
    block_on(async { work(Cluster::connect(config).await?).await })
}

/// Runs `work` on a runtime of its own.
///
/// # Errors
/// Those of `work`, or no threads to run it on.
pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}
