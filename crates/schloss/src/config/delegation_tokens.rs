//! `[delegation_tokens]`: how long they last.

use schloss_gate::TokenConfig;
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::limits::MS_PER_HOUR;
use super::source::Source;

const DAY_MS: u64 = 24 * MS_PER_HOUR;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDelegationTokens {
    enabled: Option<bool>,
    max_lifetime_ms: Option<Spanned<u64>>,
    expiry_time_ms: Option<Spanned<u64>>,
    expiry_check_interval_ms: Option<Spanned<u64>>,
}

pub(super) fn check(source: &Source<'_>, raw: &RawDelegationTokens) -> Result<TokenConfig, ConfigError> {
    let default = TokenConfig::default();
    let max_lifetime = source.millis(
        raw.max_lifetime_ms.as_ref(),
        "delegation_tokens.max_lifetime_ms",
        7 * DAY_MS,
        1..=3650 * DAY_MS,
    )?;
    let expiry_time = source.millis(
        raw.expiry_time_ms.as_ref(),
        "delegation_tokens.expiry_time_ms",
        DAY_MS,
        1..=3650 * DAY_MS,
    )?;
    let expiry_check_interval = source.millis(
        raw.expiry_check_interval_ms.as_ref(),
        "delegation_tokens.expiry_check_interval_ms",
        MS_PER_HOUR,
        1_000..=7 * DAY_MS,
    )?;
    let enabled = raw.enabled.unwrap_or(default.enabled);
    Ok(TokenConfig { enabled, max_lifetime, expiry_time, expiry_check_interval })
}
