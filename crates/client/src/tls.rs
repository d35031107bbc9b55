//! TLS for the client: rustls over aws-lc-rs, with the trust that the client file names.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, RootCertStore};

use crate::config::MAX_FILE_BYTES;

/// Where Linux distributions and BSDs keep the system's CA certificates as PEM; the first that exists is used
/// when a client file names none, as librdkafka does.
const SYSTEM_BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Most CA certificates taken from one file: the public web has fewer than 200.
const MAX_CA_CERTIFICATES: usize = 2_000;

/// The CAs that a client trusts.
#[derive(Clone, Debug)]
pub struct Trust {
    /// PEM, one or more certificates.
    pub ca_pem: Vec<u8>,
    /// Where it came from, for error messages.
    pub origin: String,
    /// Refuse TLS 1.2 (`ssl.enabled.protocols=TLSv1.3`).
    pub only_tls13: bool,
}

impl Trust {
    /// Trust in the CAs of this PEM text.
    #[must_use]
    pub fn from_pem(ca_pem: impl Into<Vec<u8>>, origin: impl Into<String>) -> Self {
        Self { ca_pem: ca_pem.into(), origin: origin.into(), only_tls13: false }
    }

    /// The first CA bundle of the operating system that can be read.
    #[must_use]
    pub fn system() -> Option<Self> {
        SYSTEM_BUNDLES.iter().find_map(|path| {
            let pem = read_bounded(Path::new(path)).ok()?;
            Some(Self::from_pem(pem, *path))
        })
    }

    /// The rustls configuration: TLS 1.3 and 1.2, server names verified, no client certificate.
    ///
    /// # Errors
    /// The PEM holds no usable certificate; the text says so.
    pub fn client_config(&self) -> Result<Arc<rustls::ClientConfig>, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&self.ca_pem).take(MAX_CA_CERTIFICATES) {
            let certificate = certificate.map_err(|error| format!("{}: not PEM: {error}", self.origin))?;
            // A system bundle may hold a certificate that webpki can't read; the others still count.
            let _unreadable = roots.add(certificate);
        }
        if roots.is_empty() {
            return Err(format!("{} holds no CA certificate in PEM form", self.origin));
        }
        let versions: &[&rustls::SupportedProtocolVersion] = if self.only_tls13 {
            &[&rustls::version::TLS13]
        } else {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| format!("no TLS version left: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

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
    /// The server wants a certificate from the client.
    ClientCertificateRequired,
    /// The settings of the client are not usable.
    Settings(String),
    /// Anything else, in rustls' words.
    Other(String),
}

impl TlsProblem {
    /// Reads the cause out of the error of a handshake.
    pub(crate) fn from_io(error: &io::Error, host: &str, trust: &Trust) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(certificate)) => {
                Self::from_certificate(certificate, host, trust)
            }
            Some(rustls::Error::InvalidMessage(_)) => Self::PlainText,
            Some(rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired)) => {
                Self::ClientCertificateRequired
            }
            Some(other) => Self::Other(other.to_string()),
            None if is_cut(error.kind()) => Self::PlainText,
            None => Self::Other(error.to_string()),
        }
    }

    fn from_certificate(error: &CertificateError, host: &str, trust: &Trust) -> Self {
        match error {
            // A CA of the same name with another key (a second quickstart) shows as a bad signature.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::UnknownCa { trusted: trust.origin.clone() }
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
                write!(formatter, "{detail}; renew the certificate or set the clock of this machine")
            }
            Self::PlainText => formatter.write_str(
                "the peer does not speak TLS; check the port, or the security.protocol of the broker's listener",
            ),
            Self::ClientCertificateRequired => formatter.write_str(
                "the server requires a client certificate, which is not supported yet; use a SASL listener",
            ),
            Self::Settings(detail) => formatter.write_str(detail),
            Self::Other(detail) => write!(formatter, "{detail}; check the TLS settings of both sides"),
        }
    }
}

/// Reads a CA file, looked for in the working directory first and then beside the client file that names it.
///
/// # Errors
/// It is in neither place or unreadable.
pub(crate) fn read_ca(path: &Path, beside: Option<&Path>) -> Result<Trust, String> {
    let candidates: Vec<PathBuf> = match beside {
        Some(directory) if path.is_relative() => vec![path.to_owned(), directory.join(path)],
        _ => vec![path.to_owned()],
    };
    for candidate in &candidates {
        match read_bounded(candidate) {
            Ok(pem) => return Ok(Trust::from_pem(pem, candidate.display().to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {}: {error}", candidate.display())),
        }
    }
    let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    Err(format!(
        "no CA file at {}; give the path of the cluster's CA certificate (PEM)",
        tried.join(" nor at ")
    ))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is over {MAX_FILE_BYTES} bytes")));
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_certificates_is_refused() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = Trust::from_pem(pem, "ca.pem").client_config().unwrap_err();
            assert!(error.contains("ca.pem"), "{error}");
        }
    }

    #[test]
    fn a_ca_is_found_beside_the_file_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca-only-here.pem"), "x").unwrap();
        let trust = read_ca(Path::new("ca-only-here.pem"), Some(directory.path())).unwrap();
        assert_eq!(trust.ca_pem, b"x");
        let error = read_ca(Path::new("nowhere.pem"), Some(directory.path())).unwrap_err();
        assert!(error.contains(" nor at "), "{error}");
    }
}
