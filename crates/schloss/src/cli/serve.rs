//! `schloss serve`.

use std::path::PathBuf;

use clap::Args;

use crate::config::ServeConfig;
use crate::logging;
use crate::node;

#[derive(Args)]
#[command(after_help = "Example:
  schloss serve --config schloss-data/schloss.toml")]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "schloss.toml", env = "SCHLOSS_CONFIG")]
    config: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    logging::start("info");
    let config = ServeConfig::load(&arguments.config)?;
    node::restart_with_keytab(&config.common)?;
    node::runtime()?.block_on(async {
        let node = node::Node::serve(&config).await?;
        node.serve_until_signal().await
    })
}
