//! `schloss.toml`: a broker with its own log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schloss_broker::{BrokerConfig, GroupsConfig};
use schloss_log::Durability;
use schloss_metadata::MAX_PARTITIONS;
use serde::Deserialize;
use toml::Spanned;

use super::audit::RawAudit;
use super::bootstrap::RawBootstrap;
use super::common::{self, Common, RawCommon};
use super::delegation_tokens::RawDelegationTokens;
use super::directory::RawDirectory;
use super::encryption::{self, Encryption, RawEncryption};
use super::error::ConfigError;
use super::kerberos::RawKerberos;
use super::limits::RawLimits;
use super::listener::{self, Listener, RawListener, Sections, refuse};
use super::oauth::RawOauth;
use super::source::{self, Source};

/// What `schloss serve` is told.
pub(crate) struct ServeConfig {
    pub(crate) common: Common,
    /// The node id that clients see.
    pub(crate) node_id: i32,
    /// At least one.
    pub(crate) listeners: Vec<ServeListener>,
    pub(crate) log: Log,
    /// How long committed offsets are kept that nobody needs.
    pub(crate) offsets_retention: Duration,
    pub(crate) encryption: Encryption,
}

/// A listener, and the port that clients are told.
pub(crate) struct ServeListener {
    pub(crate) listener: Listener,
    pub(crate) advertised_port: u16,
}

/// How records are kept.
pub(crate) struct Log {
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: u64,
    /// In milliseconds.
    pub(crate) retention_ms: i64,
    pub(crate) max_partitions: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServe {
    data_dir: PathBuf,
    #[serde(default = "default_node_id")]
    node_id: Spanned<i32>,
    #[serde(default)]
    super_users: Vec<Spanned<String>>,
    #[serde(default)]
    listener: Vec<RawListener>,
    bootstrap: Option<RawBootstrap>,
    #[serde(default)]
    limits: RawLimits,
    oauth: Option<RawOauth>,
    directory: Option<RawDirectory>,
    kerberos: Option<RawKerberos>,
    #[serde(default)]
    delegation_tokens: RawDelegationTokens,
    #[serde(default)]
    log: RawLog,
    #[serde(default)]
    offsets: RawOffsets,
    #[serde(default)]
    encryption: RawEncryption,
    #[serde(default)]
    audit: RawAudit,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    durability: Option<Spanned<String>>,
    segment_bytes: Option<Spanned<u64>>,
    retention_ms: Option<Spanned<u64>>,
    max_partitions: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOffsets {
    retention_ms: Option<Spanned<u64>>,
}

fn default_node_id() -> Spanned<i32> {
    Spanned::new(0..0, 1)
}

impl ServeConfig {
    /// Reads and checks `path`.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, key and what to do.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = source::read(path, "'schloss quickstart' writes a configuration to start from")?;
        Self::check(&Source::new(path, &text))
    }

    pub(super) fn check(source: &Source<'_>) -> Result<Self, ConfigError> {
        let raw: RawServe = source.parse()?;
        if *raw.node_id.get_ref() < 0 {
            let message = format!("must be 0 to {}", i32::MAX);
            return Err(source.error(raw.node_id.span(), "node_id", message));
        }
        let sections = Sections { oauth: raw.oauth.is_some(), kerberos: raw.kerberos.is_some() };
        let listeners = listener::check_all(source, &raw.listener, sections, |listener, raw| {
            const GATEWAY: &str = "is a key of 'schloss gateway': here is one broker, at advertised_port";
            refuse(source, raw.broker_port_base.as_ref(), "listener.broker_port_base", GATEWAY)?;
            refuse(source, raw.broker_names.as_ref(), "listener.broker_names", GATEWAY)?;
            let port = raw.advertised_port.as_ref().map_or(listener.bind[0].port(), |port| *port.get_ref());
            Ok(ServeListener { listener, advertised_port: port })
        })?;
        Ok(Self {
            node_id: *raw.node_id.get_ref(),
            listeners,
            log: log(source, &raw.log)?,
            offsets_retention: offsets_retention(source, &raw.offsets)?,
            encryption: encryption::check(source, &source.resolve(&raw.data_dir), &raw.encryption)?,
            common: common::check(
                source,
                RawCommon {
                    data_dir: raw.data_dir,
                    super_users: raw.super_users,
                    bootstrap: raw.bootstrap,
                    limits: raw.limits,
                    oauth: raw.oauth,
                    directory: raw.directory,
                    delegation_tokens: raw.delegation_tokens,
                    kerberos: raw.kerberos,
                    audit: raw.audit,
                },
            )?,
        })
    }
}

/// A minute is the least that Kafka takes.
fn offsets_retention(source: &Source<'_>, raw: &RawOffsets) -> Result<Duration, ConfigError> {
    const MINUTE_MS: u64 = 60 * 1000;
    let week = u64::try_from(GroupsConfig::DEFAULT_OFFSETS_RETENTION.as_millis()).unwrap_or(u64::MAX);
    let range = MINUTE_MS..=i64::MAX.unsigned_abs();
    source.millis(raw.retention_ms.as_ref(), "offsets.retention_ms", week, range)
}

fn log(source: &Source<'_>, raw: &RawLog) -> Result<Log, ConfigError> {
    let durability = match raw.durability.as_ref() {
        None => Durability::Fsync,
        Some(text) => match text.get_ref().as_str() {
            "fsync" => Durability::Fsync,
            "os" => Durability::Os,
            other => {
                let message = format!("'{other}' is neither \"fsync\" nor \"os\"");
                return Err(source.error(text.span(), "log.durability", message));
            }
        },
    };
    let segment_bytes =
        source.number(raw.segment_bytes.as_ref(), "log.segment_bytes", 1 << 30, (1 << 20)..=(2 << 30) - 1)?;
    let (week, most) = (BrokerConfig::DEFAULT_RETENTION_MS.unsigned_abs(), i64::MAX.unsigned_abs());
    let retention_ms = source.number(raw.retention_ms.as_ref(), "log.retention_ms", week, 1..=most)?;
    let max_partitions = source.count(
        raw.max_partitions.as_ref(),
        "log.max_partitions",
        BrokerConfig::DEFAULT_MAX_PARTITIONS as u64,
        1..=MAX_PARTITIONS.unsigned_abs(),
    )?;
    let retention_ms = i64::try_from(retention_ms).unwrap_or(i64::MAX);
    Ok(Log { durability, segment_bytes, retention_ms, max_partitions })
}
