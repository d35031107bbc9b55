//! What is in the certificates we make.

use std::collections::HashSet;

use x509_parser::prelude::{ParsedExtension, X509Certificate};

use super::*;
use crate::certificate_facts;

fn authority() -> Authority {
    Authority::generate("Schloss test CA", Duration::DAY * 30).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn issue(list: &[&str], valid: Duration) -> Result<Issued, PkiError> {
    authority().issue_server(&names(list), valid)
}

fn with<T>(pem: &str, look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let certificates = pem::certificates(pem.as_bytes()).unwrap();
    look(&parse(&certificates[0]).unwrap())
}

#[test]
fn the_authority_may_sign_end_certificates_and_nothing_else() {
    with(authority().cert_pem(), |certificate| {
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        let usage = certificate.key_usage().unwrap().unwrap().value;
        assert!(usage.key_cert_sign() && usage.crl_sign());
        assert!(!usage.digital_signature() && !usage.key_encipherment());
    });
}

#[test]
fn a_server_certificate_is_for_servers_only_and_names_its_issuer() {
    let ca = authority();
    let issued = ca.issue_server(&names(&["localhost"]), Duration::DAY).unwrap();
    let ca_key_id = with(ca.cert_pem(), |certificate| {
        certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        })
    });
    with(&issued.cert_pem, |certificate| {
        assert!(!certificate.is_ca());
        let extended = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.server_auth && !extended.client_auth && !extended.any);
        assert!(certificate.key_usage().unwrap().unwrap().value.digital_signature());
        assert_eq!(certificate.issuer().to_string(), "CN=Schloss test CA");
        let issuer_key_id =
            certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    id.key_identifier.as_ref().map(|id| id.0.to_vec())
                }
                _ => None,
            });
        assert!(issuer_key_id.is_some());
        assert_eq!(issuer_key_id, ca_key_id);
    });
}

#[test]
fn a_client_certificate_is_for_clients_only_and_carries_the_name() {
    let issued = authority().issue_client("billing service", Duration::DAY * 90).unwrap();
    let facts = certificate_facts(issued.cert_pem.as_bytes()).unwrap();
    assert_eq!((facts.subject.as_str(), facts.names.len()), ("CN=billing service", 0));
    assert!(facts.not_after < OffsetDateTime::now_utc() + Duration::DAY * 31, "not beyond its authority");
    with(&issued.cert_pem, |certificate| {
        assert!(!certificate.is_ca());
        let extended = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.client_auth && !extended.server_auth && !extended.any);
    });
}

#[test]
fn facts_give_subject_names_and_validity() {
    let issued = issue(&["localhost", "127.0.0.1", "::1", "*.example.com"], Duration::DAY * 7).unwrap();
    let facts = certificate_facts(issued.cert_pem.as_bytes()).unwrap();
    assert_eq!(facts.subject, "CN=localhost");
    assert_eq!(facts.names, ["localhost", "127.0.0.1", "::1", "*.example.com"]);
    assert!(!facts.authority);
    let now = OffsetDateTime::now_utc();
    let about = |moment: OffsetDateTime, expected: OffsetDateTime| {
        let off: Duration = moment - expected;
        off.abs() < Duration::MINUTE
    };
    assert!(about(facts.not_after, now + Duration::DAY * 7), "{facts:?}");
    assert!(about(facts.not_before, now - BACKDATE), "{facts:?}");
}

#[test]
fn a_certificate_never_outlives_its_authority() {
    let ca = Authority::generate("short", Duration::DAY).unwrap();
    let issued = ca.issue_server(&names(&["localhost"]), Duration::DAY * 90).unwrap();
    assert_eq!(
        certificate_facts(issued.cert_pem.as_bytes()).unwrap().not_after,
        certificate_facts(ca.cert_pem().as_bytes()).unwrap().not_after
    );
}

#[test]
fn serials_are_random_positive_and_keys_are_never_reused() {
    let ca = authority();
    let (mut serials, mut keys) = (HashSet::new(), HashSet::new());
    for _ in 0..50 {
        let issued = ca.issue_server(&names(&["localhost"]), Duration::DAY).unwrap();
        let serial = with(&issued.cert_pem, |certificate| certificate.raw_serial().to_vec());
        assert!(serial.len() == SERIAL_BYTES && serial[0] < 0x80, "{serial:?}");
        assert!(serials.insert(serial) && keys.insert(issued.key_pem.as_str().to_owned()));
    }
}

#[test]
fn names_that_are_no_names_are_refused() {
    for name in
        ["", " ", "a b", "-", "http://x", "localhost:9092", "*", "*.", "a.*.b", "ü", "a\0b", "1.2.3.4.5/8"]
    {
        let refused = issue(&["localhost", name], Duration::DAY).err();
        assert!(matches!(&refused, Some(PkiError::Name(wrong)) if wrong == name), "{name:?}: {refused:?}");
    }
}

#[test]
fn no_names_and_too_many_are_refused() {
    assert!(matches!(issue(&[], Duration::DAY).err(), Some(PkiError::NameCount(0))));
    let many = vec!["a.example"; MAX_NAMES + 1];
    assert!(matches!(issue(&many, Duration::DAY).err(), Some(PkiError::NameCount(_))));
    assert!(issue(&many[1..], Duration::DAY).is_ok());
}

#[test]
fn a_long_first_name_is_in_the_certificate_all_the_same() {
    let long = format!("{}.{}.example", "a".repeat(60), "b".repeat(60));
    let issued = issue(&[&long], Duration::DAY).unwrap();
    let facts = certificate_facts(issued.cert_pem.as_bytes()).unwrap();
    assert_eq!((facts.subject.as_str(), facts.names), ("", vec![long]));
}

#[test]
fn validities_that_are_none_are_refused() {
    for valid in [Duration::ZERO, -Duration::DAY, Duration::MAX, Duration::DAY * 4_000_000] {
        assert!(matches!(issue(&["localhost"], valid).err(), Some(PkiError::Validity)), "{valid}");
        assert!(matches!(Authority::generate("x", valid).err(), Some(PkiError::Validity)), "{valid}");
    }
}

#[test]
fn an_authority_or_client_without_a_usable_name_is_refused() {
    for name in ["", &"x".repeat(65)] {
        assert!(matches!(Authority::generate(name, Duration::DAY).err(), Some(PkiError::CommonName(_))));
        let client = authority().issue_client(name, Duration::DAY);
        assert!(matches!(client.err(), Some(PkiError::CommonName(_))));
    }
}
