//! What the certificate of a peer says of its owner.

use std::fmt::Write as _;

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::prelude::{AttributeTypeAndValue, GeneralName, X509Certificate};

use crate::facts::parse;
use crate::{PkiError, pem};

/// Attribute types that RFC 2253 has a name for, in section 2.3; Java writes all others as numbers.
const KEYWORDS: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
];

/// What the certificate of a peer says of its owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerCertificate {
    /// The subject as RFC 2253 writes it, letter for letter as Java's `X500Principal.getName()` does: this is what
    /// Kafka's mapping rules and ACLs are written for.
    pub distinguished_name: String,
    /// Subject alternative names that are host names.
    pub dns_names: Vec<String>,
    /// Subject alternative names that are URIs, a SPIFFE id among them.
    pub uris: Vec<String>,
    /// Subject alternative names that are e-mail addresses.
    pub emails: Vec<String>,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// The end of its validity.
    pub not_after: OffsetDateTime,
}

impl PeerCertificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// As [`PeerCertificate::read`], and when there is none.
    pub fn of_pem(text: &[u8]) -> Result<Self, PkiError> {
        let certificates = pem::certificates(text)?;
        Self::read(certificates.first().ok_or(PkiError::NoCertificate)?)
    }

    /// Reads a certificate.
    ///
    /// # Errors
    /// It is no certificate, or its subject can't be written as text without a doubt.
    pub fn read(der: &CertificateDer<'_>) -> Result<Self, PkiError> {
        let certificate = parse(der)?;
        let mut read = Self {
            distinguished_name: distinguished_name(&certificate)?,
            dns_names: Vec::new(),
            uris: Vec::new(),
            emails: Vec::new(),
            serial: certificate.raw_serial_as_string().replace(':', ""),
            not_after: OffsetDateTime::from_unix_timestamp(certificate.validity().not_after.timestamp())
                .map_err(|error| PkiError::Certificate(error.to_string()))?,
        };
        let alternative = certificate.subject_alternative_name();
        let alternative = alternative.map_err(|error| PkiError::Certificate(error.to_string()))?;
        for name in alternative.iter().flat_map(|extension| &extension.value.general_names) {
            match name {
                GeneralName::DNSName(name) => read.dns_names.push((*name).to_owned()),
                GeneralName::URI(uri) => read.uris.push((*uri).to_owned()),
                GeneralName::RFC822Name(email) => read.emails.push((*email).to_owned()),
                _ => {}
            }
        }
        Ok(read)
    }
}

/// RFC 2253, section 2: the last part comes first.
fn distinguished_name(certificate: &X509Certificate<'_>) -> Result<String, PkiError> {
    let parts: Vec<_> = certificate.subject().iter_rdn().collect();
    let parts = parts.into_iter().rev().map(|part| {
        part.iter().map(attribute).collect::<Result<Vec<_>, _>>().map(|attributes| attributes.join("+"))
    });
    Ok(parts.collect::<Result<Vec<_>, _>>()?.join(","))
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> Result<String, PkiError> {
    let number = attribute.attr_type().to_id_string();
    let value = attribute.attr_value();
    let is_text = matches!(
        value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::T61String | Tag::GeneralString
    );
    match KEYWORDS.iter().find(|(known, _)| *known == number) {
        Some((_, keyword)) if is_text => {
            // Java would read what is no UTF-8 as something else, and two owners could get one name.
            let text = std::str::from_utf8(value.data)
                .map_err(|_| PkiError::Certificate("its subject is not UTF-8".to_owned()))?;
            Ok(format!("{keyword}={}", escaped(text)))
        }
        Some((_, keyword)) => Ok(format!("{keyword}={}", hexadecimal(value)?)),
        None => Ok(format!("{number}={}", hexadecimal(value)?)),
    }
}

/// Section 2.4, and as Java does `=` beside the characters that are named there.
fn escaped(text: &str) -> String {
    let is_blank = |character: char| matches!(character, ' ' | '\r');
    let first = text.find(|character| !is_blank(character)).unwrap_or(text.len());
    let last = text.rfind(|character| !is_blank(character)).unwrap_or(0);
    let mut escaped = String::with_capacity(text.len() + 8);
    for (at, character) in text.char_indices() {
        match character {
            '\0' => {
                escaped.push_str("\\00");
                continue;
            }
            ',' | '=' | '+' | '<' | '>' | '#' | ';' | '"' | '\\' => escaped.push('\\'),
            _ if at < first || at > last => escaped.push('\\'),
            _ => {}
        }
        escaped.push(character);
    }
    escaped
}

/// `#` and the DER of the value.
fn hexadecimal(value: &Any<'_>) -> Result<String, PkiError> {
    let unreadable = || PkiError::Certificate("an attribute of its subject is no plain value".to_owned());
    let tag = u8::try_from(value.tag().0).ok().filter(|tag| *tag < 31).ok_or_else(unreadable)?;
    let length = u16::try_from(value.data.len()).map_err(|_| unreadable())?;
    let [high, low] = length.to_be_bytes();
    let constructed = u8::from(value.header.is_constructed()) << 5;
    let mut der = vec![tag | constructed];
    match length {
        0..=127 => der.push(low),
        128..=255 => der.extend([0x81, low]),
        _ => der.extend([0x82, high, low]),
    }
    der.extend_from_slice(value.data);
    let mut text = String::from("#");
    for byte in der {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
#[path = "peer_certificate_tests.rs"]
mod tests;
