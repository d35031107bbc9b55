//! How many connections and handshakes there may be: permits as values, given back when dropped.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The counts that all listeners of a gate share.
pub(crate) struct Limits {
    max_connections: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
    handshakes: Arc<Semaphore>,
    max_handshakes_per_address: usize,
}

#[derive(Default)]
struct Counts {
    total: usize,
    // Holds no more entries than there are connections.
    by_address: HashMap<IpAddr, OfAddress>,
}

struct OfAddress {
    connections: usize,
    handshakes: Arc<Semaphore>,
}

/// One address may hold one in so many of the handshakes, so that stalling them holds up nobody else.
const HANDSHAKE_SHARE: usize = 4;

/// The right to one connection.
pub(crate) struct ConnectionPermit {
    limits: Arc<Limits>,
    address: IpAddr,
    handshakes: Arc<Semaphore>,
}

/// The right to one TLS handshake.
pub(crate) struct HandshakePermit {
    _of_address: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// Which bound a new connection is over.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum OverLimit {
    #[error("there are {0} connections already, as many as max_connections allows")]
    Total(usize),
    #[error("this address has {0} connections already, as many as max_connections_per_address allows")]
    Address(usize),
    #[error("this address opens connections faster than its connection_creation_rate allows")]
    Rate,
}

impl Limits {
    pub(crate) fn new(max_connections: usize, max_per_address: usize, max_handshakes: usize) -> Arc<Self> {
        let max_handshakes = max_handshakes.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            max_connections,
            max_per_address,
            counts: Mutex::default(),
            handshakes: Arc::new(Semaphore::new(max_handshakes)),
            max_handshakes_per_address: max_handshakes.div_ceil(HANDSHAKE_SHARE),
        })
    }

    /// Counts one more connection of this address, if both bounds allow it.
    pub(crate) fn connection(self: &Arc<Self>, address: IpAddr) -> Result<ConnectionPermit, OverLimit> {
        let address = counted_as(address);
        let mut counts = self.counts.lock();
        if counts.total >= self.max_connections {
            return Err(OverLimit::Total(counts.total));
        }
        let of_address = counts.by_address.entry(address).or_insert_with(|| OfAddress {
            connections: 0,
            handshakes: Arc::new(Semaphore::new(self.max_handshakes_per_address)),
        });
        // The bound is more than zero, so an entry that was just made gets its permit.
        if of_address.connections >= self.max_per_address {
            return Err(OverLimit::Address(of_address.connections));
        }
        of_address.connections += 1;
        let handshakes = Arc::clone(&of_address.handshakes);
        counts.total += 1;
        Ok(ConnectionPermit { limits: Arc::clone(self), address, handshakes })
    }
}

impl ConnectionPermit {
    /// Waits for the right to one TLS handshake. `None` can't happen while the gate is open.
    pub(crate) async fn handshake(&self) -> Option<HandshakePermit> {
        let of_address = Arc::clone(&self.handshakes).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.limits.handshakes).acquire_owned().await.ok()?;
        Some(HandshakePermit { _of_address: of_address, _of_all: of_all })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = self.limits.counts.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            of_address.connections = of_address.connections.saturating_sub(1);
            if of_address.connections == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// One IPv6 host owns a whole /64, so single addresses would be no bound at all.
pub(crate) fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_dropped_permit_makes_room_again() {
        let limits = Limits::new(10, 2, 1);
        let first = limits.connection(ip("10.0.0.1")).ok().unwrap();
        let _second = limits.connection(ip("10.0.0.1")).ok().unwrap();
        assert_eq!(limits.connection(ip("10.0.0.1")).err(), Some(OverLimit::Address(2)));
        assert!(limits.connection(ip("10.0.0.2")).is_ok(), "another address is not disturbed");
        drop(first);
        assert!(limits.connection(ip("10.0.0.1")).is_ok());
    }

    #[test]
    fn the_total_counts_all_addresses() {
        let limits = Limits::new(2, 2, 1);
        let _a = limits.connection(ip("10.0.0.1")).ok().unwrap();
        let _b = limits.connection(ip("10.0.0.2")).ok().unwrap();
        assert_eq!(limits.connection(ip("10.0.0.3")).err(), Some(OverLimit::Total(2)));
    }

    #[test]
    fn an_ipv6_network_of_64_bits_counts_as_one_address() {
        let limits = Limits::new(10, 1, 1);
        let _a = limits.connection(ip("2001:db8:1:2::1")).ok().unwrap();
        assert!(limits.connection(ip("2001:db8:1:2:ffff::9")).is_err());
        assert!(limits.connection(ip("2001:db8:1:3::1")).is_ok());
    }

    #[test]
    fn an_ipv4_address_inside_ipv6_counts_as_itself() {
        let limits = Limits::new(10, 1, 1);
        let _a = limits.connection(ip("::ffff:10.0.0.1")).ok().unwrap();
        assert!(limits.connection(ip("10.0.0.1")).is_err());
        assert!(limits.connection(ip("::ffff:10.0.0.2")).is_ok());
    }

    #[tokio::test]
    async fn one_address_takes_up_a_quarter_of_the_handshakes() {
        let limits = Limits::new(100, 100, 8);
        let attacker = limits.connection(ip("10.0.0.1")).ok().unwrap();
        let held = [attacker.handshake().await, attacker.handshake().await];
        assert!(attacker.handshake().now_or_never().is_none());
        let other = limits.connection(ip("10.0.0.2")).ok().unwrap();
        assert!(other.handshake().now_or_never().is_some());
        drop(held);
        assert!(attacker.handshake().now_or_never().is_some());
    }

    #[test]
    fn dropping_all_permits_leaves_no_entry_behind() {
        let limits = Limits::new(10, 2, 1);
        drop(limits.connection(ip("10.0.0.1")).ok());
        assert!(limits.counts.lock().by_address.is_empty());
        assert_eq!(limits.counts.lock().total, 0);
    }
}
