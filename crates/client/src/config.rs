//! What a client needs to know: where the cluster is, how to reach it safely, and who it is.

mod jaas;
mod json;
mod librdkafka;
mod properties;
mod settings;
mod source;
mod tls_settings;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schloss_identity::{Mechanism, Password, SaltMemory};

use crate::error::{ClientError, ConfigError};
use crate::tls::Tls;

/// Largest response that is read, in bytes; a larger announcement closes the connection.
pub const DEFAULT_MAX_RESPONSE_BYTES: usize = 100 * 1024 * 1024;
/// Time for TCP, TLS and SASL together.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for one ordinary request, as `request.timeout.ms` of Kafka.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bootstrap addresses that are tried.
pub(crate) const MAX_BOOTSTRAP: usize = 64;

/// How to reach a cluster and as whom. Cheap to clone; holds the password, so it has no `Debug`.
#[derive(Clone)]
pub struct ClientConfig {
    /// `host:port` of some brokers; tried in order.
    pub bootstrap: Vec<String>,
    /// Where to connect instead of where host names lead to, as `--connect-to` of curl. TLS goes by the names all
    /// the same.
    pub route: Option<IpAddr>,
    /// TLS or not.
    pub security: Security,
    /// Who to be; `None` means unauthenticated.
    pub sasl: Option<Sasl>,
    /// Name of this client in the broker's logs and audit.
    pub client_id: String,
    /// Time for TCP, TLS and SASL together.
    pub connect_timeout: Duration,
    /// Time for one ordinary request.
    pub request_timeout: Duration,
    /// Largest response in bytes.
    pub max_response_bytes: usize,
}

/// Whether the wire is encrypted.
#[derive(Clone, Debug)]
pub enum Security {
    /// TLS by these settings; the server is always verified.
    Tls(Tls),
    /// No TLS: everything, data included, is readable on the way.
    Plaintext,
}

/// A user and how they prove who they are.
#[derive(Clone)]
pub struct Sasl {
    /// SCRAM or PLAIN.
    pub mechanism: SaslMechanism,
    /// The user name, or the id of a delegation token.
    pub user: String,
    /// The password, or the HMAC of a delegation token in base64.
    pub password: Arc<Password>,
    /// Whether it is a delegation token (KIP-48), which logs in by SCRAM.
    pub token: bool,
    /// What the password came to with the salts of brokers; it goes with the password.
    pub salted: Arc<SaltMemory>,
}

/// The SASL mechanisms of the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaslMechanism {
    /// RFC 5802 and RFC 7677; the server proves itself as well.
    Scram(Mechanism),
    /// RFC 4616: the password itself goes to the server. Over TLS only.
    Plain,
}

impl SaslMechanism {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scram(mechanism) => mechanism.name(),
            Self::Plain => "PLAIN",
        }
    }

    /// The mechanism of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "PLAIN" {
            return Some(Self::Plain);
        }
        Mechanism::from_name(name).map(Self::Scram)
    }
}

/// Whether settings that switch a protection off are followed or refused.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Insecure {
    /// Such a setting is an error.
    #[default]
    Refuse,
    /// It is followed as far as the client can; the caller has spelled out that it wants that.
    Allow,
}

impl ClientConfig {
    /// A client of these addresses without SASL, with default limits.
    #[must_use]
    pub fn new(bootstrap: Vec<String>, security: Security) -> Self {
        Self {
            bootstrap,
            route: None,
            security,
            sasl: None,
            client_id: "schloss".to_owned(),
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            max_response_bytes: DEFAULT_MAX_RESPONSE_BYTES,
        }
    }

    /// The same as this user, by SCRAM.
    #[must_use]
    pub fn with_scram(mut self, mechanism: Mechanism, user: impl Into<String>, password: Password) -> Self {
        self.sasl = Some(Sasl {
            mechanism: SaslMechanism::Scram(mechanism),
            user: user.into(),
            password: Arc::new(password),
            token: false,
            salted: Arc::default(),
        });
        self
    }

    /// The same cluster, TLS and limits as a delegation token (KIP-48): its owner is who the broker sees. Any
    /// SCRAM mechanism that the listener offers will do.
    #[must_use]
    pub fn with_token(&self, token_id: &str, hmac_base64: Password, mechanism: Mechanism) -> Self {
        let mut config = self.clone().with_scram(mechanism, token_id, hmac_base64);
        if let Some(sasl) = &mut config.sasl {
            sasl.token = true;
        }
        config
    }

    /// The same with other addresses (`host:port`).
    #[must_use]
    pub fn with_bootstrap(&self, bootstrap: Vec<String>) -> Self {
        Self { bootstrap, ..self.clone() }
    }

    /// The same over this address, whatever host names lead to.
    #[must_use]
    pub fn with_route(&self, route: IpAddr) -> Self {
        Self { route: Some(route), ..self.clone() }
    }

    /// The same under another name in the broker's logs and audit.
    #[must_use]
    pub fn with_client_id(&self, client_id: &str) -> Self {
        Self { client_id: client_id.to_owned(), ..self.clone() }
    }

    /// Reads a client file: `.json`, `.conf` (librdkafka) or, for any other name, Java properties.
    ///
    /// # Errors
    /// The file is unreadable, it or a file that it names holds a secret and is readable by others, or it holds a
    /// setting that can't be followed; the text names file, line and key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        Self::from_file_with(path, Insecure::Refuse)
    }

    /// [`ClientConfig::from_file`], with the choice to follow insecure settings.
    ///
    /// # Errors
    /// As [`ClientConfig::from_file`].
    pub fn from_file_with(path: impl AsRef<Path>, insecure: Insecure) -> Result<Self, ClientError> {
        named(path.as_ref(), read(path.as_ref(), insecure, None))
    }

    /// [`ClientConfig::from_file`] for these addresses instead of those in the file, which need not name any:
    /// the files of the `kafka-*` tools don't, since they take `--bootstrap-server`.
    ///
    /// # Errors
    /// As [`ClientConfig::from_file`], or an address is none.
    pub fn from_file_for(path: impl AsRef<Path>, bootstrap: &[String]) -> Result<Self, ClientError> {
        let addresses = settings::addresses(&bootstrap.join(",")).map_err(ClientError::Usage)?;
        named(path.as_ref(), read(path.as_ref(), Insecure::Refuse, Some(addresses)))
    }

    /// The user name, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.sasl.as_ref().map(|sasl| sasl.user.as_str())
    }
}

fn named(path: &Path, read: Result<ClientConfig, ConfigError>) -> Result<ClientConfig, ClientError> {
    read.map_err(|mut error| {
        error.file.get_or_insert_with(|| path.to_owned());
        ClientError::Config(error)
    })
}

/// `bootstrap` stands in for the addresses of the file.
fn read(
    path: &Path,
    insecure: Insecure,
    bootstrap: Option<Vec<String>>,
) -> Result<ClientConfig, ConfigError> {
    let source = source::Source::read(path)?;
    let config = match source.dialect {
        source::Dialect::Json => {
            json::parse(source.text()?).and_then(|file| file.into_config(source.directory(), bootstrap))
        }
        source::Dialect::Java => properties::parse(source.text()?)
            .and_then(|entries| settings::interpret(&entries, &source, insecure, bootstrap)),
        source::Dialect::Librdkafka => librdkafka::parse(source.text()?)
            .and_then(|entries| settings::interpret(&entries, &source, insecure, bootstrap)),
    }?;
    if config.sasl.is_some() {
        source.require_private("a password")?;
    }
    Ok(config)
}

#[cfg(test)]
mod tests;
