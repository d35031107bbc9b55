//! Whom a listener's clients have to be vouched for by: CAs and revocation lists, replaceable while it serves.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use time::OffsetDateTime;

use crate::tls::{provider, roots, tls_error};
use crate::{PkiError, pem};

/// What a listener expects of clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientCertificates {
    /// A certificate that is shown has to be good; none is good too (`ssl.client.auth=requested` of Kafka).
    Requested,
    /// Who shows none is not let in (`ssl.client.auth=required`).
    Required,
}

/// The CAs whose client certificates are accepted, and what they have revoked.
///
/// A revocation list has to be there for each CA of a chain once there is one for any, and has to be in force
/// (RFC 5280, section 6.3): a list that is over or missing refuses everybody rather than nobody.
#[derive(Debug)]
pub struct ClientTrust {
    expected: ClientCertificates,
    verifier: ArcSwap<Verifier>,
    generation: AtomicU64,
}

/// The verifier in force. `ArcSwap` takes sized values only.
struct Verifier(Arc<dyn ClientCertVerifier>);

impl ClientTrust {
    /// Trusts the CAs of a PEM text, less what the lists of another one have revoked.
    ///
    /// # Errors
    /// No CA, or one that can't be read, or none whose time is now; a revocation list that can't be read.
    pub fn new(
        expected: ClientCertificates,
        ca_pem: &[u8],
        crl_pem: Option<&[u8]>,
    ) -> Result<Arc<Self>, PkiError> {
        let verifier = ArcSwap::from_pointee(verifier(ca_pem, crl_pem)?);
        Ok(Arc::new(Self { expected, verifier, generation: AtomicU64::new(0) }))
    }

    /// What is expected of clients.
    #[must_use]
    pub fn expected(&self) -> ClientCertificates {
        self.expected
    }

    /// Takes other CAs and lists from now on; what was in force stays so on an error.
    ///
    /// # Errors
    /// As [`ClientTrust::new`].
    pub fn replace(&self, ca_pem: &[u8], crl_pem: Option<&[u8]>) -> Result<(), PkiError> {
        self.verifier.store(Arc::new(verifier(ca_pem, crl_pem)?));
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Moves with each [`replace`](Self::replace): a chain that was good before may not be any more.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether a chain that a client has shown, its own certificate first, is good now.
    ///
    /// # Errors
    /// Why it is not: its time is over, it is revoked, or its CA is not trusted any more.
    pub fn check(&self, chain: &[CertificateDer<'_>]) -> Result<(), PkiError> {
        let (own, between) = chain.split_first().ok_or(PkiError::NoCertificate)?;
        let checked = self.verifier.load().0.verify_client_cert(own, between, UnixTime::now());
        checked.map(|_| ()).map_err(tls_error)
    }
}

fn verifier(ca_pem: &[u8], crl_pem: Option<&[u8]>) -> Result<Verifier, PkiError> {
    let roots = Arc::new(roots(ca_pem, OffsetDateTime::now_utc())?);
    let lists = crl_pem.map_or_else(|| Ok(Vec::new()), pem::revocation_lists)?;
    let built = WebPkiClientVerifier::builder_with_provider(roots, provider())
        .with_crls(lists)
        .enforce_revocation_expiration()
        .build();
    built.map(Verifier).map_err(|error| PkiError::RevocationList(error.to_string()))
}

impl ClientCertVerifier for ClientTrust {
    fn client_auth_mandatory(&self) -> bool {
        self.expected == ClientCertificates::Required
    }

    // No hints: they are for clients that have several certificates, and could not be replaced.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verifier.load().0.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.load().0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.load().0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.load().0.supported_verify_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
#[path = "client_trust_tests.rs"]
mod tests;
