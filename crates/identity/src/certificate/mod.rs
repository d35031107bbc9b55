//! Client certificates: who somebody is by TLS alone.

mod mapping;

use std::time::SystemTime;

use rustls::ServerConnection;
use schloss_pki::PeerCertificate;
use schloss_wire::Principal;

use crate::user::shown;
use crate::{AuthFailure, AuthFailureReason, Authenticated, Method, check_user_name};

pub use mapping::MappingRules;

/// What of a certificate is its owner's name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum NameSource {
    /// The subject, as Kafka has it.
    #[default]
    Subject,
    /// The one subject alternative name that is a host name.
    DnsName,
    /// The one that is a URI: a SPIFFE id (SPIFFE X.509-SVID, section 2, allows no second one).
    Uri,
    /// The one that is an e-mail address.
    Email,
}

/// How a certificate becomes a principal.
#[derive(Clone, Debug, Default)]
pub struct CertificateIdentity {
    /// What the name is taken from.
    pub source: NameSource,
    /// What is made of it.
    pub rules: MappingRules,
}

impl CertificateIdentity {
    /// Who the peer of a connection is. Its handshake has proved that it holds the certificate, and the verifier of
    /// its configuration that the certificate is good; a connection that is not so far has no certificate to show.
    ///
    /// # Errors
    /// There is no certificate, or it names nobody, or several.
    pub fn authenticate(&self, connection: &ServerConnection) -> Result<Authenticated, AuthFailure> {
        let failure = |reason| AuthFailure { reason, claimed_user: None };
        let chain = connection.peer_certificates().filter(|_| !connection.is_handshaking());
        let own = chain
            .and_then(|chain| chain.first())
            .ok_or_else(|| failure(AuthFailureReason::Certificate("no certificate was shown".to_owned())))?;
        let certificate = PeerCertificate::read(own)
            .map_err(|error| failure(AuthFailureReason::Certificate(error.to_string())))?;
        let principal = self.principal(&certificate).map_err(failure)?;
        let (serial, subject) = (&certificate.serial, shown(&certificate.distinguished_name));
        let proof = Authenticated::new(principal, Method::Certificate);
        let proof = proof.by(format!("the certificate {serial} of '{subject}'"));
        Ok(proof.until(SystemTime::from(certificate.not_after)))
    }

    /// The principal that a certificate stands for.
    ///
    /// # Errors
    /// It names nobody, or several.
    pub fn principal(&self, certificate: &PeerCertificate) -> Result<Principal, AuthFailureReason> {
        let name = self.name(certificate).map_err(AuthFailureReason::Certificate)?;
        let mapped = self.rules.apply(name).ok_or_else(|| {
            AuthFailureReason::Certificate(format!("no principal mapping rule fits '{}'", shown(name)))
        })?;
        check_user_name(&mapped)?;
        Ok(Principal::user(&mapped))
    }

    fn name<'a>(&self, certificate: &'a PeerCertificate) -> Result<&'a str, String> {
        let (names, kind) = match self.source {
            NameSource::Subject => return Ok(&certificate.distinguished_name),
            NameSource::DnsName => (&certificate.dns_names, "a DNS name"),
            NameSource::Uri => (&certificate.uris, "a URI"),
            NameSource::Email => (&certificate.emails, "an e-mail address"),
        };
        match names.as_slice() {
            [name] => Ok(name),
            _ => Err(format!(
                "the certificate of '{}' has {} subject alternative names that are {kind}, and exactly one names \
                 its owner",
                shown(&certificate.distinguished_name),
                names.len()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn certificate() -> PeerCertificate {
        PeerCertificate {
            distinguished_name: "CN=alice,O=Example".to_owned(),
            dns_names: vec!["a.example".to_owned(), "b.example".to_owned()],
            uris: vec!["spiffe://example/alice".to_owned()],
            emails: Vec::new(),
            serial: String::new(),
            not_after: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn principal(source: NameSource, rules: &str) -> Result<String, String> {
        let identity = CertificateIdentity { source, rules: rules.parse().unwrap() };
        identity.principal(&certificate()).map(|who| who.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_name_is_taken_from_where_it_is_said() {
        assert_eq!(principal(NameSource::Subject, ""), Ok("User:CN=alice,O=Example".to_owned()));
        assert_eq!(principal(NameSource::Uri, ""), Ok("User:spiffe://example/alice".to_owned()));
        let rule = r"RULE:^spiffe:\/\/example\/(.*)$/$1/";
        assert_eq!(principal(NameSource::Uri, rule), Ok("User:alice".to_owned()));
    }

    #[test]
    fn several_names_or_none_are_nobody() {
        let several = principal(NameSource::DnsName, "").unwrap_err();
        assert!(several.contains("has 2 subject alternative names that are a DNS name"), "{several}");
        let none = principal(NameSource::Email, "").unwrap_err();
        assert!(none.contains("has 0 subject alternative names that are an e-mail address"), "{none}");
    }

    #[test]
    fn a_name_that_no_rule_fits_or_that_is_mapped_to_none_is_refused() {
        let unfit = principal(NameSource::Subject, "RULE:^CN=bob$/bob/").unwrap_err();
        assert!(unfit.contains("no principal mapping rule fits 'CN=alice,O=Example'"), "{unfit}");
        let empty = principal(NameSource::Subject, "RULE:^CN=.*$//").unwrap_err();
        assert!(empty.contains("the user name is empty"), "{empty}");
    }
}
