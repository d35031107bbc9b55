//! `schloss gateway`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::GatewayConfig;
use crate::logging;
use crate::node;
use crate::quickstart::gateway as quickstart;

#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  schloss gateway --config schloss-gateway/gateway.toml
  schloss gateway quickstart --upstream kafka-1:9093 --upstream-config service.properties"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "gateway.toml", env = "SCHLOSS_CONFIG")]
    config: PathBuf,
    /// Start although the state topic holds records that no gateway wrote; they are not in force either way
    #[arg(long)]
    ignore_forged: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Put a locked gateway before a cluster, prove it, and serve
    Quickstart(quickstart::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(Command::Quickstart(arguments)) = &arguments.command {
        return quickstart::run(arguments);
    }
    logging::start("info");
    let config = GatewayConfig::load(&arguments.config)?;
    node::restart_with_keytab(&config.common)?;
    node::runtime()?.block_on(async {
        let node = node::Node::gateway(&config, arguments.ignore_forged).await?;
        node.serve_until_signal().await
    })
}
