//! `schloss gateway quickstart`: the gate before a cluster that is there already.

mod text;
mod upstream;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use schloss_gateway::Addressing;
use schloss_keys::SealingKey;
use schloss_metadata_topic::{DEFAULT_TOPIC, OpenError};
use zeroize::Zeroizing;

use super::accounts::{self, ADMIN, CONSUMER, PRODUCER};
use super::proofs::{self, Bench};
use super::{DEFAULT_HOST, DEFAULT_PORT, Place, certificates, next_steps, screen, sockets, topic};
use crate::cli::UsageError;
use crate::config::{GatewayConfig, check_state_topic};
use crate::datadir::{DataDir, write_private};
use crate::node::{self, GatewayState};
use text::{Settings, Way};

/// The configuration that quickstart writes, in the data directory.
const CONFIG: &str = "gateway.toml";
const KEY: &str = "state.key";

#[derive(Args)]
#[command(after_help = "Examples:
  schloss gateway quickstart --upstream kafka-1:9093 --upstream-config service.properties
  schloss gateway quickstart --upstream kafka-1:9093 --upstream-config service.properties \\
      --advertised-host gw.example.com --broker-names 'broker-{id}.gw.example.com'
  schloss gateway quickstart --upstream kafka-1:9093 --upstream-config service.properties \\
      --state-key first/state.key --ca first --data-dir second     a second gateway: same state, same CA

Nothing of yours is changed: the cluster gets a topic for the gateway's state and one for the self-check.")]
pub(crate) struct Arguments {
    /// Brokers of the cluster, host:port separated by commas [default: those in --upstream-config]
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    upstream: Vec<String>,
    /// Client file of the gateway's own principal: Java .properties, librdkafka .conf, or .json. Without it the cluster
    /// is taken to be open, and reached in plain text
    #[arg(long, value_name = "FILE")]
    upstream_config: Option<PathBuf>,
    /// Where everything is kept; made if missing, reused if it is ours
    #[arg(long, value_name = "DIR", default_value = "./schloss-gateway", env = "SCHLOSS_DATA_DIR")]
    data_dir: PathBuf,
    /// Port to listen on, those of brokers follow it; 0 picks free ones [default: 9092, or what the data directory was
    /// made with]
    #[arg(long)]
    port: Option<u16>,
    /// Host that clients connect to [default: localhost, or what the data directory was made with]
    #[arg(long, value_name = "HOST")]
    advertised_host: Option<String>,
    /// Tell brokers apart by host names on one port instead of by ports, such as broker-{id}.kafka.example.com
    #[arg(long, value_name = "PATTERN")]
    broker_names: Option<String>,
    /// Topic of the cluster that holds users and ACLs for all gateways [default: __schloss_metadata]
    #[arg(long, value_name = "TOPIC", value_parser = state_topic)]
    state_topic: Option<String>,
    /// Key file of gateways that are there already, to join them
    #[arg(long, value_name = "FILE")]
    state_key: Option<PathBuf>,
    /// Data directory of another gateway whose CA signs this one's certificate too, or a directory with its ca.pem and
    /// ca.key: clients of one then trust both
    #[arg(long, value_name = "DIR")]
    ca: Option<PathBuf>,
    /// Exit after the self-check
    #[arg(long)]
    once: bool,
}

fn state_topic(name: &str) -> Result<String, String> {
    check_state_topic(name).map(|()| name.to_owned())
}

/// Runs it, with its screen on standard output.
///
/// # Errors
/// A directory of something else, a cluster that can't be used, a port that is taken, or a proof that failed.
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
            let config = GatewayConfig::load(&root.join(CONFIG))?;
            node::restart_with_keytab(&config.common)?;
            refuse_contradiction(arguments, &config)?;
            (GatewayState::open(data_dir, &config, false).await?, config)
        };
        let place = place(&root, &config, &state);
        let has_accounts = [ADMIN, PRODUCER, CONSUMER].iter().all(|name| place.client_file(name).exists());
        if has_accounts && place.topic.is_empty() {
            let words = "lack rights that quickstart gave them, so nothing can be proved by them";
            return Err(UsageError(format!(
                "{PRODUCER} and {CONSUMER} {words}: serve with 'schloss gateway --config {}'",
                config.common.path.display()
            ))
            .into());
        }
        let node = state.serve(&config).await?;
        let route = super::route(&node)?;
        if has_accounts {
            // It may have been deleted since, and the proofs need it.
            topic::make(place.client(ADMIN, route)?, &place.topic).await?;
        }
        super::announce(&place, is_new, started)?;
        let bench = Bench::new(&place, route, &config.common.audit.directory, node.audit());
        let proved = super::beside_screen(&place, prove(&bench, &config, has_accounts)).await;
        if proved.is_ok() {
            if has_accounts {
                next_steps::print(&place)?;
            } else {
                screen::line(format_args!("{}", joined(&place)))?;
            }
        }
        super::serve(node, proved, arguments.once).await
    })
}

/// Makes everything; the configuration last, so that a start that was cut off begins again.
async fn make(
    data_dir: DataDir,
    root: &Path,
    arguments: &Arguments,
) -> anyhow::Result<(GatewayState, GatewayConfig)> {
    let host = arguments.advertised_host.as_deref().unwrap_or(DEFAULT_HOST);
    let (client_file, override_bootstrap, client) = upstream::client(root, arguments)?;
    let named = arguments.upstream_config.clone().unwrap_or_else(|| root.join(&client_file));
    let brokers =
        upstream::brokers(&client, &named).await.map_err(|error| match arguments.upstream_config {
            Some(_) => error,
            None => error.context(
                "without --upstream-config the cluster is taken to be open, and reached in plain text",
            ),
        })?;
    let port = arguments.port.unwrap_or(DEFAULT_PORT);
    let (bind, way) = match &arguments.broker_names {
        Some(names) => (sockets::with_brokers(host, port, &[])?.0, Way::Names(names.clone())),
        None => {
            let (bind, base) = sockets::with_brokers(host, port, &brokers)?;
            (bind, Way::PortBase(base))
        }
    };
    certificates::make(root, &names(host, &way, &brokers), arguments.ca.as_deref())?;
    let key_is_new = place_key(&root.join(KEY), arguments.state_key.as_deref())?;
    let topic = arguments.state_topic.as_deref().unwrap_or(DEFAULT_TOPIC);
    let text = text::config(&Settings {
        client_file: &client_file,
        bootstrap: override_bootstrap.as_deref(),
        is_plaintext: upstream::is_plaintext(&client),
        state_topic: topic,
        host,
        bind: &bind,
        way: &way,
    });
    let path = root.join(CONFIG);
    let draft = super::draft_of(&path);
    write_private(&draft, text.as_bytes())?;
    // Checked as it will be read, before anything is made with it.
    let mut config = GatewayConfig::load(&draft)?;
    let state = match GatewayState::open(data_dir, &config, false).await {
        Err(error) if key_is_new && is_wrong_key(&error) => {
            // It opens nothing, and would be taken for the right one at the next start.
            fs::remove_file(root.join(KEY)).context("can't remove the key that was just made")?;
            return Err(UsageError(format!(
                "topic {topic} holds the state of gateways that are there already: to join them, copy their key file \
                 (state.key in the data directory of a quickstart) to this machine, with mode 0600, and name it with \
                 --state-key FILE; for a state of its own, name another topic with --state-topic"
            ))
            .into());
        }
        state => state?,
    };
    let place = place(root, &config, &state);
    if accounts::make(&state.office, &place).await? {
        let topic = match accounts::topic_of(&state.office.metadata.snapshot()) {
            Some(topic) => topic,
            None => topic::make_own(&client).await.map_err(|error| node::upstream_error(error, &named))?,
        };
        accounts::grant(&state.office, topic).await?;
    }
    fs::rename(&draft, &path).context("can't write the configuration")?;
    config.common.path = path;
    Ok((state, config))
}

fn place(root: &Path, config: &GatewayConfig, state: &GatewayState) -> Place {
    let listener = &config.listeners[0].listener;
    Place {
        root: root.to_owned(),
        host: listener.advertised_host.clone(),
        port: listener.bind[0].port(),
        topic: accounts::topic_of(&state.office.metadata.snapshot()).unwrap_or_default().to_owned(),
    }
}

async fn prove(bench: &Bench<'_>, config: &GatewayConfig, has_accounts: bool) -> anyhow::Result<()> {
    proofs::announce()?;
    if has_accounts && !config.insecure_observe_only {
        proofs::of_accounts(bench).await?;
    }
    proofs::of_strangers(bench).await?;
    if has_accounts {
        proofs::of_cluster(bench, &config.listeners[0].addressing, &config.state.topic).await?;
    }
    if config.insecure_observe_only {
        screen::line(format_args!(
            "  INSECURE  insecure_observe_only is on: nothing is denied, so no denial can be proved"
        ))?;
    }
    Ok(())
}

/// What the certificate must hold beside the names of this machine.
fn names(host: &str, way: &Way, brokers: &[i32]) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    if let Way::Names(pattern) = way {
        match pattern.split_once('.') {
            // One for all brokers, also those that join: a wildcard stands for one whole label (RFC 9525).
            Some((label, domain)) if label.contains("{id}") => names.push(format!("*.{domain}")),
            _ => names.extend(brokers.iter().map(|id| pattern.replace("{id}", &id.to_string()))),
        }
    }
    names
}

/// Puts the key of the state into its place; true if it was made now.
fn place_key(place: &Path, given: Option<&Path>) -> anyhow::Result<bool> {
    match given {
        Some(given) => {
            SealingKey::from_file(given).map_err(|error| UsageError(format!("--state-key: {error}")))?;
            let bytes = fs::read(given).map(Zeroizing::new)?;
            write_private(place, &bytes)?;
            Ok(false)
        }
        // Left by a start that was cut off.
        None if place.exists() => Ok(false),
        None => {
            SealingKey::generate_file(place)?;
            Ok(true)
        }
    }
}

fn is_wrong_key(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<OpenError>(), Some(OpenError::WrongKey { .. }))
}

/// A second start reuses what is there, so it can't also follow other wishes.
fn refuse_contradiction(arguments: &Arguments, config: &GatewayConfig) -> anyhow::Result<()> {
    let one = &config.listeners[0];
    let (host, port) = (&one.listener.advertised_host, one.listener.bind[0].port());
    let names = match &arguments.broker_names {
        Some(pattern) => Addressing::names(pattern, port)? != one.addressing,
        None => false,
    };
    let contradictions = [
        ("--port", arguments.port.is_some_and(|wanted| wanted != 0 && wanted != port)),
        ("--advertised-host", arguments.advertised_host.as_ref().is_some_and(|wanted| wanted != host)),
        ("--broker-names", names),
        ("--upstream", !arguments.upstream.iter().all(|one| config.upstream.client.bootstrap.contains(one))),
        ("--state-topic", arguments.state_topic.as_ref().is_some_and(|wanted| *wanted != config.state.topic)),
        ("--state-key", other_key(arguments, config)?),
        ("--ca", other_ca(arguments, config)?),
    ];
    let wrong: Vec<&str> =
        contradictions.iter().filter(|(_, contradicts)| *contradicts).map(|(name, _)| *name).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(UsageError(format!(
        "{} was made with another {}: start without it, change it in the file (and clients/), or name another --data-dir",
        config.common.path.display(),
        wrong.join(" and ")
    ))
    .into())
}

fn other_key(arguments: &Arguments, config: &GatewayConfig) -> anyhow::Result<bool> {
    let Some(file) = &arguments.state_key else { return Ok(false) };
    Ok(SealingKey::from_file(file)?.id() != config.state.key.id())
}

fn other_ca(arguments: &Arguments, config: &GatewayConfig) -> anyhow::Result<bool> {
    let Some(directory) = &arguments.ca else { return Ok(false) };
    let (theirs, ours) = (certificates::shared_ca(directory), config.common.data_dir.join("pki/ca.pem"));
    let read = |path: &Path| fs::read(path).with_context(|| format!("--ca: can't read {}", path.display()));
    Ok(read(&theirs)? != read(&ours)?)
}

/// What to do next where the accounts are those of other gateways.
fn joined(place: &Place) -> String {
    let (pki, bootstrap) = (place.root.join("pki"), place.bootstrap());
    let trust = if pki.join("ca.key").exists() {
        let ca = pki.join("ca.pem");
        format!("    {} to the CA that it names: cat theirs ours > both.pem\n", ca.display())
    } else {
        "It trusts this gateway already if it trusts others of the same CA.\n".to_owned()
    };
    format!(
        "
Joined the state of gateways that were there already: users and ACLs are theirs, and no client files are made,
since nobody knows the passwords. To use a client file of theirs here, add
    {bootstrap} to its bootstrap.servers
{trust}"
    )
}
