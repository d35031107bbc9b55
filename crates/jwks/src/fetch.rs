//! One look at where the keys are.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use schloss_identity::{IssuerKeys, KeysError, MAX_KEYS_BYTES};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// For name, connection, TLS and answer together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the keys are.
#[derive(Clone)]
pub enum Place {
    /// A file that somebody else keeps current.
    File(PathBuf),
    /// The issuer's `jwks_uri`, and whom it is trusted by.
    Url(Url, Arc<ClientConfig>),
}

/// An address with HTTPS; nothing else is safe for keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    host: String,
    port: u16,
    /// Path and query.
    path: String,
}

/// What is no such address.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum UrlError {
    /// Not HTTPS.
    #[error(
        "it does not begin with https://, and keys that somebody could change on their way are worth nothing"
    )]
    NotHttps,
    /// No host, or a port that is none.
    #[error("it names no host, or a port that is none")]
    Address,
    /// Something that an address of keys has no use for.
    #[error("it has characters that an address can't have")]
    Character,
}

/// Why there are no keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The file can't be read, or the issuer can't be reached.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It takes too long.
    #[error("no answer within {PATIENCE:?}")]
    Late,
    /// No HTTP, or a part of it only.
    #[error("the issuer does not answer as it should: {0}")]
    Http(String),
    /// Another answer than one with keys. Redirections are not followed.
    #[error("the issuer answers with status {0}")]
    Status(u16),
    /// No keys that are of use.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text.strip_prefix("https://").ok_or(UrlError::NotHttps)?;
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) || rest.contains(['@', '#', '\\']) {
            return Err(UrlError::Character);
        }
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().ok().filter(|port| *port > 0).ok_or(UrlError::Address)?)
            }
            _ => (authority, 443),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        ServerName::try_from(host.to_owned()).map_err(|_| UrlError::Address)?;
        Ok(Self { host: host.to_owned(), port, path })
    }
}

impl Place {
    /// The keys as they are there now, and the text that they were read from.
    pub(crate) async fn fetch(&self) -> Result<(IssuerKeys, Vec<u8>), FetchError> {
        let text = match self {
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || std::fs::read(path));
                read.await.map_err(|error| FetchError::Http(error.to_string()))??
            }
            Self::Url(url, tls) => timeout(PATIENCE, get(url, tls)).await.map_err(|_| FetchError::Late)??,
        };
        Ok((IssuerKeys::read(&text)?, text))
    }
}

async fn get(url: &Url, tls: &Arc<ClientConfig>) -> Result<Vec<u8>, FetchError> {
    let http = |error: &dyn std::fmt::Display| FetchError::Http(error.to_string());
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
    let name = ServerName::try_from(url.host.clone()).map_err(|error| http(&error))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| http(&error))?;
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    let request = Request::get(&url.path)
        .header(HOST, format!("{host}:{}", url.port))
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "schloss")
        .body(Empty::<Bytes>::new())
        .map_err(|error| http(&error))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| http(&error))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), MAX_KEYS_BYTES).collect().await;
        Ok(body.map_err(|error| http(&error))?.to_bytes().to_vec())
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // The connection may end with the answer's last byte.
        ended = connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(http(&error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_what_is_unsafe_is_refused() {
        for (text, host, port, path) in [
            ("https://idp.example/jwks", "idp.example", 443, "/jwks"),
            ("https://idp.example:8443/a/b?c=d", "idp.example", 8443, "/a/b?c=d"),
            ("https://127.0.0.1:1", "127.0.0.1", 1, "/"),
            ("https://[::1]:8443/jwks", "::1", 8443, "/jwks"),
            ("https://[::1]/jwks", "::1", 443, "/jwks"),
            ("https://idp.example?x", "idp.example", 443, "/?x"),
        ] {
            let url = Url { host: host.to_owned(), port, path: path.to_owned() };
            assert_eq!(text.parse(), Ok(url), "{text}");
        }
        for (text, error) in [
            ("http://idp.example/jwks", UrlError::NotHttps),
            ("idp.example", UrlError::NotHttps),
            ("https://", UrlError::Address),
            ("https:///jwks", UrlError::Address),
            ("https://idp.example:0/", UrlError::Address),
            ("https://idp.example:x/", UrlError::Address),
            ("https://user@idp.example/", UrlError::Character),
            ("https://idp.example/a b", UrlError::Character),
            ("https://idp.example/a\r\nX: y", UrlError::Character),
        ] {
            assert_eq!(text.parse::<Url>(), Err(error), "{text}");
        }
    }
}
