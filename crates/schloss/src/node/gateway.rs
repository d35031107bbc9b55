//! The gate before an Apache Kafka cluster.

use std::path::Path;
use std::sync::Arc;

use schloss_audit::Audit;
use schloss_client::{ClientConfig, ClientError, Security};
use schloss_gate::{Gate, GateConfig};
use schloss_gateway::{Gateway, GatewayError};
use schloss_metadata_topic::{OpenError, SharedMetadata, TopicLedgerConfig};

use super::broker_ports::BrokerPorts;
use super::leavers::Leavers;
use super::office::open_audit_of;
use super::state_watch::{StateWatch, forged};
use super::{Behind, ClientFiles, Node, Office, directory, doors, issuer, kerberos};
use crate::config::{DirectorySection, GatewayConfig};
use crate::datadir::DataDir;

/// What is done while a gateway serves, beside the serving.
pub(super) struct Chores {
    shared: SharedMetadata,
    ports: BrokerPorts,
    watch: StateWatch,
    leavers: Leavers,
}

impl Chores {
    /// Does them; does not end.
    pub(super) async fn run(&mut self, gate: &Gate, audit: &Audit) {
        tokio::join!(self.ports.follow(gate), self.watch.report(audit), self.leavers.follow());
    }

    pub(super) async fn end(self) {
        self.shared.shutdown().await;
    }
}

/// The state of a gateway, read whole and not yet served.
pub(crate) struct GatewayState {
    pub(crate) office: Office,
    shared: SharedMetadata,
    client: Arc<ClientConfig>,
}

impl GatewayState {
    /// Opens audit and shared metadata. Nothing listens yet.
    ///
    /// `ignore_forged` starts although there are records in the topic that no gateway wrote.
    ///
    /// # Errors
    /// A directory of something else, a cluster that can't be reached or does not let us in, a topic that is not
    /// ours.
    pub(crate) async fn open(
        data_dir: DataDir,
        config: &GatewayConfig,
        ignore_forged: bool,
    ) -> anyhow::Result<Self> {
        let host = gethostname::gethostname();
        let audit =
            open_audit_of(&config.common.audit, format!("/schloss/gateway-{}", host.to_string_lossy()))?;
        let client = Arc::new(config.upstream.client.clone());
        let opened = schloss_metadata_topic::open(TopicLedgerConfig {
            client: Arc::clone(&client),
            topic: config.state.topic.clone(),
            key: config.state.key.clone(),
            super_users: config.common.super_users.clone(),
            ignore_forged,
        });
        let shared = match opened.await {
            Ok(shared) => shared,
            Err(OpenError::Cluster(error)) => {
                return Err(upstream_error(error, &config.upstream.client_file));
            }
            Err(error) => {
                // The start ends here, and who looks into it later finds what hindered it.
                if let OpenError::Forged { topic, offset, keys, why } = &error {
                    audit.record_durably(vec![forged(topic, *offset, keys, why)]).await?;
                }
                return Err(error.into());
            }
        };
        let metadata = Arc::clone(&shared.metadata);
        Ok(Self { office: Office { data_dir, metadata, audit }, shared, client })
    }

    /// Opens the engine and the gate: from here on clients are served.
    ///
    /// # Errors
    /// TLS files that don't fit, a cluster that can't be reached, or an address that can't be bound.
    pub(crate) async fn serve(self, config: &GatewayConfig) -> anyhow::Result<Node> {
        let Self { office, mut shared, client } = self;
        warn_of_what_is_insecure(config, &office).await?;
        let addressing =
            config.listeners.iter().map(|one| (one.listener.name.clone(), one.addressing.clone()));
        let gateway = Gateway::open(schloss_gateway::GatewayConfig {
            identity: config.upstream.identity,
            refresh_interval: config.upstream.refresh_interval,
            ..schloss_gateway::GatewayConfig::new(client, addressing.collect())
        })
        .await
        .map_err(|error| match error {
            GatewayError::Upstream(error) => upstream_error(error, &config.upstream.client_file),
            other => other.into(),
        })?;
        let tokens = issuer::tokens(&config.common, &office.data_dir).await?;
        let (mut open, mut client_files) = (Vec::new(), ClientFiles::default());
        let mut ports = BrokerPorts::new(gateway.broker_ids());
        for one in &config.listeners {
            let bootstrap = doors::ports(&one.listener, tokens.as_ref())?;
            client_files.add(&one.listener, &bootstrap);
            ports.add(&bootstrap, &one.addressing);
            open.extend(bootstrap);
        }
        open.extend(ports.first()?);
        let directory = directory::start(config.common.directory.as_ref()).await?;
        let gate_config = GateConfig {
            insecure_observe_only: config.insecure_observe_only,
            kerberos: kerberos::tickets(&config.common).await?,
            ..doors::gate_config(&config.common, open, directory)
        };
        let gateway = Arc::new(gateway);
        let suspended = Arc::clone(&gateway);
        let suspend = Box::new(move |why| suspended.suspend(why));
        let watch = StateWatch::of(&mut shared, &config.state, suspend);
        let leavers = Leavers::new(Arc::clone(&gateway), office.metadata.changes());
        let behind = Behind::Cluster(Box::new(Chores { shared, ports, watch, leavers }));
        office.open_gate(&config.common, gate_config, gateway, behind, client_files).await
    }
}

impl Node {
    /// Opens everything that `config` names and serves.
    ///
    /// # Errors
    /// Whatever keeps it from serving; nothing is served in part.
    pub(crate) async fn gateway(config: &GatewayConfig, ignore_forged: bool) -> anyhow::Result<Self> {
        let data_dir = DataDir::open(&config.common.data_dir)?;
        let state = GatewayState::open(data_dir, config, ignore_forged).await?;
        state.office.bootstrap(config.common.bootstrap.as_ref()).await?;
        state.serve(config).await
    }
}

/// An error of the upstream client, with the file that says how to connect.
pub(crate) fn upstream_error(error: ClientError, file: &Path) -> anyhow::Error {
    let file = file.display();
    anyhow::Error::new(error).context(format!("the upstream cluster can't be used as {file} says"))
}

async fn warn_of_what_is_insecure(config: &GatewayConfig, office: &Office) -> anyhow::Result<()> {
    let plaintext = matches!(config.upstream.client.security, Security::Plaintext);
    let settings = [
        (
            config.insecure_observe_only,
            "insecure_observe_only: nothing is denied; what would be is in the audit log",
        ),
        (
            plaintext,
            "upstream.insecure_plaintext: everything between gateway and cluster is readable on the way",
        ),
        (config.common.directory.as_ref().is_some_and(DirectorySection::is_insecure), directory::INSECURE),
    ];
    office.warn_of_insecure(&settings).await
}
