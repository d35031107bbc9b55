//! What a certificate says.

use std::net::{Ipv4Addr, Ipv6Addr};

use time::OffsetDateTime;
use x509_parser::prelude::{GeneralName, X509Certificate};

use crate::{PkiError, pem};

/// What people ask about a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertFacts {
    /// Whose it is, as an X.500 name such as `CN=localhost`.
    pub subject: String,
    /// The begin of its validity.
    pub not_before: OffsetDateTime,
    /// The end of its validity.
    pub not_after: OffsetDateTime,
    /// The DNS names and IP addresses it is valid for, in the order of the certificate.
    pub names: Vec<String>,
    /// Whether it may issue other certificates.
    pub authority: bool,
}

/// The facts of the first certificate in a PEM text.
///
/// # Errors
/// When there is none, or it can't be read.
pub fn certificate_facts(pem: &[u8]) -> Result<CertFacts, PkiError> {
    let certificates = pem::certificates(pem)?;
    let first = certificates.first().ok_or(PkiError::NoCertificate)?;
    CertFacts::of(&parse(first)?)
}

impl CertFacts {
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Result<Self, PkiError> {
        let moment = |time: x509_parser::time::ASN1Time| {
            OffsetDateTime::from_unix_timestamp(time.timestamp()).map_err(|error| unreadable(&error))
        };
        let alternative = certificate.subject_alternative_name().map_err(|error| unreadable(&error))?;
        let names = alternative.map_or_else(Vec::new, |extension| {
            extension.value.general_names.iter().filter_map(host_name).collect()
        });
        Ok(Self {
            subject: certificate.subject().to_string(),
            not_before: moment(certificate.validity().not_before)?,
            not_after: moment(certificate.validity().not_after)?,
            names,
            authority: certificate.is_ca(),
        })
    }

    /// Whether it is valid at this time; the error says on which side it is not.
    pub(crate) fn check_time(&self, now: OffsetDateTime) -> Result<(), PkiError> {
        let subject = || self.subject.clone();
        if now > self.not_after {
            Err(PkiError::Expired { subject: subject(), not_after: self.not_after })
        } else if now < self.not_before {
            Err(PkiError::NotYetValid { subject: subject(), not_before: self.not_before })
        } else {
            Ok(())
        }
    }
}

pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, PkiError> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|error| unreadable(&error))?;
    Ok(certificate)
}

fn unreadable(error: &dyn std::error::Error) -> PkiError {
    PkiError::Certificate(error.to_string())
}

fn host_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(|four| Ipv4Addr::from(four).to_string())
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(|sixteen| Ipv6Addr::from(sixteen).to_string()))
            .ok(),
        _ => None,
    }
}
