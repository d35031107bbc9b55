//! Ports that are free.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use anyhow::{Context, bail, ensure};
use aws_lc_rs::rand;

/// How often a stretch of free ports is looked for.
const ATTEMPTS: usize = 200;
/// Below the ports that systems give to outgoing connections, or one of ours could sit on a port of ours after
/// a restart.
const RANDOM_PORTS: std::ops::Range<u16> = 12_000..30_000;

/// What to listen on: loopback alone for `localhost`, else every interface.
///
/// Both families where the machine has both, since `localhost` is `::1` to some clients.
fn interfaces(advertised_host: &str) -> Vec<IpAddr> {
    let is_local = matches!(advertised_host, "localhost" | "127.0.0.1" | "::1");
    let v4 = if is_local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let v6 = if is_local { Ipv6Addr::LOCALHOST } else { Ipv6Addr::UNSPECIFIED };
    let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    std::iter::once(v4.into()).chain(has_v6.then(|| v6.into())).collect()
}

/// The sockets to bind for one port; 0 takes a free one.
///
/// # Errors
/// The port is taken.
pub(super) fn one(advertised_host: &str, port: u16) -> anyhow::Result<Vec<SocketAddr>> {
    let interfaces = interfaces(advertised_host);
    let port = if port == 0 { any_port(interfaces[0])? } else { port };
    probe(&interfaces, port, "")?;
    Ok(interfaces.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// The sockets to bind for one port, behind which `base + id` is free for each broker, and that base.
///
/// # Errors
/// A port is taken, or a broker's id is too high.
pub(super) fn with_brokers(
    advertised_host: &str,
    port: u16,
    brokers: &[i32],
) -> anyhow::Result<(Vec<SocketAddr>, u16)> {
    let interfaces = interfaces(advertised_host);
    let found = if port == 0 {
        random_port(&interfaces, brokers)?
    } else {
        try_port(&interfaces, port, brokers)?;
        port
    };
    let sockets = interfaces.into_iter().map(|ip| SocketAddr::new(ip, found)).collect();
    Ok((sockets, found.saturating_add(1)))
}

fn random_port(interfaces: &[IpAddr], brokers: &[i32]) -> anyhow::Result<u16> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let mut random = [0; 2];
        rand::fill(&mut random).context("the operating system gives no random bytes")?;
        let port = RANDOM_PORTS.start + u16::from_ne_bytes(random) % (RANDOM_PORTS.end - RANDOM_PORTS.start);
        match try_port(interfaces, port, brokers) {
            Ok(()) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error.context("no stretch of free ports was found")),
        None => bail!("no stretch of free ports was found"),
    }
}

/// Whether `port`, and the port of each broker after it, is free.
fn try_port(interfaces: &[IpAddr], port: u16, brokers: &[i32]) -> anyhow::Result<()> {
    probe(interfaces, port, "")?;
    for id in brokers {
        let broker_port = u16::try_from(*id).ok().and_then(|id| port.checked_add(1)?.checked_add(id));
        ensure!(
            broker_port.is_some(),
            "there is no port {port} + 1 + {id} for broker {id}: choose a lower --port, or tell brokers apart by names \
             with --broker-names 'broker-{{id}}.kafka.example.com'"
        );
        let broker_port = broker_port.unwrap_or_default();
        probe(interfaces, broker_port, &format!(", which would be that of broker {id}"))?;
    }
    Ok(())
}

fn any_port(interface: IpAddr) -> anyhow::Result<u16> {
    Ok(TcpListener::bind((interface, 0)).and_then(|listener| listener.local_addr())?.port())
}

/// Whether a port is free; `whose` says in an error what it would be for.
///
/// One interface after the other: `[::]` may stand for IPv4 as well while it is probed.
fn probe(interfaces: &[IpAddr], port: u16, whose: &str) -> anyhow::Result<()> {
    interfaces.iter().map(|ip| SocketAddr::new(*ip, port)).try_for_each(|address| {
        TcpListener::bind(address).map(drop).with_context(|| {
            format!("can't listen on {address}{whose}: choose another --port, or 0 for a free one")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_free_for_every_broker() {
        let (sockets, base) = with_brokers("localhost", 0, &[1, 2, 7]).unwrap();
        assert_eq!(sockets[0].port() + 1, base);
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 2)).unwrap();
        let error = with_brokers("localhost", base - 1, &[1, 2, 7]).unwrap_err().to_string();
        assert!(
            error.contains(&format!("127.0.0.1:{}, which would be that of broker 2", base + 2)),
            "{error}"
        );
        drop(taken);
    }

    #[test]
    fn a_broker_without_a_port_is_told_with_the_way_out() {
        let error = with_brokers("localhost", 0, &[65_000]).unwrap_err();
        assert!(format!("{error:#}").contains("--broker-names"), "{error:#}");
    }
}
