//! `gateway.toml`: the gate before an Apache Kafka cluster.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schloss_gateway::Addressing;
use serde::Deserialize;
use toml::Spanned;

use super::audit::RawAudit;
use super::bootstrap::RawBootstrap;
use super::common::{self, Common, RawCommon};
use super::delegation_tokens::RawDelegationTokens;
use super::directory::RawDirectory;
use super::error::ConfigError;
use super::kerberos::RawKerberos;
use super::limits::RawLimits;
use super::listener::{self, Listener, RawListener, Sections, refuse};
use super::oauth::RawOauth;
use super::shared_state::{self, RawState, SharedState};
use super::source::{self, Source};
use super::upstream::{self, RawUpstream, Upstream};

/// What `schloss gateway` is told.
pub(crate) struct GatewayConfig {
    pub(crate) common: Common,
    pub(crate) upstream: Upstream,
    pub(crate) state: SharedState,
    /// At least one.
    pub(crate) listeners: Vec<GatewayListener>,
    /// Whether nothing is denied, and would-be denials are only written down.
    pub(crate) insecure_observe_only: bool,
}

/// A listener, and how its clients find each broker.
pub(crate) struct GatewayListener {
    pub(crate) listener: Listener,
    pub(crate) addressing: Addressing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGateway {
    data_dir: PathBuf,
    #[serde(default)]
    super_users: Vec<Spanned<String>>,
    #[serde(default)]
    insecure_observe_only: bool,
    upstream: RawUpstream,
    state: Option<RawState>,
    #[serde(default)]
    listener: Vec<RawListener>,
    bootstrap: Option<RawBootstrap>,
    #[serde(default)]
    limits: RawLimits,
    oauth: Option<RawOauth>,
    directory: Option<RawDirectory>,
    kerberos: Option<RawKerberos>,
    #[serde(default)]
    delegation_tokens: RawDelegationTokens,
    #[serde(default)]
    audit: RawAudit,
}

impl GatewayConfig {
    /// Reads and checks `path`, and the client file and the key that it names.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, key and what to do.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let help = "'schloss gateway quickstart' writes a configuration to start from";
        Self::check(&Source::new(path, &source::read(path, help)?))
    }

    pub(super) fn check(source: &Source<'_>) -> Result<Self, ConfigError> {
        let raw: RawGateway = source.parse()?;
        let Some(state) = &raw.state else {
            let help = "add a [state] section with key_file, the key of all gateways before this cluster";
            return Err(source.missing("state", help));
        };
        let sections = Sections { oauth: raw.oauth.is_some(), kerberos: raw.kerberos.is_some() };
        let listeners = listener::check_all(source, &raw.listener, sections, |listener, raw| {
            let addressing = addressing(source, &listener, raw)?;
            Ok(GatewayListener { listener, addressing })
        })?;
        refuse_same_ports(source, &listeners, &raw.listener)?;
        Ok(Self {
            upstream: upstream::check(source, &raw.upstream)?,
            state: shared_state::check(source, state)?,
            listeners,
            insecure_observe_only: raw.insecure_observe_only,
            common: common::check(
                source,
                RawCommon {
                    data_dir: raw.data_dir,
                    super_users: raw.super_users,
                    bootstrap: raw.bootstrap,
                    limits: raw.limits,
                    oauth: raw.oauth,
                    directory: raw.directory,
                    delegation_tokens: raw.delegation_tokens,
                    kerberos: raw.kerberos,
                    audit: raw.audit,
                },
            )?,
        })
    }
}

const PORT_BASE: &str = "listener.broker_port_base";
const NAMES: &str = "listener.broker_names";

fn addressing(
    source: &Source<'_>,
    listener: &Listener,
    raw: &RawListener,
) -> Result<Addressing, ConfigError> {
    let serve = "is a key of 'schloss serve': use broker_port_base or broker_names";
    refuse(source, raw.advertised_port.as_ref(), "listener.advertised_port", serve)?;
    match (&raw.broker_port_base, &raw.broker_names) {
        (Some(base), None) => by_ports(source, listener, base),
        (None, Some(names)) => by_names(source, listener, names),
        (None, None) => {
            let message =
                "is missing, and so is broker_names: clients could not tell brokers apart; set one of them";
            Err(source.error(raw.advertised_host.span(), PORT_BASE, message))
        }
        (Some(_), Some(names)) => {
            Err(source.error(names.span(), NAMES, "stands beside broker_port_base: set one of them"))
        }
    }
}

fn by_ports(
    source: &Source<'_>,
    listener: &Listener,
    base: &Spanned<u16>,
) -> Result<Addressing, ConfigError> {
    let first = *base.get_ref();
    // Broker ids have no bound, so every port from the base on may become a broker's.
    if let Some(bind) = listener.bind.iter().find(|bind| bind.port() >= first) {
        let port = bind.port();
        let message = match port.checked_sub(first) {
            Some(0) => format!("{first} is the port of {bind}, which would be broker 0's"),
            broker => format!(
                "ports from {first} on are those of brokers, and {bind} among them would be broker {}'s",
                broker.unwrap_or_default()
            ),
        };
        let help = match port.checked_add(1) {
            Some(next) => format!("use {next} or more, or bind a port below {first}"),
            None => "bind a lower port".to_owned(),
        };
        return Err(ConfigError { help: Some(help), ..source.error(base.span(), PORT_BASE, message) });
    }
    let bootstrap = listener.bind.iter().map(SocketAddr::port).collect();
    Ok(Addressing::Ports { host: listener.advertised_host.clone(), base: first, bootstrap })
}

fn by_names(
    source: &Source<'_>,
    listener: &Listener,
    names: &Spanned<String>,
) -> Result<Addressing, ConfigError> {
    let port = listener.bind[0].port();
    if let Some(other) = listener.bind.iter().find(|bind| bind.port() != port) {
        let message = format!("clients are told one port, but {other} and {} have two", listener.bind[0]);
        return Err(source.error(names.span(), NAMES, message));
    }
    Addressing::names(names.get_ref(), port)
        .map_err(|error| source.error(names.span(), NAMES, error.to_string()))
}

/// Refuses two listeners that would bind the same port for a broker.
fn refuse_same_ports(
    source: &Source<'_>,
    listeners: &[GatewayListener],
    raw: &[RawListener],
) -> Result<(), ConfigError> {
    for (index, one) in listeners.iter().enumerate() {
        let Addressing::Ports { base, .. } = &one.addressing else { continue };
        let same = listeners[..index].iter().find(|other| {
            matches!(&other.addressing, Addressing::Ports { base: theirs, .. } if theirs == base)
                && other
                    .listener
                    .bind
                    .iter()
                    .any(|bind| one.listener.bind.iter().any(|ours| ours.ip() == bind.ip()))
        });
        if let (Some(same), Some(span)) = (same, &raw[index].broker_port_base) {
            let message =
                format!("{base} is that of listener '{}' too, on the same address", same.listener.name);
            return Err(source.error(span.span(), PORT_BASE, message));
        }
    }
    Ok(())
}
