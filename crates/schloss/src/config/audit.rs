//! `[audit]`: where audit records go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::error::ConfigError;
use super::limits::MS_PER_HOUR;
use super::source::Source;

/// Where audit records go.
pub(crate) struct Audit {
    pub(crate) directory: PathBuf,
    pub(crate) max_file_bytes: u64,
    pub(crate) max_files: usize,
    pub(crate) summary_interval: Duration,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAudit {
    directory: Option<Spanned<PathBuf>>,
    max_file_bytes: Option<Spanned<u64>>,
    max_files: Option<Spanned<u64>>,
    summary_interval_ms: Option<Spanned<u64>>,
}

pub(super) fn check(source: &Source<'_>, data_dir: &Path, raw: &RawAudit) -> Result<Audit, ConfigError> {
    Ok(Audit {
        directory: data_dir.join(raw.directory.as_ref().map_or(Path::new("audit"), |path| path.get_ref())),
        max_file_bytes: source.number(
            raw.max_file_bytes.as_ref(),
            "audit.max_file_bytes",
            64 << 20,
            (64 << 10)..=(16 << 30),
        )?,
        max_files: source.count(raw.max_files.as_ref(), "audit.max_files", 100, 2..=100_000)?,
        summary_interval: source.millis(
            raw.summary_interval_ms.as_ref(),
            "audit.summary_interval_ms",
            60_000,
            100..=MS_PER_HOUR,
        )?,
    })
}
