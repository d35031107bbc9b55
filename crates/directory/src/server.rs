//! Where a server of the directory is, and how the way there is protected.

use std::str::FromStr;

use thiserror::Error;

use crate::trouble::{Trouble, bounded};

/// How what goes over a connection is kept from others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protection {
    /// TLS from the first byte on.
    Tls,
    /// TLS before anything else is said (RFC 4511, section 4.14).
    StartTls,
    /// Not at all: passwords are readable on the way.
    InsecurePlain,
}

/// One server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    host: String,
    port: u16,
    protection: Protection,
}

/// What is no address of a server.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ServerError {
    /// Neither `ldap` nor `ldaps`.
    #[error("it begins neither with ldaps:// nor with ldap://")]
    Scheme,
    /// No host, a port that is none, or something behind them.
    #[error("behind ldaps:// or ldap:// stands a host and perhaps a port, and nothing else")]
    Address,
}

impl FromStr for Server {
    type Err = ServerError;

    /// `ldaps://host`, or `ldap://host` for StartTLS, each with a port or without.
    fn from_str(text: &str) -> Result<Self, ServerError> {
        let (protection, rest, usual) = match text.split_once("://") {
            Some(("ldaps", rest)) => (Protection::Tls, rest, 636),
            Some(("ldap", rest)) => (Protection::StartTls, rest, 389),
            _ => return Err(ServerError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => {
                (host, port.parse().ok().filter(|port| *port > 0).ok_or(ServerError::Address)?)
            }
            None => (rest, usual),
        };
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || !host.bytes().all(is_of_host) {
            return Err(ServerError::Address);
        }
        Ok(Self { host: host.to_owned(), port, protection })
    }
}

impl Server {
    /// The same without any protection, if it had none but StartTLS.
    #[must_use]
    pub fn insecure(self) -> Self {
        let protection = match self.protection {
            Protection::Tls => Protection::Tls,
            Protection::StartTls | Protection::InsecurePlain => Protection::InsecurePlain,
        };
        Self { protection, ..self }
    }

    /// How the way there is protected.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.protection
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Its address, `ldap` with and without StartTLS.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.protection == Protection::Tls { "ldaps" } else { "ldap" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    pub(crate) fn unreachable(&self, why: &str) -> Trouble {
        Trouble::Connect { server: self.url(), why: bounded(why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_what_is_none_is_refused() {
        for (text, url, protection) in [
            ("ldaps://dc1.example", "ldaps://dc1.example:636", Protection::Tls),
            ("ldaps://dc1.example:3269/", "ldaps://dc1.example:3269", Protection::Tls),
            ("ldap://127.0.0.1", "ldap://127.0.0.1:389", Protection::StartTls),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!((server.url().as_str(), server.protection()), (url, protection));
        }
        for text in ["dc1.example", "http://dc1.example", "ldapi://x", ""] {
            assert_eq!(text.parse::<Server>(), Err(ServerError::Scheme), "{text}");
        }
        for text in [
            "ldaps://",
            "ldaps://:636",
            "ldaps://a:0",
            "ldaps://a:x",
            "ldaps://a/dc=x",
            "ldaps://u@a",
            "ldap://[::1]",
        ] {
            assert_eq!(text.parse::<Server>(), Err(ServerError::Address), "{text}");
        }
    }

    #[test]
    fn nothing_is_left_open_unless_it_is_asked_for_and_never_what_is_ldaps() {
        let server = |text: &str| text.parse::<Server>().unwrap();
        assert_eq!(server("ldap://a").insecure().protection(), Protection::InsecurePlain);
        assert_eq!(server("ldaps://a").insecure().protection(), Protection::Tls);
    }
}
