//! `schloss.toml`: what a node is told, checked before anything starts.

mod error;
mod file;
mod secret;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schloss_identity::{Mechanism, Password};
use schloss_log::Durability;
use schloss_wire::Principal;

pub(crate) use error::ConfigError;

/// A checked configuration; paths are absolute or relative to the working directory.
pub(crate) struct Config {
    /// The file it was read from.
    pub(crate) path: PathBuf,
    /// Where everything is kept.
    pub(crate) data_dir: PathBuf,
    /// The node id that clients see.
    pub(crate) node_id: i32,
    /// Principals that every request of is allowed.
    pub(crate) super_users: Vec<Principal>,
    /// At least one.
    pub(crate) listeners: Vec<Listener>,
    /// The account made at the first start, if any.
    pub(crate) bootstrap: Option<Bootstrap>,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) audit: Audit,
}

/// One place where clients may knock.
pub(crate) struct Listener {
    pub(crate) name: String,
    /// Sockets to bind; port 0 is refused, since clients are told the port.
    pub(crate) bind: Vec<SocketAddr>,
    pub(crate) advertised_host: String,
    pub(crate) advertised_port: u16,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) mechanisms: Vec<Mechanism>,
}

/// An account that is made when it does not exist yet.
pub(crate) struct Bootstrap {
    pub(crate) user: String,
    pub(crate) password: Password,
}

/// Bounds of the gate.
pub(crate) struct Limits {
    pub(crate) max_request_bytes: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) authentication_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) failed_authentication_delay: Duration,
}

/// How records are kept.
pub(crate) struct Log {
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: u64,
}

/// Where audit records go.
pub(crate) struct Audit {
    pub(crate) directory: PathBuf,
    pub(crate) max_file_bytes: u64,
    pub(crate) max_files: usize,
    pub(crate) summary_interval: Duration,
}

impl Config {
    /// Reads and checks `path`.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, key and what to do.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        file::load(path)
    }

    /// Where clients are told to connect, by listener name.
    pub(crate) fn advertised(&self) -> BTreeMap<String, (String, u16)> {
        self.listeners
            .iter()
            .map(|listener| {
                (listener.name.clone(), (listener.advertised_host.clone(), listener.advertised_port))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
