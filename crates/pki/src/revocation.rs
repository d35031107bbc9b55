//! Lists of revoked certificates of our own authority (RFC 5280, section 5).

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::authority::{BACKDATE, random_serial, refused};
use crate::facts::parse;
use crate::{Authority, PkiError, pem};

impl Authority {
    /// A list of revoked certificates, PEM: those of the list before, if there is one, and these. It is in force
    /// for as long as `valid` says, counted from now.
    ///
    /// # Errors
    /// A certificate or the list before can't be read or is another authority's, or the validity is out of range.
    pub fn revoke(
        &self,
        before: Option<&[u8]>,
        certificates: &[&[u8]],
        valid: Duration,
    ) -> Result<String, PkiError> {
        let own = pem::certificates(self.cert_pem().as_bytes())?;
        let own = parse(own.first().ok_or(PkiError::NoCertificate)?)?;
        let now = OffsetDateTime::now_utc();
        let mut revoked: Vec<RevokedCertParams> = Vec::new();
        for der in before.map_or_else(|| Ok(Vec::new()), pem::revocation_lists)? {
            let unreadable = |error: &dyn std::fmt::Display| PkiError::RevocationList(error.to_string());
            let (_, list) = CertificateRevocationList::from_der(&der).map_err(|error| unreadable(&error))?;
            if list.verify_signature(own.public_key()).is_err() {
                return Err(PkiError::ForeignCertificate(list.issuer().to_string()));
            }
            for entry in list.iter_revoked_certificates() {
                let time = OffsetDateTime::from_unix_timestamp(entry.revocation_date.timestamp());
                revoked.push(entry_of(entry.raw_serial(), time.map_err(|error| unreadable(&error))?));
            }
        }
        for text in certificates {
            let chain = pem::certificates(text)?;
            let certificate = parse(chain.first().ok_or(PkiError::NoCertificate)?)?;
            if certificate.verify_signature(Some(own.public_key())).is_err() {
                return Err(PkiError::ForeignCertificate(certificate.subject().to_string()));
            }
            let entry = entry_of(certificate.raw_serial(), now);
            if !revoked.iter().any(|known| known.serial_number == entry.serial_number) {
                revoked.push(entry);
            }
        }
        let next_update = now.checked_add(valid).filter(|end| *end > now).ok_or(PkiError::Validity)?;
        let list = CertificateRevocationListParams {
            this_update: now - BACKDATE,
            next_update,
            crl_number: random_serial()?,
            issuing_distribution_point: None,
            revoked_certs: revoked,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(self.issuer()).and_then(|list| list.pem()).map_err(refused)
    }
}

fn entry_of(serial: &[u8], revocation_time: OffsetDateTime) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time,
        reason_code: None,
        invalidity_date: None,
    }
}
