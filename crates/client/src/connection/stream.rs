//! The bytes below a connection: TCP alone or TLS over it.

use std::io;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::split_address;
use crate::config::{ClientConfig, Security};
use crate::error::ClientError;
use crate::tls::{TlsProblem, Trust};

/// Bytes asked for at least in one read.
const READ_BYTES: usize = 64 * 1024;

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) async fn connect(config: &ClientConfig, address: &str) -> Result<Self, ClientError> {
        let (host, port) = split_address(address).map_err(ClientError::Usage)?;
        let failed = |error: io::Error| ClientError::Connect {
            address: address.to_owned(),
            kind: error.kind(),
            detail: error.to_string(),
        };
        let tcp = TcpStream::connect((host, port)).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        match &config.security {
            Security::Plaintext => Ok(Self::Plain(tcp)),
            Security::Tls(trust) => handshake(tcp, host, trust)
                .await
                .map_err(|problem| ClientError::Tls { address: address.to_owned(), problem }),
        }
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Appends what has come to `buffer`; 0 means that the peer is done. Cancel safe.
    pub(super) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        buffer.reserve(READ_BYTES);
        match self {
            Self::Plain(tcp) => tcp.read_buf(buffer).await,
            Self::Tls(tls) => tls.read_buf(buffer).await,
        }
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes).await,
            Self::Tls(tls) => tls.write_all(bytes).await,
        }
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush().await,
            Self::Tls(tls) => tls.flush().await,
        }
    }
}

async fn handshake(tcp: TcpStream, host: &str, trust: &Trust) -> Result<Stream, TlsProblem> {
    let config = trust.client_config().map_err(TlsProblem::Settings)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        TlsProblem::Settings(format!("{host} can't be the name in a certificate; use its DNS name"))
    })?;
    match TlsConnector::from(config).connect(name, tcp).await {
        Ok(tls) => Ok(Stream::Tls(Box::new(tls))),
        Err(error) => Err(TlsProblem::from_io(&error, host, trust)),
    }
}

/// Whether bytes that should be a Kafka frame are a TLS alert or handshake record (RFC 8446, section 5.1).
pub(super) fn looks_like_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, 0x00..=0x04, ..])
}
