//! The broker as a value: what it owns, how it is opened.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use schloss_gate::{Features, Offer, QUOTA_APIS};
use schloss_log::LogConfig;
use schloss_metadata::Metadata;
use schloss_wire::messages::api_versions_response::{FinalizedFeatureKey, SupportedFeatureKey};
use schloss_wire::{Api, StrBytes, build};
use thiserror::Error;

use crate::cleaner::Cleaner;
use crate::directories::{DirectoryError, TOPICS};
use crate::dispatch::APIS;
use crate::groups::{Groups, GroupsConfig, GroupsError};
use crate::partitions::{Partitions, TopicLogs};
use crate::share::{Shares, SharesConfig, SharesError};
use crate::storage::Storage;
use crate::transactions::{Transactions, TransactionsConfig, TransactionsError};

/// Where clients of one listener find this node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Advertised {
    /// Name or address that clients connect to.
    pub host: String,
    /// TCP port that clients connect to.
    pub port: u16,
}

/// What a broker is opened with.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// The data directory; partitions live in `topics/`, committed offsets in `groups/`,
    /// the state of share groups in `shares/`, that of transactions in `transactions/`.
    pub data_dir: PathBuf,
    /// This node's id; it leads every partition.
    pub node_id: i32,
    /// Listener name to the address that its clients are told.
    pub advertised: HashMap<String, Advertised>,
    /// Settings of partition logs that no topic setting overrides.
    pub log: LogConfig,
    /// Partitions of a topic that doesn't say how many (`num.partitions`).
    pub default_partitions: i32,
    /// Most partitions this node holds; creating more is refused.
    pub max_partitions: usize,
    /// Largest batch in bytes of a topic that doesn't say (`message.max.bytes`).
    pub max_message_bytes: i32,
    /// How long records are kept of a topic that doesn't say, in milliseconds (`log.retention.ms`); -1 keeps
    /// all.
    pub retention_ms: i64,
    /// Bounds of consumer groups.
    pub groups: GroupsConfig,
    /// Bounds of share groups.
    pub shares: SharesConfig,
    /// Bounds of transactions.
    pub transactions: TransactionsConfig,
}

impl BrokerConfig {
    /// Kafka's own default of `message.max.bytes`.
    pub const DEFAULT_MAX_MESSAGE_BYTES: i32 = 1_048_588;
    /// Each partition keeps a file open for each of its segments, and takes a few KiB of memory.
    pub const DEFAULT_MAX_PARTITIONS: usize = 20_000;

    /// Kafka's own default of `log.retention.ms`: a week.
    pub const DEFAULT_RETENTION_MS: i64 = 7 * 24 * 60 * 60 * 1000;

    /// The defaults, for this directory.
    #[must_use]
    pub fn new(
        data_dir: PathBuf,
        node_id: i32,
        advertised: HashMap<String, Advertised>,
        log: LogConfig,
    ) -> Self {
        Self {
            data_dir,
            node_id,
            advertised,
            log,
            default_partitions: 1,
            max_partitions: Self::DEFAULT_MAX_PARTITIONS,
            max_message_bytes: Self::DEFAULT_MAX_MESSAGE_BYTES,
            retention_ms: Self::DEFAULT_RETENTION_MS,
            groups: GroupsConfig::default(),
            shares: SharesConfig::default(),
            transactions: TransactionsConfig::default(),
        }
    }
}

/// Why a broker can't be opened.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The directory that holds the partitions.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Committed offsets.
    #[error(transparent)]
    Groups(#[from] GroupsError),
    /// The state of share groups.
    #[error(transparent)]
    Shares(#[from] SharesError),
    /// The state of transactions.
    #[error(transparent)]
    Transactions(#[from] TransactionsError),
    /// The system starts no thread for retention and compaction.
    #[error("can't start a thread to keep logs small: {0}")]
    Thread(std::io::Error),
}

/// The embedded engine. Cheap to clone; clones are the same broker.
#[derive(Clone)]
pub struct Broker {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) groups: Arc<Groups>,
    pub(crate) shares: Shares,
    pub(crate) transactions: Transactions,
    pub(crate) cleaner: Arc<Cleaner>,
    pub(crate) offer: Arc<Offer>,
    /// Held while topics are created, changed or deleted, so that disk and metadata change as one.
    pub(crate) topology: Arc<tokio::sync::Mutex<()>>,
}

impl Broker {
    /// Opens every partition that the metadata names and the committed offsets. Blocks while it recovers
    /// what a crash left behind.
    ///
    /// # Errors
    /// A directory that can't be read or written, or a log that is damaged beyond what a crash explains.
    pub fn open(
        config: BrokerConfig,
        metadata: Arc<Metadata>,
        storage: Storage,
    ) -> Result<Arc<Self>, BrokerError> {
        let snapshot = metadata.snapshot();
        let topics: Vec<TopicLogs> =
            snapshot.topics().map(|topic| TopicLogs::of(topic, topic.partitions, &config)).collect();
        let partitions = Partitions::open(&config.data_dir.join(TOPICS), &topics, storage.clone())?;
        let partitions = Arc::new(partitions);
        let groups = Groups::open_with(&config.data_dir.join("groups"), &storage, config.groups.clone())?;
        // Offsets of topics that were deleted just before a crash.
        groups.retain_topics(|id| snapshot.topic_by_id(id).is_some());
        let shares = Shares::open(&config.data_dir.join("shares"), &storage, config.shares.clone())?;
        // And of share groups.
        shares.retain_groups(|id| groups.is_share(id));
        shares.retain_topics(|id| snapshot.topic_by_id(id).is_some());
        shares.follow(|(topic, index)| {
            let partition = partitions.get(topic, index).ok()?;
            Some((partition.log.start_offset(), partition.log.end_offset()))
        });
        let transactions = Transactions::open(
            &config.data_dir.join("transactions"),
            &storage,
            config.transactions.clone(),
            Arc::clone(&partitions),
            groups.clone(),
            Arc::clone(&metadata),
        )?;
        transactions.start();
        let ranges = APIS.iter().copied().chain(QUOTA_APIS).map(Api::range);
        let offer = Offer::new(ranges, features(), snapshot.cluster_id(), Some(config.node_id));
        let config = Arc::new(config);
        let groups = Arc::new(groups);
        let (node, topics) = (Arc::clone(&config), Arc::clone(&metadata));
        let cleaner = Cleaner::start(node, topics, Arc::clone(&partitions), Arc::clone(&groups))
            .map_err(BrokerError::Thread)?;
        Ok(Arc::new(Self {
            offer: Arc::new(offer),
            config,
            metadata,
            partitions,
            groups,
            shares,
            transactions,
            cleaner: Arc::new(cleaner),
            topology: Arc::default(),
        }))
    }

    /// Ends the work in the background, before the logs are closed. Blocks until it has ended.
    pub fn stop(&self) {
        self.cleaner.stop();
    }

    /// Where clients of this listener find the node; nothing for a listener that nobody advertised.
    pub(crate) fn advertised(&self, listener: &str) -> Option<&Advertised> {
        let found = self.config.advertised.get(listener);
        if found.is_none() {
            tracing::error!(
                listener,
                "no address is advertised for this listener: its clients find no broker"
            );
        }
        found
    }
}

/// What clients and tools go by, beside the versions of APIs: `group.version` 1 are the consumer groups of
/// KIP-848, `share.version` 1 are share groups (KIP-932), `streams.version` 1 the groups of Streams
/// applications (KIP-1071), `transaction.version` 2 are transactions of the newer kind (KIP-890). Clients
/// that don't know them go on as ever.
fn features() -> Features {
    const LEVELS: [(&str, i16); 4] =
        [("group.version", 1), ("share.version", 1), ("streams.version", 1), ("transaction.version", 2)];
    let supported = |(name, max_version)| {
        build!(SupportedFeatureKey { name: StrBytes::from(name), min_version: 0, max_version })
    };
    let finalized = |(name, level)| {
        build!(FinalizedFeatureKey {
            name: StrBytes::from(name),
            min_version_level: level,
            max_version_level: level,
        })
    };
    Features {
        supported: LEVELS.map(supported).into(),
        finalized: LEVELS.map(finalized).into(),
        // They come with this version and nobody changes them.
        finalized_epoch: 0,
    }
}
