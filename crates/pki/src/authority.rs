//! A small certificate authority.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::DnsName;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::facts::{CertFacts, parse};
use crate::{PkiError, pem};

/// How far a certificate's validity begins in the past, for peers whose clocks are behind.
pub const BACKDATE: Duration = Duration::HOUR;
/// The most names of one server certificate.
pub const MAX_NAMES: usize = 100;

/// The longest common name of X.520, in characters.
const MAX_COMMON_NAME: usize = 64;
/// RFC 5280 allows 20 bytes at most, and asks for 64 bits of randomness at least.
const SERIAL_BYTES: usize = 16;

/// A CA certificate and its key, able to issue certificates for servers and clients.
///
/// It implements no `Debug`, for it holds the key.
pub struct Authority {
    cert_pem: String,
    key_pem: Zeroizing<String>,
    not_after: OffsetDateTime,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, ECDSA P-256.
pub struct Issued {
    /// The certificate, PEM.
    pub cert_pem: String,
    /// The private key, PKCS#8 PEM.
    pub key_pem: Zeroizing<String>,
}

/// Whom a client certificate names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientNames {
    /// The common name, which people see and which Kafka makes the principal `User:CN=..` of.
    pub common_name: String,
    /// Host names or addresses.
    pub dns_names: Vec<String>,
    /// URIs, such as a SPIFFE id.
    pub uris: Vec<String>,
    /// E-mail addresses.
    pub emails: Vec<String>,
}

impl Authority {
    /// Makes a new CA that may issue end certificates, but no further CAs.
    ///
    /// `valid` counts from now.
    ///
    /// # Errors
    /// When the validity is out of range, or the common name is longer than 64 characters.
    pub fn generate(common_name: &str, valid: Duration) -> Result<Self, PkiError> {
        check_common_name(common_name)?;
        let mut params = params(Some(common_name), valid)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key()?;
        let cert_pem = params.self_signed(&key).map_err(refused)?.pem();
        // The way back is the check that what we made is what we accept.
        Self::from_pem(&cert_pem, &Zeroizing::new(key.serialize_pem()))
    }

    /// Loads a CA that was made before.
    ///
    /// # Errors
    /// When a part is missing, the key does not match, the certificate is no CA's, or its time is not now.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, PkiError> {
        let certificates = pem::certificates(cert_pem.as_bytes())?;
        let der = certificates.first().ok_or(PkiError::NoCertificate)?;
        let certificate = parse(der)?;
        let facts = CertFacts::of(&certificate)?;
        facts.check_time(OffsetDateTime::now_utc())?;
        if !facts.authority {
            return Err(PkiError::NotAnAuthority(facts.subject));
        }

        let key_der = pem::private_key(key_pem.as_bytes())?;
        let key = KeyPair::try_from(&key_der).map_err(|error| PkiError::PrivateKey(error.to_string()))?;
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(PkiError::KeyMismatch);
        }
        let issuer = Issuer::from_ca_cert_der(der, key).map_err(refused)?;
        Ok(Self {
            cert_pem: cert_pem.to_owned(),
            key_pem: Zeroizing::new(key_pem.to_owned()),
            not_after: facts.not_after,
            issuer,
        })
    }

    /// The CA certificate, PEM: what clients trust.
    #[must_use]
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The CA's private key, PKCS#8 PEM.
    #[must_use]
    pub fn key_pem(&self) -> &Zeroizing<String> {
        &self.key_pem
    }

    /// Issues a server certificate for these DNS names and IP addresses, with a new key.
    ///
    /// `valid` counts from now; the certificate never outlives its CA. A name may begin with `*.`.
    ///
    /// # Errors
    /// When a name is neither, or there are none or too many, or the validity is out of range.
    pub fn issue_server(&self, names: &[String], valid: Duration) -> Result<Issued, PkiError> {
        if !(1..=MAX_NAMES).contains(&names.len()) {
            return Err(PkiError::NameCount(names.len()));
        }
        // The name of a certificate is its SAN; the common name is for people, and optional.
        let common_name = names.first().map(String::as_str).filter(|name| name.len() <= MAX_COMMON_NAME);
        let mut params = params(common_name, valid)?;
        params.subject_alt_names =
            names.iter().map(|name| alternative_name(name)).collect::<Result<_, _>>()?;
        self.issue(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Issues a client certificate, with a new key. A Kafka broker that asks for certificates sees its owner as
    /// principal `User:CN=<common name>`.
    ///
    /// `valid` counts from now; the certificate never outlives its CA.
    ///
    /// # Errors
    /// When the common name is not 1 to 64 characters long, or the validity is out of range.
    pub fn issue_client(&self, common_name: &str, valid: Duration) -> Result<Issued, PkiError> {
        check_common_name(common_name)?;
        self.issue(params(Some(common_name), valid)?, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The same with alternative names beside the common name, for servers that take the principal from one.
    ///
    /// # Errors
    /// As [`Authority::issue_client`], and for an alternative name that is none of its kind.
    pub fn issue_client_as(&self, client: &ClientNames, valid: Duration) -> Result<Issued, PkiError> {
        check_common_name(&client.common_name)?;
        let text = |name: &String| name.as_str().try_into().map_err(|_| PkiError::Name(name.clone()));
        let mut params = params(Some(&client.common_name), valid)?;
        let dns_names = client.dns_names.iter().map(|name| alternative_name(name));
        let uris = client.uris.iter().map(|uri| text(uri).map(SanType::URI));
        let emails = client.emails.iter().map(|email| text(email).map(SanType::Rfc822Name));
        params.subject_alt_names = dns_names.chain(uris).chain(emails).collect::<Result<_, _>>()?;
        self.issue(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// What signs, for lists of revoked certificates.
    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// What every end certificate of ours has.
    fn issue(
        &self,
        mut params: CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Issued, PkiError> {
        params.not_after = params.not_after.min(self.not_after);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(refused)?;
        Ok(Issued { cert_pem: certificate.pem(), key_pem: Zeroizing::new(key.serialize_pem()) })
    }
}

fn check_common_name(name: &str) -> Result<(), PkiError> {
    if name.is_empty() || name.chars().count() > MAX_COMMON_NAME {
        return Err(PkiError::CommonName(name.to_owned()));
    }
    Ok(())
}

/// What every certificate of ours has.
fn params(common_name: Option<&str>, valid: Duration) -> Result<CertificateParams, PkiError> {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.not_before = now - BACKDATE;
    params.not_after = now.checked_add(valid).filter(|end| *end > now).ok_or(PkiError::Validity)?;
    params.serial_number = Some(random_serial()?);
    params.distinguished_name = DistinguishedName::new();
    if let Some(common_name) = common_name {
        params.distinguished_name.push(DnType::CommonName, common_name);
    }
    Ok(params)
}

fn alternative_name(name: &str) -> Result<SanType, PkiError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let wrong = || PkiError::Name(name.to_owned());
    DnsName::try_from(name.strip_prefix("*.").unwrap_or(name)).map_err(|_| wrong())?;
    Ok(SanType::DnsName(name.try_into().map_err(|_| wrong())?))
}

fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refused)
}

pub(crate) fn random_serial() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; SERIAL_BYTES];
    let filled = aws_lc_rs::default_provider().secure_random.fill(&mut bytes);
    filled.map_err(|_| PkiError::Tls("the operating system gives no random bytes".to_owned()))?;
    // A serial is a positive number without leading zeros.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

pub(crate) fn refused(error: rcgen::Error) -> PkiError {
    PkiError::Certificate(error.to_string())
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
