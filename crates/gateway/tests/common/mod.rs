//! A gate and a gateway in this process before a real Apache Kafka cluster.
//!
//! `SCHLOSS_TEST_UPSTREAM` names the client file of a principal that may do everything there.
#![allow(dead_code, reason = "each test file uses its part of this")]
#![allow(unreachable_pub, reason = "a module of tests")]

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use schloss_audit::{Audit, AuditConfig};
use schloss_client::{ClientConfig, Cluster, NewTopic, Security, Tls, TlsVersions, Trust};
use schloss_gate::{Gate, GateConfig, ListenerConfig};
use schloss_gateway::{Addressing, Gateway, GatewayConfig};
use schloss_identity::{Mechanism, Password, ScramCredential};
use schloss_log::{Flusher, Vault};
use schloss_metadata::Metadata;
use schloss_pki::Authority;
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};
use schloss_wire::messages::MetadataRequest;
use schloss_wire::messages::metadata_request::MetadataRequestTopic;
use schloss_wire::{Principal, build};

pub const PASSWORD: &str = "correct horse battery staple";
const LISTENER: &str = "CLIENTS";

/// The upstream cluster's super user.
pub fn upstream() -> ClientConfig {
    let file = std::env::var("SCHLOSS_TEST_UPSTREAM").expect("SCHLOSS_TEST_UPSTREAM names a client file");
    ClientConfig::from_file(file).unwrap()
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A name that no other test and no other run has.
pub fn unique(what: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("{what}-{}-{}", now.as_millis(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

pub struct House {
    pub gate: Gate,
    pub gateway: Arc<Gateway>,
    pub bootstrap: SocketAddr,
    pub base: u16,
    pub metadata: Arc<Metadata>,
    pub audit: Audit,
    pub directory: tempfile::TempDir,
    ca: String,
}

impl House {
    pub async fn open() -> Self {
        Self::open_with(|_, _| {}).await
    }

    /// The super user is `admin`.
    pub async fn open_with(change: impl FnOnce(&mut GatewayConfig, &mut GateConfig)) -> Self {
        // Shown with a test that fails.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let directory = tempfile::tempdir().unwrap();
        let flusher = Flusher::start(1).unwrap();
        let super_users = vec![Principal::user("admin")];
        let metadata =
            Metadata::open(&directory.path().join("metadata"), super_users, &Vault::InsecurePlain, flusher)
                .unwrap();
        let audit = Audit::open(AuditConfig::new(directory.path().join("audit"))).unwrap();
        let valid = time::Duration::hours(1);
        let authority = Authority::generate("gateway's CA", valid).unwrap();
        let names = ["localhost", "*.kafka.test"].map(str::to_owned);
        let issued = authority.issue_server(&names, valid).unwrap();
        let tls = schloss_pki::server_config(issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
        let bootstrap = free_ports();
        let base = bootstrap + 1;
        let listener = |port: u16| ListenerConfig {
            name: LISTENER.to_owned(),
            bind: ([127, 0, 0, 1], port).into(),
            tls: Arc::clone(&tls),
            mechanisms: Mechanism::ALL.map(Into::into).to_vec(),
            clients: None,
            tokens: None,
            max_reauth: None,
        };
        let addressing = Addressing::Ports { host: "localhost".to_owned(), base, bootstrap: vec![bootstrap] };
        let mut config =
            GatewayConfig::new(Arc::new(upstream()), HashMap::from([(LISTENER.to_owned(), addressing)]));
        let mut gate_config = GateConfig::new(vec![listener(bootstrap)]);
        gate_config.audit_summary_interval = Duration::from_millis(200);
        change(&mut config, &mut gate_config);
        let gateway = Arc::new(Gateway::open(config).await.unwrap());
        let ids = gateway.broker_ids().borrow().clone();
        let gate = Gate::start(gate_config, Arc::clone(&gateway) as _, Arc::clone(&metadata), audit.clone())
            .unwrap();
        for id in ids {
            gate.listen(&listener(base + u16::try_from(id).unwrap())).unwrap();
        }
        let bootstrap = gate.addresses()[0].1;
        let house = Self {
            gate,
            gateway,
            bootstrap,
            base,
            metadata,
            audit,
            directory,
            ca: authority.cert_pem().to_owned(),
        };
        house.add_user("admin").await;
        house
    }

    pub async fn add_user(&self, user: &str) {
        for mechanism in Mechanism::ALL {
            let credential =
                ScramCredential::derive(mechanism, &Password::new(PASSWORD.to_owned()), 4096).unwrap();
            self.metadata.set_scram(user, credential).await.unwrap();
        }
    }

    pub async fn allow(&self, user: &str, operation: Operation, resource_type: ResourceType, name: &str) {
        let acl = Acl {
            resource_type,
            pattern_type: PatternType::Literal,
            resource_name: name.to_owned(),
            principal: format!("User:{user}"),
            host: "*".to_owned(),
            operation,
            permission: Permission::Allow,
        };
        self.metadata.add_acls(vec![acl]).await.unwrap().remove(0).unwrap();
    }

    /// How a user reaches the gateway.
    pub fn client(&self, user: &str) -> ClientConfig {
        let trust = Trust::from_pem(self.ca.clone(), "the gateway's CA");
        let tls = Tls::new(&trust, None, TlsVersions::default()).unwrap();
        let bootstrap = vec![format!("localhost:{}", self.bootstrap.port())];
        ClientConfig::new(bootstrap, Security::Tls(tls)).with_scram(
            Mechanism::ScramSha256,
            user,
            Password::new(PASSWORD.to_owned()),
        )
    }

    /// A topic, made by the gateway's super user, of which every broker has heard.
    pub async fn topic(&self, partitions: i32) -> String {
        let mut cluster = Cluster::connect(self.client("admin")).await.unwrap();
        let name = unique("topic");
        let new = NewTopic { name: name.clone(), partitions: Some(partitions), ..NewTopic::default() };
        cluster.create_topic(&new).await.unwrap();
        let asked = build!(MetadataRequestTopic { name: Some(name.as_str().into()) });
        let request = build!(MetadataRequest { topics: Some(vec![asked]), allow_auto_topic_creation: false });
        for broker in cluster.brokers() {
            let begun = Instant::now();
            while cluster.call_node(broker.id, &request, i16::MAX).await.unwrap().topics[0].error_code != 0 {
                assert!(begun.elapsed() < Duration::from_secs(30), "broker {} has not heard", broker.id);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        name
    }
}

/// The first of ten ports in a row that are free.
fn free_ports() -> u16 {
    loop {
        let first = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        if first < u16::MAX - 10
            && (first..first + 10).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        {
            return first;
        }
    }
}
