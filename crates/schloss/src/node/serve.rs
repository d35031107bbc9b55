//! A broker with its own log.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schloss_audit::{Audit, Event};
use schloss_broker::{Advertised, Broker, BrokerConfig, GroupsConfig, Storage};
use schloss_gate::GateConfig;
use schloss_log::{Durability, Flusher, LogConfig, OnDamage, Vault};
use schloss_metadata::Metadata;
use tracing::warn;

use super::{
    Behind, ClientFiles, Node, NodeKeys, Office, SYSTEM, directory, doors, issuer, kerberos, open_audit,
    process,
};
use crate::config::{DirectorySection, ServeConfig};
use crate::datadir::DataDir;

const FLUSH_THREADS: usize = 2;

/// What has to be there until the end, beside the gate.
pub(super) struct OwnLog {
    /// The gate lets go of its engine first, and logs that nobody holds can't be closed.
    broker: Arc<Broker>,
    flusher: Arc<Flusher>,
    keys: Option<NodeKeys>,
}

impl OwnLog {
    /// Does what no request asked for; does not end.
    pub(super) async fn work(&self, audit: &Audit) {
        match &self.keys {
            Some(keys) => keys.watch(audit).await,
            None => std::future::pending().await,
        }
    }

    /// Brings everything to disk, and notes that all is well.
    ///
    /// # Errors
    /// A log that could not be brought to disk.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        let Self { broker, flusher, keys: _ } = self;
        tokio::task::spawn_blocking(move || {
            broker.stop();
            let closed = flusher.shutdown();
            drop(broker);
            closed
        })
        .await??;
        Ok(())
    }
}

/// The state of a broker, opened and not yet served.
pub(crate) struct State {
    flusher: Arc<Flusher>,
    /// None if nothing is sealed.
    keys: Option<NodeKeys>,
    pub(crate) office: Office,
}

impl State {
    /// Opens audit, keys and metadata. Nothing listens yet.
    ///
    /// # Errors
    /// A directory of something else, keys that do not fit, or a log that can't be read.
    pub(crate) async fn open(data_dir: DataDir, config: &ServeConfig) -> anyhow::Result<Self> {
        let audit = open_audit(&config.common.audit, config.node_id)?;
        let flusher = Flusher::start(FLUSH_THREADS)?;
        let keys = if config.encryption.insecure_plain {
            None
        } else {
            let keys = NodeKeys::open(data_dir.path(), &config.encryption)?;
            // A rotation may have been cut off. A key that can't be used is told of by what it is for.
            if let Err(error) = keys.follow() {
                warn!("a rotation of the keyring can't be taken up yet: {error:#}");
            }
            Some(keys)
        };
        let metadata = tokio::task::spawn_blocking({
            let (directory, super_users) = (data_dir.join("metadata"), config.common.super_users.clone());
            let (vault, flusher) = (vault(keys.as_ref()), Arc::clone(&flusher));
            move || Metadata::open(&directory, super_users, &vault, flusher)
        })
        .await?
        .context("the metadata log can't be opened")?;
        Ok(Self { flusher, keys, office: Office { data_dir, metadata, audit } })
    }

    /// Opens the broker and the gate: from here on clients are served.
    ///
    /// # Errors
    /// TLS files that don't fit, a log that can't be read, or an address that can't be bound.
    pub(crate) async fn serve(self, config: &ServeConfig) -> anyhow::Result<Node> {
        let Self { flusher, keys, office } = self;
        let snapshot = office.metadata.snapshot();
        let partitions = snapshot.topics().map(|topic| u64::from(topic.partitions.unsigned_abs())).sum();
        process::warn_of_few_files(config.common.limits.max_connections as u64, partitions);
        let insecure = "encryption.insecure_plain: records and metadata are readable by whoever has the disk";
        let is_open = config.common.directory.as_ref().is_some_and(DirectorySection::is_insecure);
        office.warn_of_insecure(&[(keys.is_none(), insecure), (is_open, directory::INSECURE)]).await?;
        let storage = Storage {
            flusher: Arc::clone(&flusher),
            vault: vault(keys.as_ref()),
            on_damage: Some(told_of_damage(office.audit.clone())),
        };
        let broker = tokio::task::spawn_blocking({
            let broker_config = broker_config(office.data_dir.path(), config);
            let metadata = Arc::clone(&office.metadata);
            move || Broker::open(broker_config, metadata, storage)
        })
        .await?
        .context("the records can't be opened")?;
        let tokens = issuer::tokens(&config.common, &office.data_dir).await?;
        let (mut ports, mut client_files) = (Vec::new(), ClientFiles::default());
        for one in &config.listeners {
            let opened = doors::ports(&one.listener, tokens.as_ref())?;
            client_files.add(&one.listener, &opened);
            ports.extend(opened);
        }
        let directory = directory::start(config.common.directory.as_ref()).await?;
        let kerberos = kerberos::tickets(&config.common).await?;
        let gate_config = GateConfig { kerberos, ..doors::gate_config(&config.common, ports, directory) };
        let engine = Arc::new(Broker::clone(&broker));
        let behind = Behind::Log(Box::new(OwnLog { broker, flusher, keys }));
        office.open_gate(&config.common, gate_config, engine, behind, client_files).await
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

fn vault(keys: Option<&NodeKeys>) -> Vault {
    keys.map_or(Vault::InsecurePlain, NodeKeys::vault)
}

/// Writes down what is damaged on disk, once for each place.
fn told_of_damage(audit: Audit) -> OnDamage {
    Arc::new(move |damage| {
        let event = Event::system("schloss.StorageDamage")
            .principal(SYSTEM)
            .resource("Topic", uuid_text(damage.identity.topic))
            .result("CORRUPT_MESSAGE")
            .message(format!("{} at byte {}: {}", damage.path.display(), damage.position, damage.reason));
        audit.try_record(event);
    })
}

/// A topic's id as Kafka writes it.
fn uuid_text(id: [u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(id)
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
    let broker = BrokerConfig::new(data_dir.to_owned(), config.node_id, advertised.collect(), log);
    let groups = GroupsConfig { offsets_retention: config.offsets_retention, ..GroupsConfig::default() };
    let (retention_ms, max_partitions) = (config.log.retention_ms, config.log.max_partitions);
    BrokerConfig { retention_ms, max_partitions, groups, ..broker }
}
