//! A broker with its own log.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use schloss_broker::{Advertised, Broker, BrokerConfig};
use schloss_log::{Durability, Flusher, LogConfig};
use schloss_metadata::Metadata;
use tracing::warn;

use super::office::open_audit;
use super::{Behind, Node, Office, doors};
use crate::config::ServeConfig;
use crate::datadir::DataDir;

const FLUSH_THREADS: usize = 2;

/// The state of a broker, opened and not yet served.
pub(crate) struct State {
    flusher: Arc<Flusher>,
    pub(crate) office: Office,
}

impl State {
    /// Opens audit and metadata. Nothing listens yet.
    ///
    /// # Errors
    /// A directory of something else, or a log that can't be read.
    pub(crate) async fn open(data_dir: DataDir, config: &ServeConfig) -> anyhow::Result<Self> {
        let audit = open_audit(&config.common.audit, format!("/schloss/node-{}", config.node_id))?;
        let flusher = Flusher::start(FLUSH_THREADS)?;
        let metadata = tokio::task::spawn_blocking({
            let (directory, super_users) = (data_dir.join("metadata"), config.common.super_users.clone());
            let flusher = Arc::clone(&flusher);
            move || Metadata::open(&directory, super_users, flusher)
        })
        .await?
        .context("the metadata log can't be opened")?;
        Ok(Self { flusher, office: Office { data_dir, metadata, audit } })
    }

    /// Opens the broker and the gate: from here on clients are served.
    ///
    /// # Errors
    /// TLS files that don't fit, a log that can't be read, or an address that can't be bound.
    pub(crate) async fn serve(self, config: &ServeConfig) -> anyhow::Result<Node> {
        let Self { flusher, office } = self;
        let broker = tokio::task::spawn_blocking({
            let broker_config = broker_config(office.data_dir.path(), config);
            let (metadata, flusher) = (Arc::clone(&office.metadata), Arc::clone(&flusher));
            move || Broker::open(broker_config, metadata, flusher)
        })
        .await?
        .context("the records can't be opened")?;
        let mut ports = Vec::new();
        for one in &config.listeners {
            ports.extend(doors::ports(&one.listener)?);
        }
        let gate_config = doors::gate_config(&config.common, ports);
        let engine = Arc::new(Broker::clone(&broker));
        office.open_gate(&config.common, gate_config, engine, Behind::Log(flusher)).await
    }
}

impl Node {
    /// Opens everything that `config` names and serves.
    ///
    /// # Errors
    /// Whatever keeps it from serving; nothing is served in part.
    pub(crate) async fn serve(config: &ServeConfig) -> anyhow::Result<Self> {
        if config.log.durability == Durability::Os {
            warn!("log.durability is \"os\": acks=all is answered before the data is on disk");
        }
        let data_dir = DataDir::open(&config.common.data_dir)?;
        let state = State::open(data_dir, config).await?;
        state.office.bootstrap(config.common.bootstrap.as_ref()).await?;
        state.serve(config).await
    }
}

fn broker_config(data_dir: &Path, config: &ServeConfig) -> BrokerConfig {
    let advertised = config.listeners.iter().map(|one| {
        let place = Advertised { host: one.listener.advertised_host.clone(), port: one.advertised_port };
        (one.listener.name.clone(), place)
    });
    let log = LogConfig {
        segment_bytes: config.log.segment_bytes,
        durability: config.log.durability,
        ..LogConfig::default()
    };
    BrokerConfig::new(data_dir.to_owned(), config.node_id, advertised.collect(), log)
}
