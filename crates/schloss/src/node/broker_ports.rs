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
