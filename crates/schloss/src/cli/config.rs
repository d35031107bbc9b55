//! `schloss config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{self, Format};
use crate::config::ServeConfig;
use crate::node;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a configuration without starting anything
    #[command(after_help = "Example:
  schloss config check --config schloss-data/schloss.toml")]
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "schloss.toml", env = "SCHLOSS_CONFIG")]
        config: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    let Command::Check { config: path } = &arguments.command;
    let config = ServeConfig::load(path)?;
    let listeners: Vec<_> = config
        .listeners
        .iter()
        .map(|one| {
            let listener = &one.listener;
            node::tls(listener)?;
            Ok(json!({
                "name": listener.name,
                "bind": listener.bind,
                "advertised": format!("{}:{}", listener.advertised_host, one.advertised_port),
            }))
        })
        .collect::<anyhow::Result<_>>()?;
    let facts = json!({
        "config": config.common.path,
        "data_dir": config.common.data_dir,
        "listeners": listeners,
    });
    output::value(
        format,
        &facts,
        &format!("{}: good, {} listener(s)", config.common.path.display(), listeners.len()),
    )
}
