//! `cargo xtask scale`: the tests of scale with as much as a node has to bear.

use clap::Args;

use crate::command::run;
use crate::tests::{build, command};
use crate::tools;

#[derive(Args)]
pub(crate) struct Options {
    /// Idle connections, and partitions
    #[arg(long, default_value_t = 10_000)]
    units: u32,
    /// MiB of records that a start finds
    #[arg(long, default_value_t = 10 * 1024)]
    mib: u32,
}

/// Runs them; their figures are printed.
///
/// # Errors
/// Something could not be installed or built, or a bound does not hold.
pub(crate) fn scale(options: &Options) -> anyhow::Result<bool> {
    let tools = tools::ensure()?;
    build()?;
    run(command(&tools, "serve", "test_scale")
        .arg("-s")
        .env("SCHLOSS_SCALE_UNITS", options.units.to_string())
        .env("SCHLOSS_SCALE_MIB", options.mib.to_string()))?;
    Ok(true)
}
