//! One connection from its first byte to its last: TLS, authentication, serving.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use schloss_identity::{AuthFailure, AuthFailureReason, Authenticated};
use schloss_wire::{DecodeBudget, ErrorCode};
use time::OffsetDateTime;
use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::audit_trail;
use crate::frames::{FrameReader, Split};
use crate::house::House;
use crate::limits::ConnectionPermit;
use crate::plaintext::FirstBytes;
use crate::sasl::{Refusal, Stage, Turn};
use crate::serving::Serving;
use crate::session::{Peer, Session};
use crate::socket::Socket;
use crate::standing::ShownCertificate;
use crate::{Entrance, Offer};

/// Requests of one connection before it has to be authenticated: a client needs four.
const STRANGER_REQUESTS_MAX: usize = 16;
/// For saying goodbye to a peer that may not listen.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a peer that are still taken after the last answer, so that it reads that answer instead of a reset.
const LEAVE_BYTES_MAX: usize = 64 * 1024;

/// Why a connection ended before it was a session.
enum Turned {
    /// Nothing worth a record: it closed without having sent anything.
    Silent,
    /// With a record of its own.
    Away(Box<schloss_audit::Event>),
}

/// Serves one accepted connection.
pub(crate) async fn run(
    house: Arc<House>,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: Peer,
    permit: ConnectionPermit,
) {
    let peer = Arc::new(peer);
    let entered = AssertUnwindSafe(enter(&house, acceptor, stream, &peer, &permit)).catch_unwind().await;
    let serving = match entered {
        Ok(Ok(serving)) => serving,
        Ok(Err(Turned::Silent)) => return,
        Ok(Err(Turned::Away(event))) => {
            tracing::warn!(
                client = %peer.address,
                listener = %peer.listener,
                result = %event.result,
                "{}",
                event.message.as_deref().unwrap_or("connection refused")
            );
            house.audit.record(*event).await;
            return;
        }
        Err(panic) => {
            let words = format!("internal error before authentication: {}", panic_words(&*panic));
            tracing::error!(client = %peer.address, "{words}");
            let error = ErrorCode::UnknownServerError;
            house.audit.record(audit_trail::connection(&peer, "kafka.Connection", error, words)).await;
            return;
        }
    };
    serve(serving).await;
    drop(permit);
}

async fn serve(mut serving: Serving) {
    let ended = AssertUnwindSafe(serving.run()).catch_unwind().await;
    let panicked = ended.err().map(|panic| panic_words(&*panic));
    if let Some(words) = &panicked {
        tracing::error!("a request panicked, its connection is closed: {words}");
    }
    serving.close(panicked).await;
}

/// The way from a stranger to a session.
async fn enter(
    house: &Arc<House>,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: &Arc<Peer>,
    permit: &ConnectionPermit,
) -> Result<Serving, Turned> {
    let limit = house.config.handshake_timeout;
    let clients = peer.clients.as_ref();
    let generation = clients.map_or(0, |clients| clients.trust.generation());
    let mut stream = match timeout(limit, handshake(acceptor, stream, peer, permit)).await {
        Ok(done) => done?,
        Err(_) => {
            let words = format!("the TLS handshake was not complete within {limit:?}");
            return Err(Turned::connection(
                peer,
                audit_trail::TLS_HANDSHAKE,
                ErrorCode::RequestTimedOut,
                words,
            ));
        }
    };
    if let Some(words) = house.engine.suspended() {
        // Clients come again and again; a record of each would bury the one that says why.
        tracing::debug!(client = %peer.address, "nobody is served: {words}");
        sleep(house.config.failed_authentication_delay).await;
        return Err(Turned::Silent);
    }
    let mut reader = FrameReader::new(DecodeBudget::Unauthenticated.max_frame_bytes());
    let entrance = entrance(&stream, peer).map_err(gone)?;
    let offer = house.engine.offer(&entrance);
    let proof = if peer.mechanisms.is_empty() {
        admit_by_certificate(house, &mut stream, peer).await?
    } else {
        authenticate(house, &mut stream, &mut reader, peer, &offer).await?
    };
    let certificate = ShownCertificate::of(stream.get_ref().1, clients, generation);
    let engine = house.engine.open(&entrance, proof.principal());
    let session = Session::new(proof, Arc::clone(peer), certificate, offer, engine);
    Ok(Serving::new(house, stream, reader, session))
}

fn entrance(stream: &TlsStream<Socket>, peer: &Peer) -> io::Result<Entrance> {
    let (socket, tls) = stream.get_ref();
    // rustls gives it in lower case.
    let server_name = tls.server_name().map(Arc::from);
    Ok(Entrance { listener: Arc::clone(&peer.listener), port: socket.local_port()?, server_name })
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: &Peer,
    permit: &ConnectionPermit,
) -> Result<TlsStream<Socket>, Turned> {
    let mut socket = Socket::new(stream);
    loop {
        match FirstBytes::of(socket.peeked()) {
            FirstBytes::Tls => break,
            FirstBytes::Incomplete => {
                let before = socket.peeked().len();
                let after = socket.peek_more().await.map_err(|_| Turned::Silent)?.len();
                if after == 0 {
                    return Err(Turned::Silent);
                }
                if after > before {
                    continue;
                }
            }
            _ => {}
        }
        let words = FirstBytes::of(socket.peeked()).complaint().unwrap_or_default();
        return Err(Turned::connection(peer, audit_trail::TLS_HANDSHAKE, ErrorCode::NetworkException, words));
    }
    let _permit = permit.handshake().await;
    acceptor.accept(socket).await.map_err(|error| {
        let words = format!("the TLS handshake failed: {error}");
        Turned::connection(peer, audit_trail::TLS_HANDSHAKE, ErrorCode::NetworkException, words)
    })
}

/// Where there is no SASL, the certificate alone says who it is.
async fn admit_by_certificate(
    house: &House,
    stream: &mut TlsStream<Socket>,
    peer: &Peer,
) -> Result<Authenticated, Turned> {
    let identity = peer.clients.as_ref().map(|clients| Arc::clone(&clients.identity)).unwrap_or_default();
    let failure = match identity.authenticate(stream.get_ref().1) {
        Ok(proof) => {
            let user = proof.principal().name();
            let snapshot = house.metadata.snapshot();
            let account = snapshot.accounts().get(user);
            let reason = match account.and_then(|account| account.objection(OffsetDateTime::now_utc())) {
                Some(words) => AuthFailureReason::Barred(words),
                None if house.audit.is_writable() => {
                    let snapshot = house.metadata.snapshot();
                    let proof = proof.joined(house.config.directory.as_deref(), &*snapshot).await;
                    house.audit.record(audit_trail::logged_in(peer, &proof)).await;
                    return Ok(proof);
                }
                None => AuthFailureReason::NoAudit,
            };
            AuthFailure { reason, claimed_user: Some(user.to_owned()) }
        }
        Err(failure) => failure,
    };
    sleep(house.config.failed_authentication_delay).await;
    take_leave(stream).await;
    Err(Turned::Away(Box::new(audit_trail::refused_certificate(peer, failure))))
}

async fn authenticate(
    house: &House,
    stream: &mut TlsStream<Socket>,
    reader: &mut FrameReader,
    peer: &Peer,
    offer: &Arc<Offer>,
) -> Result<Authenticated, Turned> {
    let limit = house.config.authentication_timeout;
    let deadline = Instant::now() + limit;
    let late = || {
        let words = format!("no authentication within {limit:?}");
        Turned::connection(peer, "kafka.SaslAuthenticate", ErrorCode::RequestTimedOut, words)
    };
    let mut stage = Stage::Greeting;
    for _ in 0..STRANGER_REQUESTS_MAX {
        let next = timeout_at(deadline, next_frame(house, stream, reader, peer)).await;
        let frame = next.map_err(|_| late())??;
        let door = house.door(peer, offer);
        let turn = timeout_at(deadline, stage.step(frame, &door)).await.map_err(|_| late())?;
        let answer = match turn {
            Turn::Answer(answer, next) => {
                stage = next;
                answer
            }
            Turn::Admit(answer, proof) => {
                house.audit.record(audit_trail::logged_in(peer, &proof)).await;
                timeout_at(deadline, send(stream, &answer)).await.map_err(|_| late())?.map_err(gone)?;
                return Ok(proof);
            }
            Turn::Refuse(answer, refusal) => {
                return Err(turn_away(house, stream, peer, answer.as_deref(), refusal).await);
            }
        };
        timeout_at(deadline, send(stream, &answer)).await.map_err(|_| late())?.map_err(gone)?;
    }
    let words = format!("{STRANGER_REQUESTS_MAX} requests without an authentication");
    Err(Turned::connection(peer, "kafka.SaslAuthenticate", ErrorCode::IllegalSaslState, words))
}

async fn next_frame(
    house: &House,
    stream: &mut TlsStream<Socket>,
    reader: &mut FrameReader,
    peer: &Peer,
) -> Result<Bytes, Turned> {
    let bad = |words: String| Turned::connection(peer, "kafka.Connection", ErrorCode::InvalidRequest, words);
    loop {
        match reader.split(&house.stranger_memory) {
            Ok(Split::Frame(frame, _)) => return Ok(frame),
            Ok(Split::Incomplete) => {}
            Ok(Split::NoMemory(bytes)) => {
                return Err(bad(format!(
                    "a frame of {bytes} bytes while others hold too much before authentication"
                )));
            }
            Err(error) => return Err(bad(format!("before authentication: {error}"))),
        }
        let read = std::future::poll_fn(|cx| reader.poll_fill(stream, cx)).await;
        if !matches!(read, Ok(1..)) {
            let is_in_a_frame = reader.is_in_a_frame();
            return Err(if is_in_a_frame {
                bad("the connection ended in the middle of a request before authentication".to_owned())
            } else {
                Turned::Silent
            });
        }
    }
}

/// Tells the peer what it may know, after the delay that makes guessing slow.
async fn turn_away(
    house: &House,
    stream: &mut TlsStream<Socket>,
    peer: &Peer,
    answer: Option<&[u8]>,
    refusal: Refusal,
) -> Turned {
    if refusal.is_failed_login {
        sleep(house.config.failed_authentication_delay).await;
    }
    if let Some(answer) = answer {
        // Whether it arrives does not matter to us.
        let _ = timeout(LEAVE_TIMEOUT, send(stream, answer)).await;
    }
    take_leave(stream).await;
    Turned::Away(Box::new(audit_trail::refused(peer, refusal)))
}

async fn send(stream: &mut TlsStream<Socket>, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.flush().await
}

/// Ends TLS and waits a moment for the peer to end as well.
pub(crate) async fn take_leave(stream: &mut TlsStream<Socket>) {
    let leaving = async {
        stream.shutdown().await?;
        // Closing while bytes of the peer are unread resets the connection and can destroy the last answer.
        let mut waste = [0_u8; 1024];
        let mut taken = 0;
        while taken < LEAVE_BYTES_MAX {
            let mut into = ReadBuf::new(&mut waste);
            std::future::poll_fn(|cx| {
                tokio::io::AsyncRead::poll_read(std::pin::Pin::new(&mut stream.get_mut().0), cx, &mut into)
            })
            .await?;
            if into.filled().is_empty() {
                break;
            }
            taken += into.filled().len();
        }
        io::Result::Ok(())
    };
    let _ = timeout(LEAVE_TIMEOUT, leaving).await;
}

fn gone(_: io::Error) -> Turned {
    Turned::Silent
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

impl Turned {
    fn connection(peer: &Peer, method: &str, error: ErrorCode, words: String) -> Self {
        Self::Away(Box::new(audit_trail::connection(peer, method, error, words)))
    }
}
