//! The bytes below a connection: TCP alone or TLS over it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::split_address;
use crate::config::{ClientConfig, Security};
use crate::error::ClientError;
use crate::tls::{Tls, TlsProblem};

/// Bytes asked for at least in one read.
const READ_BYTES: usize = 64 * 1024;

/// The encrypted or plain bytes of a connection, in order. Flush after writing: TLS may hold bytes back.
pub struct Stream(Transport);

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Hands a call down to whichever transport it is.
macro_rules! below {
    ($stream:expr, $transport:ident => $call:expr) => {
        match &mut $stream.get_mut().0 {
            Transport::Plain($transport) => {
                let $transport = Pin::new($transport);
                $call
            }
            Transport::Tls($transport) => {
                let $transport = Pin::new(&mut **$transport);
                $call
            }
        }
    };
}

impl Stream {
    /// Connects; `stage` says how far it has come when this future is dropped for taking too long.
    pub(super) async fn connect(
        config: &ClientConfig,
        address: &str,
        stage: &mut &'static str,
    ) -> Result<Self, ClientError> {
        let (host, port) = split_address(address).map_err(ClientError::Usage)?;
        let unresolved = |detail: String| ClientError::Resolve { address: address.to_owned(), detail };
        let failed = |error: io::Error| ClientError::Connect {
            address: address.to_owned(),
            kind: error.kind(),
            detail: error.to_string(),
        };
        *stage = "looking up the host name";
        let addresses: Vec<SocketAddr> = match config.route {
            Some(route) => vec![SocketAddr::new(route, port)],
            None => {
                let found = lookup_host((host, port)).await;
                found.map_err(|error| unresolved(error.to_string()))?.collect()
            }
        };
        if addresses.is_empty() {
            return Err(unresolved("the name has no address".to_owned()));
        }
        *stage = "opening the TCP connection (a firewall may be between)";
        let tcp = TcpStream::connect(addresses.as_slice()).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        match &config.security {
            Security::Plaintext => Ok(Self(Transport::Plain(tcp))),
            Security::Tls(tls) => {
                *stage = "negotiating TLS (a listener without TLS may never answer)";
                handshake(tcp, host, tls)
                    .await
                    .map_err(|problem| ClientError::Tls { address: address.to_owned(), problem })
            }
        }
    }

    /// Whether it is encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.0, Transport::Tls(_))
    }

    /// Appends what has come to `buffer`; 0 means that the peer is done. Cancel safe.
    pub(super) async fn fill(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        buffer.reserve(READ_BYTES);
        self.read_buf(buffer).await
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        below!(self, transport => transport.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        below!(self, transport => transport.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        below!(self, transport => transport.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Transport::Plain(tcp) => tcp.is_write_vectored(),
            Transport::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        below!(self, transport => transport.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        below!(self, transport => transport.poll_shutdown(context))
    }
}

async fn handshake(tcp: TcpStream, host: &str, tls: &Tls) -> Result<Stream, TlsProblem> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        TlsProblem::Settings(format!("{host} can't be the name in a certificate; use its DNS name"))
    })?;
    match TlsConnector::from(tls.config().clone()).connect(name, tcp).await {
        Ok(stream) => Ok(Stream(Transport::Tls(Box::new(stream)))),
        Err(error) => Err(TlsProblem::from_handshake(&error, host, tls)),
    }
}

/// Whether bytes that should be a Kafka frame are a TLS alert or handshake record (RFC 8446, section 5.1).
pub(super) fn looks_like_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, 0x00..=0x04, ..])
}
