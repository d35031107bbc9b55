//! `schloss quickstart`: from nothing to a locked broker that has proved itself.

mod client_files;
mod next_steps;
mod proofs;
mod setup;
mod topic;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use crate::config::ServeConfig;
use crate::datadir::DataDir;
use crate::node;

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
    // The screen belongs to the proofs.
    crate::logging::start("warn");
    node::runtime()?.block_on(async {
        let data_dir = DataDir::open(&arguments.data_dir)?;
        let root = std::fs::canonicalize(data_dir.path())?;
        let is_new = !root.join(CONFIG).exists();
        let (state, config) = if is_new {
            setup::make(data_dir, &root, arguments).await?
        } else {
            let config = ServeConfig::load(&root.join(CONFIG))?;
            refuse_contradiction(arguments, &config)?;
            (node::State::open(data_dir, &config).await?, config)
        };
        let host = config.listeners[0].listener.advertised_host.clone();
        // Also at a later start: the proofs need it, and a first start may have been cut off before it.
        let needs_topic = state.office.metadata.snapshot().topic(setup::TOPIC).is_none();
        let node = state.serve(&config).await?;
        let address = loopback(&node)?;
        if needs_topic {
            topic::make(&root, address).await?;
        }
        let ready = started.elapsed();
        let made = if is_new { "made in" } else { "reused from" };
        println!("Schloss {} is serving on {host}:{}", env!("CARGO_PKG_VERSION"), address.port());
        println!("  data         {made} {}", root.display());
        println!("  ready after  {} ms\n", ready.as_millis());

        let proved = proofs::prove(&root, address, &config.common.audit.directory, node.audit()).await;
        if proved.is_ok() {
            next_steps::print(&root, &host, address.port());
        }
        if arguments.once || proved.is_err() {
            node.stop("quickstart ends after its self-check").await?;
            return proved;
        }
        println!("Serving until Ctrl-C.");
        node.serve_until_signal().await
    })
}

/// A second start reuses what is there, so it can't also follow other wishes.
fn refuse_contradiction(arguments: &Arguments, config: &ServeConfig) -> anyhow::Result<()> {
    let listener = &config.listeners[0];
    let host = arguments.advertised_host.as_ref().filter(|host| **host != listener.listener.advertised_host);
    let port = arguments.port.filter(|port| *port != 0 && *port != listener.advertised_port);
    if host.is_some() || port.is_some() {
        bail!(
            "{} was made for {}:{}: start without --port and --advertised-host, change it in the file and in \
             clients/, or name another --data-dir",
            config.common.path.display(),
            listener.listener.advertised_host,
            listener.advertised_port
        );
    }
    Ok(())
}

/// The address of `node` on this machine, for the self-check.
fn loopback(node: &node::Node) -> anyhow::Result<SocketAddr> {
    let bound = node.addresses().next().context("nothing is bound")?;
    let ip: IpAddr = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, bound.port()))
}

/// The sockets to bind: loopback alone for `localhost`, else every interface.
///
/// Both families where the machine has both, since `localhost` is `::1` to some clients.
fn sockets(advertised_host: &str, port: u16) -> anyhow::Result<Vec<SocketAddr>> {
    let is_local = matches!(advertised_host, "localhost" | "127.0.0.1" | "::1");
    let v4: IpAddr = if is_local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED }.into();
    let first = bind_probe(SocketAddr::new(v4, port))?;
    let v6: IpAddr = if is_local { Ipv6Addr::LOCALHOST } else { Ipv6Addr::UNSPECIFIED }.into();
    let second = bind_probe_v6(SocketAddr::new(v6, first.port()));
    Ok(std::iter::once(first).chain(second).collect())
}

fn bind_probe(address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!("can't listen on {address}: choose another port with --port, or 0 for a free one")
    })?;
    Ok(listener.local_addr()?)
}

fn bind_probe_v6(address: SocketAddr) -> Option<SocketAddr> {
    let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    has_v6.then_some(address)
}
