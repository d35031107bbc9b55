//! `schloss config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{self, Format};
use crate::config::{AnyConfig, GatewayConfig, Listener, ServeConfig};
use crate::node;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a configuration of serve or gateway without starting anything
    #[command(after_help = "Examples:
  schloss config check --config schloss-data/schloss.toml
  schloss config check --config schloss-gateway/gateway.toml

A file with an [upstream] section is a gateway's.")]
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = "schloss.toml", env = "SCHLOSS_CONFIG")]
        config: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    let Command::Check { config: path } = &arguments.command;
    let (common, facts, listeners) = match AnyConfig::load(path)? {
        AnyConfig::Serve(config) => {
            let (facts, listeners) = serve(&config)?;
            (config.common, facts, listeners)
        }
        AnyConfig::Gateway(config) => {
            let (facts, listeners) = gateway(&config)?;
            (config.common, facts, listeners)
        }
    };
    let mut shown = json!({
        "config": common.path,
        "data_dir": common.data_dir,
        "listeners": listeners,
    });
    if let (Value::Object(shown), Value::Object(facts)) = (&mut shown, facts) {
        shown.extend(facts);
    }
    let words = format!("{}: good, {} listener(s)", common.path.display(), listeners.len());
    output::value(format, &shown, &words)
}

fn serve(config: &ServeConfig) -> anyhow::Result<(Value, Vec<Value>)> {
    let listeners = config.listeners.iter().map(|one| {
        let advertised = format!("{}:{}", one.listener.advertised_host, one.advertised_port);
        listener(&one.listener, "advertised", &advertised)
    });
    Ok((json!({ "kind": "serve" }), listeners.collect::<anyhow::Result<_>>()?))
}

fn gateway(config: &GatewayConfig) -> anyhow::Result<(Value, Vec<Value>)> {
    let listeners = config.listeners.iter().map(|one| {
        let broker_0 = one.addressing.address(0).map(|(host, port)| format!("{host}:{port}"));
        listener(&one.listener, "broker_0", &broker_0.unwrap_or_default())
    });
    let facts = json!({
        "kind": "gateway",
        "upstream": config.upstream.client.bootstrap,
        "upstream_user": config.upstream.client.user(),
        "state_topic": config.state.topic,
        "insecure_observe_only": config.insecure_observe_only,
    });
    Ok((facts, listeners.collect::<anyhow::Result<_>>()?))
}

/// What is to be said of a listener whose TLS files fit.
fn listener(listener: &Listener, told: &str, address: &str) -> anyhow::Result<Value> {
    node::door(listener)?;
    Ok(json!({ "name": listener.name, "bind": listener.bind, told: address }))
}
