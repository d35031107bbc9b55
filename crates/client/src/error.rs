//! What can go wrong, said so that the reader knows the next step.

mod denial;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use schloss_wire::ErrorCode;
use thiserror::Error;

pub use denial::{Denial, Denied, Need, UPSTREAM_DENIES};

use crate::tls::TlsProblem;

/// A failure of the client. The text names what to do next and never holds a password.
///
/// Cheap to clone, since one failure may concern many records.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A client file or an option is not usable.
    #[error("{0}")]
    Config(ConfigError),
    /// The caller asked for something impossible.
    #[error("{0}")]
    Usage(String),
    /// The host name has no address.
    #[error(
        "cannot resolve the host name of {address}: {detail}; check its spelling, in bootstrap.servers or as the \
         broker advertises it (advertised.listeners), and the name server"
    )]
    Resolve {
        /// `host:port` that was tried.
        address: String,
        /// What the resolver said.
        detail: String,
    },
    /// No TCP connection.
    #[error("cannot connect to {address}: {detail}; {}", connect_hint(*kind))]
    Connect {
        /// `host:port` that was tried.
        address: String,
        /// What the operating system said.
        kind: io::ErrorKind,
        /// The same, in words.
        detail: String,
    },
    /// The peer did not answer in time.
    #[error("{address} did not answer within {} ms while {doing}; check that the broker is alive and reachable", after.as_millis())]
    Timeout {
        /// `host:port` of the peer.
        address: String,
        /// What was waited for.
        doing: String,
        /// How long.
        after: Duration,
    },
    /// The peer closed the connection.
    #[error("{address} closed the connection while {doing}; its log says why")]
    Closed {
        /// `host:port` of the peer.
        address: String,
        /// What was under way.
        doing: String,
    },
    /// The TLS handshake failed.
    #[error("TLS with {address} failed: {problem}")]
    Tls {
        /// `host:port` of the peer.
        address: String,
        /// Why, and what to do.
        problem: TlsProblem,
    },
    /// We spoke plain text, the peer speaks TLS.
    #[error("{address} speaks TLS but the client is set to plain text; set security.protocol=SASL_SSL")]
    TlsServer {
        /// `host:port` of the peer.
        address: String,
    },
    /// The user could not prove who they are, or the server could not.
    #[error("authentication failed at {address}: {mechanism} as '{user}': {detail}")]
    Authentication {
        /// `host:port` of the peer.
        address: String,
        /// The SASL mechanism.
        mechanism: &'static str,
        /// The user name, never the password.
        user: String,
        /// What the server said, and what to do.
        detail: String,
    },
    /// The user is known but has no permission.
    #[error("{0}")]
    Denied(Denial),
    /// The broker does not serve what is needed.
    #[error("{address} does not support {what}; use a broker of Kafka 2.1 or later that serves it")]
    Unsupported {
        /// `host:port` of the peer.
        address: String,
        /// API and versions.
        what: String,
    },
    /// The broker answered with an error.
    #[error("{doing} failed: {}{}", ErrorCode::describe(*code), describe_message(message.as_deref()))]
    Broker {
        /// Kafka's error code.
        code: i16,
        /// What was attempted, such as `creating topic orders`.
        doing: String,
        /// The broker's own words.
        message: Option<String>,
    },
    /// The peer sent a frame larger than allowed.
    #[error(
        "{address} announced a response of {length} bytes, the limit is {limit}; it may not be a Kafka broker"
    )]
    Oversized {
        /// `host:port` of the peer.
        address: String,
        /// Announced length in bytes.
        length: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// The peer sent bytes that are no Kafka response.
    #[error("{address} sent a malformed response: {detail}; check that it is a Kafka broker")]
    Protocol {
        /// `host:port` of the peer.
        address: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A record can't be written or read.
    #[error("{0}")]
    Record(String),
}

/// An unusable setting, with its place.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConfigError {
    /// The file, if the setting came from one.
    pub file: Option<PathBuf>,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The key.
    pub key: Option<String>,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Coarse kinds of failure, from which the command line takes its exit codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorClass {
    /// The command or its files are wrong.
    Usage,
    /// No usable connection: refused, TLS, not a broker.
    Connect,
    /// Wrong user, password or server.
    Auth,
    /// Not authorized.
    Denied,
    /// Anything else that the broker or the data said.
    Other,
}

impl ClientError {
    /// Turns an error code of a response into an error; 0 is success.
    ///
    /// # Errors
    /// [`ClientError::Denied`] for the authorization codes, [`ClientError::Broker`] for the others.
    pub(crate) fn check(
        code: i16,
        message: Option<&str>,
        user: Option<&str>,
        need: &Need,
        doing: impl FnOnce() -> String,
    ) -> Result<(), Self> {
        match ErrorCode::from_code(code) {
            Some(ErrorCode::None) => Ok(()),
            Some(denied) if is_denial(denied) => {
                let who = match message.filter(|words| words.starts_with(UPSTREAM_DENIES)) {
                    Some(words) => Denied::Upstream(words.to_owned()),
                    None => Denied::User(user.map(str::to_owned)),
                };
                Err(Self::Denied(Denial { code: denied, need: need.clone(), who }))
            }
            _ => Err(Self::Broker { code, doing: doing(), message: message.map(str::to_owned) }),
        }
    }

    /// Which kind of failure this is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Config(_) | Self::Usage(_) => ErrorClass::Usage,
            Self::Connect { .. }
            | Self::Resolve { .. }
            | Self::Timeout { .. }
            | Self::Closed { .. }
            | Self::Tls { .. }
            | Self::TlsServer { .. }
            | Self::Unsupported { .. }
            | Self::Oversized { .. }
            | Self::Protocol { .. } => ErrorClass::Connect,
            Self::Authentication { .. } => ErrorClass::Auth,
            Self::Denied(_) => ErrorClass::Denied,
            Self::Broker { .. } | Self::Record(_) => ErrorClass::Other,
        }
    }

    /// Kafka's error code, if the broker sent one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Denied(denial) => Some(denial.code),
            Self::Broker { code, .. } => ErrorCode::from_code(*code),
            _ => None,
        }
    }

    /// Whether trying again may help: a leader moved, a connection broke.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Resolve { .. } | Self::Timeout { .. } | Self::Closed { .. } => true,
            Self::Broker { code, .. } => ErrorCode::from_code(*code).is_some_and(is_retriable_code),
            _ => false,
        }
    }
}

const fn is_denial(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::TopicAuthorizationFailed
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::ClusterAuthorizationFailed
            | ErrorCode::TransactionalIdAuthorizationFailed
            | ErrorCode::DelegationTokenAuthorizationFailed
    )
}

/// `RetriableException` of Kafka's `Errors`.
pub(crate) const fn is_retriable_code(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CorruptMessage
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::RequestTimedOut
            | ErrorCode::BrokerNotAvailable
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::NetworkException
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::NotController
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::PreferredLeaderNotAvailable
            | ErrorCode::UnstableOffsetCommit
            | ErrorCode::ThrottlingQuotaExceeded
            | ErrorCode::UnknownTopicId
    )
}

fn connect_hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "check that a broker listens on this host and port",
        io::ErrorKind::TimedOut => "check the address and the firewall between",
        _ => "check the address, in bootstrap.servers or as the broker advertises it, and the network",
    }
}

fn describe_message(message: Option<&str>) -> String {
    message.filter(|text| !text.is_empty()).map_or_else(String::new, |text| format!(": {text}"))
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "{}", file.display())?;
            if let Some(line) = self.line {
                write!(formatter, ":{line}")?;
            }
            formatter.write_str(": ")?;
        }
        if let Some(key) = &self.key {
            write!(formatter, "{key}: ")?;
        }
        formatter.write_str(&self.problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_error_has_its_name_and_the_brokers_words() {
        let error = ClientError::check(37, Some("too many"), None, &Need::cluster("CREATE"), || {
            "creating topic a".to_owned()
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "creating topic a failed: INVALID_PARTITIONS: too many");
        let unknown =
            ClientError::check(999, None, None, &Need::cluster("CREATE"), || "it".to_owned()).unwrap_err();
        assert_eq!(unknown.to_string(), "it failed: error 999");
        assert!(!unknown.is_retriable());
    }

    #[test]
    fn a_setting_error_names_file_line_and_key() {
        let error = ConfigError {
            file: Some("a.properties".into()),
            line: Some(3),
            key: Some("ssl.cipher.suites".into()),
            problem: "not supported".into(),
        };
        assert_eq!(error.to_string(), "a.properties:3: ssl.cipher.suites: not supported");
    }
}
