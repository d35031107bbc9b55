//! `schloss key`.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, Subcommand};
use schloss_broker::topic_names;
use schloss_keys::{DataKeyFacts, KeyStore};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::network::block_on;
use super::output::{self, Format};
use crate::config::ServeConfig;
use crate::datadir::DataDir;
use crate::node::{NodeKeys, open_audit, rotated, wrapped_keys};

/// How long a running broker may take to follow a rotation.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the keys that seal a broker's records, and what wraps them
    #[command(after_help = "Example:
  schloss key list --config schloss-data/schloss.toml")]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Make a new key at every level and wrap all keys anew; no record is rewritten
    #[command(after_help = "Example:
  schloss key rotate --config schloss-data/schloss.toml

Works on a broker that runs and on one that is stopped. New files take the new keys; old ones stay readable.")]
    Rotate {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
struct Place {
    /// The configuration of the broker
    #[arg(long, value_name = "FILE", default_value = "schloss.toml", env = "SCHLOSS_CONFIG")]
    config: PathBuf,
}

/// A key, as it is shown.
#[derive(Serialize)]
struct Row {
    key: String,
    /// The name of the topic, if it is a topic's and the topic has partitions here.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    generation: u32,
    wrapped_by: String,
    made: String,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    match &arguments.command {
        Command::List { place } => list(&load(place)?, format),
        Command::Rotate { place } => rotate(&load(place)?, format),
    }
}

fn load(place: &Place) -> anyhow::Result<ServeConfig> {
    let config = ServeConfig::load(&place.config)?;
    if config.encryption.insecure_plain {
        bail!("{}: encryption.insecure_plain is set, so there are no keys", place.config.display());
    }
    if !config.encryption.keyring.exists() {
        bail!("{} is not there yet: 'schloss serve' makes it", config.encryption.keyring.display());
    }
    Ok(config)
}

fn list(config: &ServeConfig, format: Format) -> anyhow::Result<()> {
    let data_dir = &config.common.data_dir;
    let versions = NodeKeys::open(data_dir, &config.encryption)?.versions();
    let mut rows: Vec<Row> = versions
        .into_iter()
        .map(|kek| Row {
            key: format!("keyring {}", kek.name),
            topic: None,
            generation: kek.version,
            wrapped_by: "what unlocks the keyring".to_owned(),
            made: date(kek.made),
        })
        .collect();
    let names = topic_names(data_dir)?;
    rows.extend(KeyStore::facts(&wrapped_keys(data_dir))?.into_iter().map(|facts| Row {
        topic: facts.purpose.strip_prefix("topic ").and_then(|id| names.get(id)).cloned(),
        key: facts.purpose,
        generation: facts.generation,
        wrapped_by: facts.kek,
        made: String::new(),
    }));
    output::rows(format, &["key", "topic", "generation", "wrapped by", "made"], &rows, |row| {
        let topic = row.topic.clone().unwrap_or_default();
        vec![row.key.clone(), topic, row.generation.to_string(), row.wrapped_by.clone(), row.made.clone()]
    })
}

fn rotate(config: &ServeConfig, format: Format) -> anyhow::Result<()> {
    let data_dir = &config.common.data_dir;
    // Whoever holds the directory writes the keys in it.
    let held = DataDir::open(data_dir);
    let keys = NodeKeys::open(data_dir, &config.encryption)?;
    let newest = keys.rotate()?;
    let count = if held.is_ok() {
        let changed = keys.follow()?;
        let audit = open_audit(&config.common.audit, config.node_id)?;
        block_on(async { Ok(audit.record_durably(vec![rotated(changed)]).await?) })?;
        changed
    } else {
        wait_for_broker(data_dir, &newest)?
    };
    let words = format!("{newest} wraps {count} key(s); new files take new keys, no record was rewritten");
    output::value(format, &json!({ "newest": newest, "keys": count }), &words)
}

/// Waits until the broker that runs has wrapped all keys with `newest`; returns how many there are.
fn wait_for_broker(data_dir: &Path, newest: &str) -> anyhow::Result<usize> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let facts = KeyStore::facts(&wrapped_keys(data_dir))?;
        if facts.iter().all(|key: &DataKeyFacts| key.kek == newest) {
            return Ok(facts.len());
        }
        if Instant::now() >= deadline {
            bail!(
                "{newest} was made, but the process that uses {} has not taken it up in {} s: see its log; it does so \
                 at its next start at the latest",
                data_dir.display(),
                PATIENCE.as_secs()
            );
        }
        thread::sleep(LOOK_AGAIN_AFTER);
    }
}

fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}
