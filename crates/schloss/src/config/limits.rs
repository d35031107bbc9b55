//! `[limits]`: the bounds of the gate.

use std::time::Duration;

use schloss_gate::LockoutConfig;
use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::source::Source;

pub(super) const MS_PER_HOUR: u64 = 3_600_000;

/// Bounds of the gate.
pub(crate) struct Limits {
    pub(crate) max_request_bytes: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: usize,
    pub(crate) max_concurrent_handshakes: usize,
    pub(crate) handshake_timeout: Duration,
    pub(crate) authentication_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) failed_authentication_delay: Duration,
    pub(crate) lockout: LockoutConfig,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    max_request_bytes: Option<Spanned<u64>>,
    max_connections: Option<Spanned<u64>>,
    max_connections_per_address: Option<Spanned<u64>>,
    max_concurrent_handshakes: Option<Spanned<u64>>,
    handshake_timeout_ms: Option<Spanned<u64>>,
    authentication_timeout_ms: Option<Spanned<u64>>,
    idle_timeout_ms: Option<Spanned<u64>>,
    failed_authentication_delay_ms: Option<Spanned<u64>>,
    lockout_principal_failures: Option<Spanned<u64>>,
    lockout_address_failures: Option<Spanned<u64>>,
    lockout_first_ms: Option<Spanned<u64>>,
    lockout_longest_ms: Option<Spanned<u64>>,
}

pub(super) fn check(source: &Source<'_>, raw: &RawLimits) -> Result<Limits, ConfigError> {
    Ok(Limits {
        max_request_bytes: source.count(
            raw.max_request_bytes.as_ref(),
            "limits.max_request_bytes",
            100 << 20,
            1024..=(1 << 30),
        )?,
        max_connections: source.count(
            raw.max_connections.as_ref(),
            "limits.max_connections",
            10_000,
            1..=1_000_000,
        )?,
        max_connections_per_address: source.count(
            raw.max_connections_per_address.as_ref(),
            "limits.max_connections_per_address",
            1_000,
            1..=1_000_000,
        )?,
        max_concurrent_handshakes: source.count(
            raw.max_concurrent_handshakes.as_ref(),
            "limits.max_concurrent_handshakes",
            256,
            1..=100_000,
        )?,
        handshake_timeout: source.millis(
            raw.handshake_timeout_ms.as_ref(),
            "limits.handshake_timeout_ms",
            10_000,
            100..=MS_PER_HOUR,
        )?,
        authentication_timeout: source.millis(
            raw.authentication_timeout_ms.as_ref(),
            "limits.authentication_timeout_ms",
            10_000,
            100..=MS_PER_HOUR,
        )?,
        idle_timeout: source.millis(
            raw.idle_timeout_ms.as_ref(),
            "limits.idle_timeout_ms",
            600_000,
            1_000..=24 * MS_PER_HOUR,
        )?,
        failed_authentication_delay: source.millis(
            raw.failed_authentication_delay_ms.as_ref(),
            "limits.failed_authentication_delay_ms",
            100,
            0..=10_000,
        )?,
        lockout: lockout(source, raw)?,
    })
}

fn lockout(source: &Source<'_>, raw: &RawLimits) -> Result<LockoutConfig, ConfigError> {
    let default = LockoutConfig::default();
    let failures = |value: &Option<Spanned<u64>>, key: &str, default: u32| {
        let count = source.number(value.as_ref(), key, default.into(), 0..=1_000_000)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    };
    let time = |value: &Option<Spanned<u64>>, key: &str, default: Duration| {
        let millis = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        source.millis(value.as_ref(), key, millis, 1..=24 * MS_PER_HOUR)
    };
    let lockout = LockoutConfig {
        principal_failures: failures(
            &raw.lockout_principal_failures,
            "limits.lockout_principal_failures",
            default.principal_failures,
        )?,
        address_failures: failures(
            &raw.lockout_address_failures,
            "limits.lockout_address_failures",
            default.address_failures,
        )?,
        first: time(&raw.lockout_first_ms, "limits.lockout_first_ms", default.first)?,
        longest: time(&raw.lockout_longest_ms, "limits.lockout_longest_ms", default.longest)?,
    };
    match &raw.lockout_first_ms {
        Some(first) if lockout.first > lockout.longest => {
            let message = format!("is more than lockout_longest_ms, {} ms", lockout.longest.as_millis());
            Err(source.error(first.span(), "limits.lockout_first_ms", message))
        }
        _ => Ok(lockout),
    }
}
