//! Why TLS failed, and what to do about it.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use super::Tls;

/// Why a TLS handshake failed, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The server's certificate is signed by a CA that is not trusted.
    UnknownCa {
        /// The CA file in use.
        trusted: String,
    },
    /// The certificate does not hold the name that was connected to.
    NameMismatch {
        /// The name expected.
        expected: String,
        /// The names presented, if known.
        presented: Vec<String>,
    },
    /// The certificate is expired or not yet valid.
    Validity(String),
    /// The peer answered in plain text or closed at the first TLS byte.
    PlainText,
    /// The two sides have no TLS version or cipher in common.
    NothingInCommon(String),
    /// The server wants a certificate from the client, which has none.
    ClientCertificateRequired,
    /// The server does not take the client's certificate; its word for why.
    ClientCertificateRefused(String),
    /// The settings of the client are not usable.
    Settings(String),
    /// Anything else, in rustls' words.
    Other(String),
}

/// The TLS library's own error inside of one of a socket.
pub(crate) fn cause(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether the peer simply ended the connection.
pub(crate) const fn is_cut(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

impl TlsProblem {
    /// Reads the cause out of the error of a handshake.
    pub(crate) fn from_handshake(error: &io::Error, host: &str, tls: &Tls) -> Self {
        match cause(error) {
            Some(Error::InvalidMessage(_)) => Self::PlainText,
            Some(inner) => Self::from_tls(inner, host, tls),
            None if is_cut(error.kind()) => Self::PlainText,
            None => Self::Other(error.to_string()),
        }
    }

    /// The same at any time. With TLS 1.3 the client is done before the server has looked at its certificate,
    /// so that the refusal comes where the first response is due.
    pub(crate) fn from_tls(error: &Error, host: &str, tls: &Tls) -> Self {
        match error {
            Error::InvalidCertificate(certificate) => Self::from_certificate(certificate, host, tls),
            Error::AlertReceived(alert) => Self::from_alert(*alert, tls),
            Error::PeerIncompatible(why) => Self::NothingInCommon(format!("{why:?}")),
            other => Self::Other(other.to_string()),
        }
    }

    fn from_certificate(error: &CertificateError, host: &str, tls: &Tls) -> Self {
        match error {
            // A CA of the same name with another key (a second quickstart) shows as a bad signature.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::UnknownCa { trusted: tls.trusted().to_owned() }
            }
            CertificateError::NotValidForName => {
                Self::NameMismatch { expected: host.to_owned(), presented: Vec::new() }
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::NameMismatch { expected: host.to_owned(), presented: presented.clone() }
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Validity(error.to_string()),
            other => Self::Other(other.to_string()),
        }
    }

    /// What a server says about certificates can only be about ours (RFC 8446, section 6.2). Java has no word
    /// of its own for a missing one and says that it is bad.
    fn from_alert(alert: AlertDescription, tls: &Tls) -> Self {
        use AlertDescription as Alert;
        match alert {
            Alert::CertificateRequired => Self::ClientCertificateRequired,
            Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied => {
                if tls.has_identity() {
                    Self::ClientCertificateRefused(format!("{alert:?}"))
                } else {
                    Self::ClientCertificateRequired
                }
            }
            // A CA of the same name with another key, as above.
            Alert::DecryptError if tls.has_identity() => Self::ClientCertificateRefused(format!("{alert:?}")),
            Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity => {
                Self::NothingInCommon(format!("the server says {alert:?}"))
            }
            other => Self::Other(format!("the server says {other:?}")),
        }
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCa { trusted } => write!(
                formatter,
                "its certificate is not signed by the CA in {trusted}; set ssl.truststore.location (Java) or \
                 ssl.ca.location (librdkafka) to the CA of this cluster"
            ),
            Self::NameMismatch { expected, presented } if presented.is_empty() => write!(
                formatter,
                "its certificate is not for {expected}; connect by a name in it or issue one that holds it"
            ),
            Self::NameMismatch { expected, presented } => write!(
                formatter,
                "its certificate is for {}, not for {expected}; connect by one of these names or issue one that holds it",
                presented.join(", ")
            ),
            Self::Validity(detail) => {
                write!(formatter, "{detail}; renew the server's certificate or set the clock of this machine")
            }
            Self::PlainText => formatter.write_str(
                "the peer does not speak TLS; check the port, or the security.protocol of the broker's listener",
            ),
            Self::NothingInCommon(detail) => write!(
                formatter,
                "no TLS version or cipher in common ({detail}); set ssl.enabled.protocols of both sides to \
                 TLSv1.2,TLSv1.3, and if the listener requires a client certificate, give one"
            ),
            Self::ClientCertificateRequired => formatter.write_str(
                "the server requires a client certificate and this client has none; set ssl.keystore.location \
                 (Java), or ssl.certificate.location and ssl.key.location (librdkafka), or use a SASL_SSL listener",
            ),
            Self::ClientCertificateRefused(alert) => write!(
                formatter,
                "the server refused the client certificate ({alert}); check that it has not expired, that it is \
                 for client authentication, and that the broker's ssl.truststore holds the CA that issued it"
            ),
            Self::Settings(detail) => formatter.write_str(detail),
            Self::Other(detail) => write!(formatter, "{detail}; check the TLS settings of both sides"),
        }
    }
}
