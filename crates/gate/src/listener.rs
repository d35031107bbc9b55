//! Ports: binding them and taking connections off them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use schloss_identity::{SaslMechanism, TokenLogin};
use schloss_wire::ErrorCode;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::audit_trail;
use crate::connection;
use crate::house::House;
use crate::limits::OverLimit;
use crate::session::Peer;
use crate::{GateError, ListenerConfig, TrustedClients};

/// Connections that the kernel keeps for us until we take them.
const BACKLOG: i32 = 1024;
/// After a failed accept: most likely we are out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often refused connections are told to the audit trail, at most; the record says how many there were.
const REFUSALS_INTERVAL: Duration = Duration::from_secs(1);
/// After how much silence the kernel asks whether the peer is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// A bound port.
pub(crate) struct Listener {
    name: Arc<str>,
    mechanisms: Arc<[SaslMechanism]>,
    clients: Option<TrustedClients>,
    tokens: Option<Arc<TokenLogin>>,
    max_reauth: Option<Duration>,
    acceptor: TlsAcceptor,
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// # Errors
    /// The port can't be bound.
    pub(crate) fn bind(config: &ListenerConfig) -> Result<Self, GateError> {
        let bound = bind(config.bind).and_then(|socket| socket.local_addr().map(|address| (socket, address)));
        let (socket, address) = bound.map_err(|reason| GateError::Bind {
            listener: config.name.clone(),
            address: config.bind,
            reason,
        })?;
        let acceptor = TlsAcceptor::from(Arc::clone(&config.tls));
        Ok(Self {
            name: Arc::from(config.name.as_str()),
            mechanisms: config.mechanisms.as_slice().into(),
            clients: config.clients.clone(),
            tokens: config.tokens.clone(),
            max_reauth: config.max_reauth,
            acceptor,
            socket,
            address,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes connections until the gate closes, then waits for them to end, and ends them if they don't.
    pub(crate) async fn run(self, house: Arc<House>) {
        let mut connections = JoinSet::new();
        let mut refusals = Refusals::default();
        let closing = house.closing();
        tokio::pin!(closing);
        loop {
            tokio::select! {
                biased;
                () = &mut closing => break,
                Some(_) = connections.join_next() => {}
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, address)) => {
                        self.take(&house, &mut connections, &mut refusals, stream, address);
                    }
                    Err(error) => {
                        tracing::error!(listener = %self.name, "can't accept a connection: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        let Self { socket, name, .. } = self;
        drop(socket);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if timeout(house.config.shutdown_timeout, all_ended).await.is_err() {
            tracing::warn!(listener = %name, "closing {} connections with requests in flight", connections.len());
            connections.shutdown().await;
        }
    }

    fn take(
        &self,
        house: &Arc<House>,
        connections: &mut JoinSet<()>,
        refusals: &mut Refusals,
        stream: TcpStream,
        address: SocketAddr,
    ) {
        let connection_id = house.next_connection_id();
        let peer = Peer {
            address,
            listener: Arc::clone(&self.name),
            connection_id,
            mechanisms: Arc::clone(&self.mechanisms),
            clients: self.clients.clone(),
            tokens: self.tokens.clone(),
            max_reauth: self.max_reauth,
        };
        let permit = house.limits.connection(address.ip());
        let admitted = permit.and_then(|permit| {
            let delay = house.connection_delay(address.ip()).ok_or(OverLimit::Rate)?;
            Ok((permit, delay))
        });
        match admitted {
            Ok((permit, delay)) => {
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(client = %address, "can't set the options of a connection: {error}");
                }
                let (house, acceptor) = (Arc::clone(house), self.acceptor.clone());
                connections.spawn(async move {
                    if house.waits(delay).await {
                        connection::run(house, acceptor, stream, peer, permit).await;
                    }
                });
            }
            Err(over) => refusals.count(house, &peer, over),
        }
    }
}

/// Refused connections since the last record about them.
#[derive(Default)]
struct Refusals {
    recorded: Option<Instant>,
    unrecorded: u64,
}

impl Refusals {
    // A flood of connections must not become a flood of records.
    fn count(&mut self, house: &House, peer: &Peer, over: OverLimit) {
        self.unrecorded += 1;
        if self.recorded.is_some_and(|recorded| recorded.elapsed() < REFUSALS_INTERVAL) {
            return;
        }
        let words = format!("connection refused: {over} ({} refused since the last record)", self.unrecorded);
        tracing::warn!(client = %peer.address, listener = %peer.listener, "{words}");
        house.audit.try_record(audit_trail::connection(
            peer,
            "kafka.Connection",
            ErrorCode::PolicyViolation,
            words,
        ));
        self.recorded = Some(Instant::now());
        self.unrecorded = 0;
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Or `[::]` would take the port of `0.0.0.0` as well, and who names both could not have them.
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_AFTER))
}
