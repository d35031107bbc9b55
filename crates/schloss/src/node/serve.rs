//! One running node: every room opened in order, and closed in the opposite one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use schloss_audit::{Audit, AuditConfig, Event};
use schloss_broker::{Advertised, Broker, BrokerConfig};
use schloss_gate::{Gate, GateConfig, ListenerConfig};
use schloss_identity::{DEFAULT_ITERATIONS, Mechanism, Password, ScramCredential};
use schloss_log::{Flusher, LogConfig};
use schloss_metadata::Metadata;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::config::{Bootstrap, Config};
use crate::datadir::DataDir;

/// The runtime that a server runs on: one worker a core.
///
/// # Errors
/// No threads to be had.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    raise_file_limit();
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("schloss").build()?)
}

/// Takes as many file descriptors as the system lets us have: connections and partitions need one each, and
/// the usual soft limit of 1,024 is a relic of `select`.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!("the limit of open files stays at {:?}: {error}", limit.current);
    }
}

/// The state of a node, opened and not yet served.
pub(crate) struct State {
    data_dir: DataDir,
    flusher: Arc<Flusher>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) audit: Audit,
}

impl State {
    /// Opens audit and metadata. Nothing listens yet.
    ///
    /// # Errors
    /// A directory of something else, or a log that can't be read.
    pub(crate) async fn open(data_dir: DataDir, config: &Config) -> anyhow::Result<Self> {
        let audit = Audit::open(AuditConfig {
            max_file_bytes: config.audit.max_file_bytes,
            max_files: config.audit.max_files,
            source: format!("/schloss/node-{}", config.node_id),
            ..AuditConfig::new(config.audit.directory.clone())
        })
        .context("the audit log can't be opened, and nothing is served without it")?;
        let flusher = Flusher::start(FLUSH_THREADS)?;
        let metadata = tokio::task::spawn_blocking({
            let (directory, super_users) = (data_dir.join("metadata"), config.super_users.clone());
            let flusher = Arc::clone(&flusher);
            move || Metadata::open(&directory, super_users, flusher)
        })
        .await?
        .context("the metadata log can't be opened")?;
        Ok(Self { data_dir, flusher, metadata, audit })
    }

    /// Gives `user` this password with every mechanism, and writes down who did it.
    ///
    /// # Errors
    /// A password that can't be used, or a log that can't be written.
    pub(crate) async fn set_password(&self, by: &str, user: &str, password: &Password) -> anyhow::Result<()> {
        for mechanism in Mechanism::ALL {
            let password = password.clone();
            // PBKDF2 is meant to be slow; the reactor must not wait for it.
            let credential = tokio::task::spawn_blocking(move || {
                ScramCredential::derive(mechanism, &password, DEFAULT_ITERATIONS)
            })
            .await??;
            self.metadata.set_scram(user, credential).await?;
        }
        let event = Event::administration("kafka.AlterUserScramCredentials")
            .principal(by)
            .resource("User", user)
            .change(json!({ "user": user, "mechanisms": Mechanism::ALL.map(Mechanism::name) }));
        self.audit.record_durably(vec![event]).await.context("the audit log can't be written")
    }

    async fn bootstrap(&self, bootstrap: &Bootstrap) -> anyhow::Result<()> {
        if self.metadata.snapshot().user(&bootstrap.user).is_some() {
            return Ok(());
        }
        info!(user = bootstrap.user, "making the bootstrap account");
        self.set_password(BOOTSTRAP, &bootstrap.user, &bootstrap.password).await
    }

    /// Opens the broker and the gate: from here on clients are served.
    ///
    /// # Errors
    /// TLS files that don't fit, a log that can't be read, or an address that can't be bound.
    pub(crate) async fn serve(self, config: &Config) -> anyhow::Result<Node> {
        let Self { data_dir, flusher, metadata, audit } = self;
        let broker = tokio::task::spawn_blocking({
            let broker_config = broker_config(data_dir.path(), config);
            let (metadata, flusher) = (Arc::clone(&metadata), Arc::clone(&flusher));
            move || Broker::open(broker_config, metadata, flusher)
        })
        .await?
        .context("the records can't be opened")?;
        let gate = Gate::start(
            gate_config(config)?,
            Arc::new(Broker::clone(&broker)),
            Arc::clone(&metadata),
            audit.clone(),
        )?;
        for (name, address) in gate.addresses() {
            info!(listener = name, %address, "serving");
        }
        let started = Event::system("schloss.Start")
            .principal(SYSTEM)
            .change(json!({ "version": env!("CARGO_PKG_VERSION"), "config": config.path }));
        audit.record_durably(vec![started]).await?;
        Ok(Node { gate, flusher, audit, _data_dir: data_dir })
    }
}

/// Who does what no request asked for, in audit records.
const SYSTEM: &str = "System:schloss";
const BOOTSTRAP: &str = "System:bootstrap";
const FLUSH_THREADS: usize = 2;

/// A node that serves.
pub(crate) struct Node {
    gate: Gate,
    flusher: Arc<Flusher>,
    audit: Audit,
    /// Held until the end: a second process stays out.
    _data_dir: DataDir,
}

impl Node {
    /// Opens everything that `config` names and serves.
    ///
    /// # Errors
    /// Whatever keeps it from serving; nothing is served in part.
    pub(crate) async fn start(config: Config) -> anyhow::Result<Self> {
        if config.log.durability == schloss_log::Durability::Os {
            warn!("log.durability is \"os\": acks=all is answered before the data is on disk");
        }
        let data_dir = DataDir::open(&config.data_dir)?;
        let state = State::open(data_dir, &config).await?;
        if let Some(bootstrap) = &config.bootstrap {
            state.bootstrap(bootstrap).await?;
        }
        state.serve(&config).await
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.gate.addresses().into_iter().map(|(_, address)| address)
    }

    /// Where audit records go.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Serves until SIGINT or SIGTERM, then stops in order.
    ///
    /// # Errors
    /// A log that could not be brought to disk.
    pub(crate) async fn serve_until_signal(self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping: requests in flight are finished and everything is flushed");
        self.stop(name).await
    }

    /// Stops: no new connections, requests in flight finished, everything on disk.
    ///
    /// # Errors
    /// A log that could not be brought to disk.
    pub(crate) async fn stop(self, why: &str) -> anyhow::Result<()> {
        self.gate.shutdown().await;
        let flusher = self.flusher;
        tokio::task::spawn_blocking(move || flusher.shutdown()).await??;
        let stopped = Event::system("schloss.Stop").principal(SYSTEM).message(why);
        self.audit.record_durably(vec![stopped]).await?;
        Ok(())
    }
}

fn broker_config(data_dir: &std::path::Path, config: &Config) -> BrokerConfig {
    let advertised: HashMap<_, _> = config
        .advertised()
        .into_iter()
        .map(|(name, (host, port))| (name, Advertised { host, port }))
        .collect();
    let log = LogConfig {
        segment_bytes: config.log.segment_bytes,
        durability: config.log.durability,
        ..LogConfig::default()
    };
    BrokerConfig::new(data_dir.to_owned(), config.node_id, advertised, log)
}

fn gate_config(config: &Config) -> anyhow::Result<GateConfig> {
    let mut listeners = Vec::new();
    for listener in &config.listeners {
        let read = |path: &std::path::Path| {
            std::fs::read(path)
                .with_context(|| format!("listener '{}' can't read {}", listener.name, path.display()))
        };
        let tls = schloss_pki::server_config(&read(&listener.certificate)?, &read(&listener.key)?)
            .with_context(|| format!("listener '{}' can't use its TLS files", listener.name))?;
        for &bind in &listener.bind {
            listeners.push(ListenerConfig {
                name: listener.name.clone(),
                bind,
                tls: Arc::clone(&tls),
                mechanisms: listener.mechanisms.clone(),
            });
        }
    }
    let limits = &config.limits;
    Ok(GateConfig {
        max_request_bytes: limits.max_request_bytes,
        max_connections: limits.max_connections,
        max_connections_per_address: limits.max_connections_per_address,
        handshake_timeout: limits.handshake_timeout,
        authentication_timeout: limits.authentication_timeout,
        idle_timeout: limits.idle_timeout,
        failed_authentication_delay: limits.failed_authentication_delay,
        audit_summary_interval: config.audit.summary_interval,
        ..GateConfig::new(listeners)
    })
}
