//! `schloss quickstart` and `schloss gateway quickstart`: from nothing to a locked node that has proved itself.
//!
//! Both make the same things in the same layout, and show the same proofs; only what stands behind the gate, and
//! so the configuration, is their own.

mod accounts;
pub(crate) mod broker;
mod certificates;
mod client_files;
pub(crate) mod gateway;
mod next_steps;
mod proofs;
mod screen;
mod sockets;
mod topic;
mod upstream_file;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use schloss_client::ClientConfig;

use crate::logging;
use crate::node::Node;

pub(crate) use certificates::shared_authority;

/// Who does all this, in audit records.
const QUICKSTART: &str = "System:quickstart";
const DEFAULT_PORT: u16 = 9092;
const DEFAULT_HOST: &str = "localhost";

/// What was made, where, and how it is reached.
struct Place {
    /// The data directory, absolute.
    root: PathBuf,
    /// Where clients connect first.
    host: String,
    port: u16,
    /// The topic that the two service accounts may use.
    topic: String,
}

impl Place {
    fn bootstrap(&self) -> String {
        let host = &self.host;
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }

    fn client_file(&self, account: &str) -> PathBuf {
        self.root.join(format!("clients/{account}.properties"))
    }

    /// The account's client file, as its user would take it, but connecting to `route` whatever names lead to:
    /// they need not be known on this machine.
    fn client(&self, account: &str, route: IpAddr) -> anyhow::Result<ClientConfig> {
        Ok(ClientConfig::from_file(self.client_file(account))?.with_route(route))
    }
}

/// The address of `node` on this machine, for the self-check.
fn route(node: &Node) -> anyhow::Result<IpAddr> {
    let bound = node.addresses().next().context("nothing is bound")?;
    Ok(match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    })
}

/// What stands on the screen before the proofs.
fn announce(place: &Place, is_new: bool, started: Instant) -> anyhow::Result<()> {
    let made = if is_new { "made in" } else { "reused from" };
    screen::line(format_args!("Schloss {} is serving on {}", env!("CARGO_PKG_VERSION"), place.bootstrap()))?;
    screen::line(format_args!("  data         {made} {}", place.root.display()))?;
    screen::line(format_args!("  ready after  {} ms\n", started.elapsed().as_millis()))
}

/// Runs the self-check with the log in a file: it provokes what is warned of, and the screen belongs to the proofs.
async fn beside_screen(
    place: &Place,
    proofs: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let path = place.root.join("self-check.log");
    let aside = logging::aside(&path)?;
    let proved = proofs.await;
    drop(aside);
    proved.with_context(|| format!("the self-check failed, its log is {}", path.display()))
}

/// Stops after a proof that failed, or if one run was all that was wanted; else serves.
async fn serve(node: Node, proved: anyhow::Result<()>, once: bool) -> anyhow::Result<()> {
    if once || proved.is_err() {
        node.stop("quickstart ends after its self-check").await?;
        return proved;
    }
    screen::line(format_args!("Serving until Ctrl-C."))?;
    node.serve_until_signal().await
}

/// The data directory's configuration, once it is whole.
fn draft_of(config: &Path) -> PathBuf {
    config.with_extension("toml.draft")
}
