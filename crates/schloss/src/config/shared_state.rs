//! `[state]`: what all gateways before one cluster share.

use std::path::PathBuf;
use std::time::Duration;

use schloss_keys::SealingKey;
use schloss_metadata::check_topic_name;
use schloss_metadata_topic::DEFAULT_TOPIC;
use schloss_policy::RESERVED_TOPIC_PREFIX;
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::limits::MS_PER_HOUR;
use super::source::Source;

/// The topic that holds users, ACLs and settings, and the key that seals them. Has no `Debug`: it holds the key.
pub(crate) struct SharedState {
    pub(crate) topic: String,
    pub(crate) key: SealingKey,
    /// How old users and ACLs may be while the topic can't be followed.
    pub(crate) max_age: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawState {
    topic: Option<Spanned<String>>,
    key_file: Spanned<PathBuf>,
    max_age_ms: Option<Spanned<u64>>,
}

pub(super) fn check(source: &Source<'_>, raw: &RawState) -> Result<SharedState, ConfigError> {
    const KEY: &str = "state.key_file";
    let topic = match &raw.topic {
        None => DEFAULT_TOPIC.to_owned(),
        Some(name) => {
            check_state_topic(name.get_ref())
                .map_err(|problem| source.error(name.span(), "state.topic", problem))?;
            name.get_ref().clone()
        }
    };
    let path = source.resolve(raw.key_file.get_ref());
    if !path.exists() {
        let error = source.error(raw.key_file.span(), KEY, format!("{} is not there", path.display()));
        let help = format!(
            "copy the key file of another gateway before this cluster to it, with mode 0600, or make one for the first \
             gateway: (umask 077; openssl rand -base64 32 > {})",
            path.display()
        );
        return Err(ConfigError { help: Some(help), ..error });
    }
    let key = SealingKey::from_file(&path)
        .map_err(|error| source.error(raw.key_file.span(), KEY, error.to_string()))?;
    let max_age =
        source.millis(raw.max_age_ms.as_ref(), "state.max_age_ms", 300_000, 1_000..=7 * 24 * MS_PER_HOUR)?;
    Ok(SharedState { topic, key, max_age })
}

/// Whether a topic of this name can hold the state of gateways.
///
/// # Errors
/// Why not, in words.
pub(crate) fn check_state_topic(name: &str) -> Result<(), String> {
    check_topic_name(name).map_err(|refusal| refusal.message)?;
    if name.starts_with(RESERVED_TOPIC_PREFIX) {
        return Ok(());
    }
    Err(format!("'{name}' would be seen by clients: begin it with {RESERVED_TOPIC_PREFIX}"))
}
