//! A port for each broker of the cluster, on every address that its listener binds.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use schloss_gate::{Gate, ListenerConfig};
use schloss_gateway::Addressing;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::error;

/// How soon a port is tried again that could not be bound.
const RETRY: Duration = Duration::from_secs(5);

/// Which ports should be open, and which are. A port stays open when its broker leaves: it may come back.
pub(super) struct BrokerPorts {
    brokers: watch::Receiver<Vec<i32>>,
    doors: Vec<Door>,
    open: HashSet<SocketAddr>,
    /// Ports that could not be bound at the last attempt, and were told of.
    told: HashSet<SocketAddr>,
}

/// A listener whose brokers have ports.
struct Door {
    like: ListenerConfig,
    addresses: Vec<IpAddr>,
    addressing: Addressing,
}

impl BrokerPorts {
    pub(super) fn new(brokers: watch::Receiver<Vec<i32>>) -> Self {
        Self { brokers, doors: Vec::new(), open: HashSet::new(), told: HashSet::new() }
    }

    /// Adds a listener that is open at `bootstrap`; one whose brokers have names needs no further ports.
    pub(super) fn add(&mut self, bootstrap: &[ListenerConfig], addressing: &Addressing) {
        let (Addressing::Ports { .. }, Some(like)) = (addressing, bootstrap.first()) else { return };
        let mut addresses: Vec<IpAddr> = bootstrap.iter().map(|one| one.bind.ip()).collect();
        addresses.dedup();
        self.doors.push(Door { like: like.clone(), addresses, addressing: addressing.clone() });
    }

    /// The ports of the brokers there are now, which the caller opens.
    ///
    /// # Errors
    /// A broker's id leaves no port for it.
    pub(super) fn first(&mut self) -> anyhow::Result<Vec<ListenerConfig>> {
        let ids = self.brokers.borrow_and_update().clone();
        let mut wanted = Vec::new();
        for door in &self.doors {
            for id in &ids {
                wanted.extend(door.ports(*id).with_context(|| door.no_port(*id))?);
            }
        }
        self.open.extend(wanted.iter().map(|port| port.bind));
        Ok(wanted)
    }

    /// Opens the port of each broker that joins, for ever. One that can't be bound is tried again.
    pub(super) async fn follow(&mut self, gate: &Gate) {
        loop {
            let patience = if self.told.is_empty() { Duration::MAX } else { RETRY };
            if let Ok(Err(_)) = timeout(patience, self.brokers.changed()).await {
                // The engine is gone, and nobody joins any more.
                return std::future::pending().await;
            }
            let ids = self.brokers.borrow_and_update().clone();
            self.open_missing(gate, &ids);
        }
    }

    fn open_missing(&mut self, gate: &Gate, ids: &[i32]) {
        let told = std::mem::take(&mut self.told);
        for door in &self.doors {
            for id in ids {
                let Some(ports) = door.ports(*id) else {
                    error!("{}", door.no_port(*id));
                    continue;
                };
                for port in ports {
                    if self.open.contains(&port.bind) {
                        continue;
                    }
                    match gate.listen(&port) {
                        Ok(address) => {
                            self.open.insert(address);
                        }
                        Err(refused) => {
                            if !told.contains(&port.bind) {
                                error!(
                                    broker = id,
                                    "clients don't reach a broker, trying on every {} s: {refused}",
                                    RETRY.as_secs()
                                );
                            }
                            self.told.insert(port.bind);
                        }
                    }
                }
            }
        }
    }
}

impl Door {
    /// What to bind for a broker; `None` if its id leaves no port for it.
    fn ports(&self, id: i32) -> Option<Vec<ListenerConfig>> {
        let (_, port) = self.addressing.address(id)?;
        let at = |ip: &IpAddr| ListenerConfig { bind: SocketAddr::new(*ip, port), ..self.like.clone() };
        Some(self.addresses.iter().map(at).collect())
    }

    fn no_port(&self, id: i32) -> String {
        format!(
            "listener '{}' has no port for broker {id}, since broker_port_base + {id} is over 65535: use a lower base, \
             or broker_names",
            self.like.name
        )
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::Arc;

    use schloss_audit::{Audit, AuditConfig};
    use schloss_gate::{Engine, EngineSession, Entrance, GateConfig, Offer};
    use schloss_identity::Mechanism;
    use schloss_log::{Flusher, Vault};
    use schloss_metadata::Metadata;
    use schloss_policy::TopicNames;
    use schloss_wire::Principal;

    use super::*;

    /// An engine that nobody reaches.
    struct Nothing;

    impl Engine for Nothing {
        fn keeps_quotas(&self) -> bool {
            true
        }

        fn offer(&self, _: &Entrance) -> Arc<Offer> {
            unreachable!("nobody connects")
        }

        fn open(&self, _: &Entrance, _: &Principal) -> Box<dyn EngineSession> {
            unreachable!("nobody connects")
        }

        fn topics(&self) -> Arc<dyn TopicNames> {
            Arc::new(NoTopics)
        }
    }

    struct NoTopics;

    impl TopicNames for NoTopics {
        fn name_of(&self, _: schloss_wire::Uuid) -> Option<Arc<str>> {
            None
        }
    }

    fn listener() -> ListenerConfig {
        let ca = schloss_pki::Authority::generate("test", ::time::Duration::DAY).unwrap();
        let issued = ca.issue_server(&["localhost".to_owned()], ::time::Duration::DAY).unwrap();
        ListenerConfig {
            name: "secure".to_owned(),
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            tls: schloss_pki::server_config(issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap(),
            mechanisms: vec![Mechanism::ScramSha512.into()],
            clients: None,
            tokens: None,
            max_reauth: None,
        }
    }

    fn ports_of(brokers: &watch::Sender<Vec<i32>>, base: u16) -> BrokerPorts {
        let mut ports = BrokerPorts::new(brokers.subscribe());
        let addressing = Addressing::Ports { host: "localhost".to_owned(), base, bootstrap: vec![1] };
        ports.add(&[listener()], &addressing);
        ports
    }

    /// A base such that `base + 0` to `base + 2` are free, with the socket on `base + 2`.
    fn stretch() -> (u16, TcpListener) {
        loop {
            let last = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let base = last.local_addr().unwrap().port() - 2;
            if (0..2).all(|id| TcpListener::bind((Ipv4Addr::LOCALHOST, base + id)).is_ok()) {
                return (base, last);
            }
        }
    }

    fn gate(directory: &std::path::Path) -> Gate {
        let audit = Audit::open(AuditConfig::new(directory.join("audit"))).unwrap();
        let flusher = Flusher::start(1).unwrap();
        let metadata =
            Metadata::open(&directory.join("metadata"), Vec::new(), &Vault::InsecurePlain, flusher).unwrap();
        Gate::start(GateConfig::new(Vec::new()), Arc::new(Nothing), metadata, audit).unwrap()
    }

    fn open_ports(gate: &Gate) -> Vec<u16> {
        gate.addresses().iter().map(|(_, address)| address.port()).collect()
    }

    #[tokio::test]
    async fn brokers_that_join_get_their_ports_once_those_are_free() {
        let directory = tempfile::tempdir().unwrap();
        let gate = gate(directory.path());
        let (base, taken) = stretch();
        let brokers = watch::Sender::new(vec![0]);
        let mut ports = ports_of(&brokers, base);
        let first: Vec<u16> = ports.first().unwrap().iter().map(|port| port.bind.port()).collect();
        assert_eq!(first, [base], "left to the caller");
        ports.open_missing(&gate, &[0, 1, 2]);
        assert_eq!(open_ports(&gate), [base + 1]);
        drop(taken);
        ports.open_missing(&gate, &[0, 1, 2]);
        assert_eq!(open_ports(&gate), [base + 1, base + 2]);
        assert!(ports.told.is_empty());
        // One that left keeps its port, and is not bound twice when it comes back.
        ports.open_missing(&gate, &[0]);
        ports.open_missing(&gate, &[0, 2]);
        assert_eq!(open_ports(&gate), [base + 1, base + 2]);
    }

    #[tokio::test]
    async fn a_broker_without_a_port_hinders_the_start() {
        let brokers = watch::Sender::new(vec![1, 70_000]);
        let error = ports_of(&brokers, 9093).first().err().unwrap().to_string();
        assert!(error.contains("no port for broker 70000") && error.contains("broker_names"), "{error}");
    }
}
