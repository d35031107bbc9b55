//! Where accounts and rights are kept, and where it is written down who changed them.

use std::sync::Arc;

use anyhow::Context;
use schloss_audit::{Audit, AuditConfig, Event};
use schloss_gate::{Engine, Gate, GateConfig};
use schloss_identity::{DEFAULT_ITERATIONS, Mechanism, Password, ScramCredential};
use schloss_metadata::Metadata;
use schloss_policy::Acl;
use serde_json::json;
use tracing::{info, warn};

use super::process::Signals;
use super::{Behind, ClientFiles, Node, SYSTEM};
use crate::config::{AuditSection, Bootstrap, Common};
use crate::datadir::DataDir;

const BOOTSTRAP: &str = "System:bootstrap";

/// What a node has before it serves, whatever stands behind its gate.
pub(crate) struct Office {
    pub(super) data_dir: DataDir,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) audit: Audit,
}

/// Opens the audit log of a broker with this node id.
///
/// # Errors
/// It can't be written.
pub(crate) fn open_audit(section: &AuditSection, node_id: i32) -> anyhow::Result<Audit> {
    open_audit_of(section, format!("/schloss/node-{node_id}"))
}

/// Opens the audit log of the node that `source` names.
///
/// # Errors
/// It can't be written.
pub(super) fn open_audit_of(section: &AuditSection, source: String) -> anyhow::Result<Audit> {
    Audit::open(AuditConfig {
        max_file_bytes: section.max_file_bytes,
        max_files: section.max_files,
        source,
        ..AuditConfig::new(section.directory.clone())
    })
    .context("the audit log can't be opened, and nothing is served without it")
}

impl Office {
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

    /// Adds ACLs, and writes down who did it.
    ///
    /// # Errors
    /// An ACL that can't be, or a log that can't be written.
    pub(crate) async fn add_acls(&self, by: &str, acls: Vec<Acl>) -> anyhow::Result<()> {
        let event = Event::administration("kafka.CreateAcls")
            .principal(by)
            .change(json!({ "acls": acls.iter().map(ToString::to_string).collect::<Vec<_>>() }));
        for added in self.metadata.add_acls(acls).await? {
            added?;
        }
        self.audit.record_durably(vec![event]).await.context("the audit log can't be written")
    }

    /// Says aloud, and writes down, what a configuration weakens.
    ///
    /// # Errors
    /// An audit log that can't be written.
    pub(super) async fn warn_of_insecure(&self, settings: &[(bool, &str)]) -> anyhow::Result<()> {
        for (_, words) in settings.iter().filter(|(is_on, _)| *is_on) {
            warn!("INSECURE: {words}");
            let event = Event::system("schloss.InsecureSetting").principal(SYSTEM).message(*words);
            self.audit.record_durably(vec![event]).await.context("the audit log can't be written")?;
        }
        Ok(())
    }

    /// Makes the account of the configuration if it does not exist.
    ///
    /// # Errors
    /// As [`Office::set_password`].
    pub(super) async fn bootstrap(&self, bootstrap: Option<&Bootstrap>) -> anyhow::Result<()> {
        let Some(bootstrap) = bootstrap else { return Ok(()) };
        if self.metadata.snapshot().user(&bootstrap.user).is_some() {
            return Ok(());
        }
        info!(user = bootstrap.user, "making the bootstrap account");
        self.set_password(BOOTSTRAP, &bootstrap.user, &bootstrap.password).await
    }

    /// Opens the gate before `engine`: from here on clients are served.
    ///
    /// # Errors
    /// An address that can't be bound, an audit log that can't be written, or signals that can't be heard.
    pub(super) async fn open_gate(
        self,
        common: &Common,
        config: GateConfig,
        engine: Arc<dyn Engine>,
        behind: Behind,
        client_files: ClientFiles,
    ) -> anyhow::Result<Node> {
        let Self { data_dir, metadata, audit } = self;
        // From here on clients may see that it is there, and so may who is to stop it.
        let signals = Signals::hear()?;
        let gate = Gate::start(config, engine, metadata, audit.clone())?;
        for (name, address) in gate.addresses() {
            info!(listener = name, %address, "serving");
        }
        let started = Event::system("schloss.Start")
            .principal(SYSTEM)
            .change(json!({ "version": env!("CARGO_PKG_VERSION"), "config": common.path }));
        audit.record_durably(vec![started]).await?;
        Ok(Node { gate, audit, behind, client_files, signals, _data_dir: data_dir })
    }
}
