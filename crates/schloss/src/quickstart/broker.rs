//! `schloss quickstart`: a broker with its own log.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use super::accounts::{self, ADMIN};
use super::proofs::{self, Bench};
use super::topic::{self, TOPIC};
use super::{DEFAULT_HOST, DEFAULT_PORT, Place, certificates, next_steps, sockets};
use crate::config::ServeConfig;
use crate::datadir::{DataDir, write_private};
use crate::node::{self, State};

/// The configuration that quickstart writes, in the data directory.
const CONFIG: &str = "schloss.toml";

#[derive(Args)]
#[command(after_help = "Examples:
  schloss quickstart
  schloss quickstart --data-dir /srv/schloss --advertised-host kafka.example.com
  schloss quickstart --data-dir \"$(mktemp -d)\" --port 0 --once")]
pub(crate) struct Arguments {
    /// Where everything is kept; made if missing, reused if it is ours
    #[arg(long, value_name = "DIR", default_value = "./schloss-data", env = "SCHLOSS_DATA_DIR")]
    data_dir: PathBuf,
    /// Port to listen on; 0 picks a free one [default: 9092, or what the data directory was made with]
    #[arg(long)]
    port: Option<u16>,
    /// Exit after the self-check
    #[arg(long)]
    once: bool,
    /// Host that clients connect to [default: localhost, or what the data directory was made with]
    #[arg(long, value_name = "HOST")]
    advertised_host: Option<String>,
}

/// Runs it, with its screen on standard output.
///
/// # Errors
/// A directory of something else, a port that is taken, or a proof that failed.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let started = Instant::now();
    crate::logging::start_beside_screen();
    node::runtime()?.block_on(async {
        let data_dir = DataDir::open(&arguments.data_dir)?;
        let root = fs::canonicalize(data_dir.path())?;
        let is_new = !root.join(CONFIG).exists();
        let (state, config) = if is_new {
            make(data_dir, &root, arguments).await?
        } else {
            let config = ServeConfig::load(&root.join(CONFIG))?;
            node::restart_with_keytab(&config.common)?;
            refuse_contradiction(arguments, &config)?;
            (State::open(data_dir, &config).await?, config)
        };
        let place = place(&root, &config);
        // Also at a later start: the proofs need it, and a first start may have been cut off before it.
        let needs_topic = state.office.metadata.snapshot().topic(TOPIC).is_none();
        let node = state.serve(&config).await?;
        let route = super::route(&node)?;
        if needs_topic {
            topic::make(place.client(ADMIN, route)?, &place.topic).await?;
        }
        super::announce(&place, is_new, started)?;
        let bench = Bench::new(&place, route, &config.common.audit.directory, node.audit());
        let proved = super::beside_screen(&place, prove(&bench)).await;
        if proved.is_ok() {
            next_steps::print(&place)?;
        }
        super::serve(node, proved, arguments.once).await
    })
}

/// Makes everything; the configuration last, so that a start that was cut off begins again.
///
/// # Errors
/// The port is taken, or the file system's.
async fn make(data_dir: DataDir, root: &Path, arguments: &Arguments) -> anyhow::Result<(State, ServeConfig)> {
    let host = arguments.advertised_host.as_deref().unwrap_or(DEFAULT_HOST);
    let bind = sockets::one(host, arguments.port.unwrap_or(DEFAULT_PORT))?;
    certificates::make(root, &[host.to_owned()], None)?;
    let path = root.join(CONFIG);
    let draft = super::draft_of(&path);
    write_private(&draft, config_text(host, &bind).as_bytes())?;
    // Checked as it will be read, before anything is made with it.
    let mut config = ServeConfig::load(&draft)?;
    let state = State::open(data_dir, &config).await?;
    accounts::make(&state.office, &place(root, &config)).await?;
    accounts::grant(&state.office, TOPIC).await?;
    fs::rename(&draft, &path).context("can't write the configuration")?;
    config.common.path = path;
    Ok((state, config))
}

async fn prove(bench: &Bench<'_>) -> anyhow::Result<()> {
    proofs::announce()?;
    proofs::of_accounts(bench).await?;
    proofs::of_strangers(bench).await
}

fn place(root: &Path, config: &ServeConfig) -> Place {
    let first = &config.listeners[0];
    Place {
        root: root.to_owned(),
        host: first.listener.advertised_host.clone(),
        port: first.advertised_port,
        topic: TOPIC.to_owned(),
    }
}

/// A second start reuses what is there, so it can't also follow other wishes.
fn refuse_contradiction(arguments: &Arguments, config: &ServeConfig) -> anyhow::Result<()> {
    let (host, port) = (&config.listeners[0].listener.advertised_host, config.listeners[0].advertised_port);
    let other_host = arguments.advertised_host.as_ref().is_some_and(|wanted| wanted != host);
    let other_port = arguments.port.is_some_and(|wanted| wanted != 0 && wanted != port);
    if other_host || other_port {
        bail!(
            "{} was made for {host}:{port}: start without --port and --advertised-host, change it in the file and in \
             clients/, or name another --data-dir",
            config.common.path.display()
        );
    }
    Ok(())
}

fn config_text(host: &str, bind: &[SocketAddr]) -> String {
    let mut text = String::new();
    let quoted: Vec<String> = bind.iter().map(|address| format!("\"{address}\"")).collect();
    // Writing to a string can't fail.
    let _ = write!(
        text,
        r#"# Written by 'schloss quickstart'. 'schloss config check --config FILE' validates changes.
# Paths are relative to this file. Every key is described in docs/configuration.md.
data_dir = "."
node_id = 1
super_users = ["User:{ADMIN}"]

[[listener]]
name = "secure"
bind = [{bind}]
advertised_host = {host}
tls_certificate = "pki/server.pem"
tls_key = "pki/server.key"
mechanisms = ["SCRAM-SHA-512", "SCRAM-SHA-256"]

[limits]
max_request_bytes = 104857600
max_connections = 10000
max_connections_per_address = 1000

[log]
durability = "fsync"

# Everything on disk is sealed. Whoever has both files reads it, so keep copies elsewhere, and see
# docs/encryption.md for how to keep the key file off this disk.
[encryption]
keyring = "keys/keyring"
key_file = "keys/keyring.key"

[audit]
directory = "audit"
max_file_bytes = 67108864
max_files = 100
"#,
        bind = quoted.join(", "),
        host = toml::Value::String(host.to_owned()),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_host_name_can_not_add_settings() {
        let text = config_text("a\"\nnode_id = 7\n", &["127.0.0.1:1".parse().unwrap()]);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["node_id"].as_integer(), Some(1));
        assert_eq!(table["listener"][0]["advertised_host"].as_str(), Some("a\"\nnode_id = 7\n"));
    }
}
