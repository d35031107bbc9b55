//! One running node: every room opened in order, and closed in the opposite one.

mod broker_ports;
mod client_files;
mod directory;
mod doors;
mod gateway;
mod issuer;
mod kerberos;
mod keys;
mod leavers;
mod office;
mod process;
mod serve;
mod state_watch;

use std::net::SocketAddr;

use schloss_audit::{Audit, Event};
use schloss_gate::Gate;
use tracing::info;

use crate::datadir::DataDir;

use client_files::ClientFiles;
use gateway::Chores;
use process::Signals;
use serve::OwnLog;

pub(crate) use directory::open as open_directory;
pub(crate) use doors::door;
pub(crate) use gateway::{GatewayState, upstream_error};
pub(crate) use kerberos::restart_with_keytab;
pub(crate) use keys::{NodeKeys, rotated, wrapped_keys};
pub(crate) use office::{Office, open_audit};
pub(crate) use process::runtime;
pub(crate) use serve::State;

/// Who does what no request asked for, in audit records.
const SYSTEM: &str = "System:schloss";

/// A node that serves.
pub(crate) struct Node {
    gate: Gate,
    audit: Audit,
    behind: Behind,
    signals: Signals,
    client_files: ClientFiles,
    /// Held until the end: a second process stays out.
    _data_dir: DataDir,
}

/// What stands behind the gate.
enum Behind {
    /// A log of our own.
    Log(Box<OwnLog>),
    /// An Apache Kafka cluster, and state that other gateways share.
    Cluster(Box<Chores>),
}

impl Behind {
    /// What is to be done while clients are served, for ever.
    async fn work(&mut self, gate: &Gate, audit: &Audit) {
        match self {
            Self::Log(log) => log.work(audit).await,
            Self::Cluster(chores) => chores.run(gate, audit).await,
        }
    }

    async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Log(log) => log.close().await,
            Self::Cluster(chores) => {
                chores.end().await;
                Ok(())
            }
        }
    }
}

impl Node {
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.gate.addresses().into_iter().map(|(_, address)| address)
    }

    /// Where audit records go.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Serves until SIGINT or SIGTERM, then stops in order.
    ///
    /// # Errors
    /// A log that could not be brought to disk.
    pub(crate) async fn serve_until_signal(mut self) -> anyhow::Result<()> {
        let name = tokio::select! {
            name = self.signals.next() => name,
            () = self.behind.work(&self.gate, &self.audit) => "END",
            () = self.client_files.follow(&self.audit) => "END",
        };
        info!(signal = name, "stopping: requests in flight are finished and everything is flushed");
        self.stop(name).await
    }

    /// Stops: no new connections, requests in flight finished, everything on disk.
    ///
    /// # Errors
    /// A log that could not be brought to disk.
    pub(crate) async fn stop(self, why: &str) -> anyhow::Result<()> {
        self.gate.shutdown().await;
        self.behind.close().await?;
        let stopped = Event::system("schloss.Stop").principal(SYSTEM).message(why);
        Ok(self.audit.record_durably(vec![stopped]).await?)
    }
}
