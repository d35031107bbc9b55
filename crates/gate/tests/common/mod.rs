//! A gate with a tiny engine behind it, for tests that speak raw bytes over real TLS.
#![allow(dead_code, reason = "each test file uses its part of this")]
#![allow(unreachable_pub, reason = "a module of tests")]

pub mod client;
mod engine;
mod recorder;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub use client::Client;
pub use engine::TestEngine;
pub use recorder::Recorder;
use schloss_audit::{Audit, CloudEvent, EventKind};
use schloss_gate::{Engine, Gate, GateConfig, ListenerConfig};
use schloss_identity::{Mechanism, Password, ScramCredential};
use schloss_log::{Flusher, Vault};
use schloss_metadata::Metadata;
use schloss_pki::{Authority, Issued};
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};
use schloss_wire::Principal;

/// The password of every user that is made here.
pub const PASSWORD: &str = "correct horse battery staple";
/// Longer than anything here takes, so that a test that hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Tls {
    pub authority: Authority,
    pub issued: Issued,
    pub server: Arc<rustls::ServerConfig>,
    pub client: Arc<rustls::ClientConfig>,
}

/// One authority for all tests of a file: making keys takes a while.
pub static TLS: LazyLock<Tls> = LazyLock::new(|| {
    let valid = time::Duration::hours(1);
    let authority = Authority::generate("test authority", valid).unwrap();
    let issued = authority.issue_server(&["localhost".to_owned(), "127.0.0.1".to_owned()], valid).unwrap();
    Tls {
        server: schloss_pki::server_config(issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap(),
        client: schloss_pki::client_config(authority.cert_pem().as_bytes()).unwrap(),
        authority,
        issued,
    }
});

pub struct House<E = TestEngine> {
    pub gate: Gate,
    pub address: SocketAddr,
    pub engine: Arc<E>,
    pub metadata: Arc<Metadata>,
    pub audit: Audit,
    pub records: Recorder,
    _directory: tempfile::TempDir,
}

impl House {
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// A gate on a free port with the super user `admin` and the user `alice`, who may do nothing.
    pub async fn open_with(change: impl FnOnce(&mut GateConfig)) -> Self {
        Self::open_before(TestEngine::default(), change).await
    }

    /// The same before another engine.
    pub async fn open_before(engine: TestEngine, change: impl FnOnce(&mut GateConfig)) -> Self {
        Self::open_around(|_, _, _| engine, change).await
    }
}

impl<E: Engine> House<E> {
    /// The same before an engine that keeps something itself: in this directory, beside this metadata.
    pub async fn open_around(
        engine: impl FnOnce(&Path, &Arc<Metadata>, &Arc<Flusher>) -> E,
        change: impl FnOnce(&mut GateConfig),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let flusher = Flusher::start(1).unwrap();
        let super_users = vec![Principal::user("admin")];
        let path = directory.path().join("metadata");
        let metadata =
            Metadata::open(&path, super_users, &Vault::InsecurePlain, Arc::clone(&flusher)).unwrap();
        let records = Recorder::default();
        let audit = Audit::with_sink(Box::new(records.clone()), "/test").unwrap();
        let engine = Arc::new(engine(directory.path(), &metadata, &flusher));
        let listener = ListenerConfig {
            name: "CLIENTS".to_owned(),
            bind: "127.0.0.1:0".parse().unwrap(),
            tls: Arc::clone(&TLS.server),
            mechanisms: vec![Mechanism::ScramSha512.into(), Mechanism::ScramSha256.into()],
            clients: None,
            tokens: None,
            max_reauth: None,
        };
        let mut config = GateConfig::new(vec![listener]);
        config.failed_authentication_delay = Duration::from_millis(1);
        change(&mut config);
        let gate =
            Gate::start(config, Arc::clone(&engine) as _, Arc::clone(&metadata), audit.clone()).unwrap();
        let address = gate.addresses()[0].1;
        let house = Self { gate, address, engine, metadata, audit, records, _directory: directory };
        house.add_user("admin").await;
        house.add_user("alice").await;
        house
    }

    pub async fn add_user(&self, user: &str) {
        for mechanism in Mechanism::ALL {
            let password = Password::new(PASSWORD.to_owned());
            let credential = ScramCredential::derive(mechanism, &password, 4096).unwrap();
            self.metadata.set_scram(user, credential).await.unwrap();
        }
    }

    pub async fn allow(
        &self,
        user: &str,
        operation: Operation,
        resource_type: ResourceType,
        name: &str,
    ) -> Acl {
        let acl = Acl {
            resource_type,
            pattern_type: PatternType::Literal,
            resource_name: name.to_owned(),
            principal: format!("User:{user}"),
            host: "*".to_owned(),
            operation,
            permission: Permission::Allow,
        };
        self.metadata.add_acls(vec![acl.clone()]).await.unwrap()[0].as_ref().unwrap();
        acl
    }

    /// Everything recorded so far.
    pub async fn events(&self) -> Vec<CloudEvent> {
        self.audit.flush().await;
        self.records.events()
    }

    /// Waits for a record, since some are written after the peer has seen its end of the story.
    pub async fn event(&self, what: &str, wanted: impl Fn(&CloudEvent) -> bool) -> CloudEvent {
        let waiting = async {
            loop {
                if let Some(event) = self.events().await.into_iter().find(|event| wanted(event)) {
                    return event;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(event) => event,
            Err(_) => panic!("no record of {what} in {:#?}", self.events().await),
        }
    }

    /// Waits for a record about a connection whose message holds `words`.
    pub async fn complaint(&self, words: &str) -> CloudEvent {
        self.event(words, |event| {
            event.kind() == Some(EventKind::Connection) && message(event).contains(words)
        })
        .await
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    pub async fn login(&self, user: &str) -> Client {
        let mut client = self.connect().await;
        client.login(Mechanism::ScramSha256, user, PASSWORD).await.unwrap();
        client
    }

    /// That others are served as ever.
    pub async fn still_serves(&self) {
        let mut client = self.login("admin").await;
        client.ping().await;
    }
}

pub fn message(event: &CloudEvent) -> &str {
    event.data.result.message.as_deref().unwrap_or_default()
}
