//! Names as Java writes them; the expected texts are from its `X500Principal.getName()`.

use rcgen::string::PrintableString;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
use time::Duration;

use super::*;
use crate::{Authority, ClientNames};

fn name_of(parts: Vec<(DnType, DnValue)>) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in parts {
        params.distinguished_name.push(kind, value);
    }
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    PeerCertificate::read(certificate.der()).unwrap().distinguished_name
}

fn text(value: &str) -> DnValue {
    DnValue::Utf8String(value.to_owned())
}

#[test]
fn the_last_part_comes_first_and_known_types_have_their_keyword() {
    let name = name_of(vec![
        (DnType::CountryName, DnValue::PrintableString(PrintableString::try_from("DE").unwrap())),
        (DnType::StateOrProvinceName, text("Hessen")),
        (DnType::LocalityName, text("Köln")),
        (DnType::OrganizationName, text("Example GmbH")),
        (DnType::OrganizationalUnitName, text("Billing")),
        (DnType::CommonName, text("alice")),
    ]);
    assert_eq!(name, "CN=alice,OU=Billing,O=Example GmbH,L=Köln,ST=Hessen,C=DE");
    let more = name_of(vec![
        (DnType::CustomDnType(vec![0, 9, 2342, 19200300, 100, 1, 25]), text("example")),
        (DnType::CustomDnType(vec![0, 9, 2342, 19200300, 100, 1, 1]), text("alice")),
        (DnType::CustomDnType(vec![2, 5, 4, 9]), text("Main St")),
    ]);
    assert_eq!(more, "STREET=Main St,UID=alice,DC=example");
}

#[test]
fn other_types_are_numbers_and_their_values_hexadecimal() {
    // emailAddress and serialNumber have no keyword in RFC 2253.
    let email = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    let name = name_of(vec![(DnType::CommonName, text("a")), (email, text("a@b"))]);
    assert_eq!(name, "1.2.840.113549.1.9.1=#0c03614062,CN=a");
    let long = name_of(vec![(DnType::CustomDnType(vec![2, 5, 4, 5]), text(&"x".repeat(200)))]);
    assert_eq!(long, format!("2.5.4.5=#0c81c8{}", "78".repeat(200)));
}

#[test]
fn what_separates_names_is_escaped_so_that_no_value_can_pass_for_two() {
    for (value, written) in [
        ("admin,O=Example", "CN=admin\\,O\\=Example"),
        (" a ", "CN=\\ a\\ "),
        ("a  b", "CN=a  b"),
        ("  ", "CN=\\ \\ "),
        ("#a", "CN=\\#a"),
        ("a+b<c>d;e\"f\\g", "CN=a\\+b\\<c\\>d\\;e\\\"f\\\\g"),
        ("a\0b", "CN=a\\00b"),
        ("*", "CN=*"),
        ("", "CN="),
    ] {
        assert_eq!(name_of(vec![(DnType::CommonName, text(value))]), written, "{value:?}");
    }
}

#[test]
fn alternative_names_are_kept_by_their_kind() {
    let ca = Authority::generate("test", Duration::DAY).unwrap();
    let names = ClientNames {
        common_name: "alice".to_owned(),
        dns_names: vec!["a.example".to_owned()],
        uris: vec!["spiffe://example/alice".to_owned()],
        emails: vec!["alice@example.org".to_owned()],
    };
    let issued = ca.issue_client_as(&names, Duration::HOUR).unwrap();
    let read = PeerCertificate::of_pem(issued.cert_pem.as_bytes()).unwrap();
    assert_eq!(read.distinguished_name, "CN=alice");
    assert_eq!((read.dns_names, read.uris, read.emails), (names.dns_names, names.uris, names.emails));
    let left = read.not_after - OffsetDateTime::now_utc();
    assert!(left > Duration::minutes(59) && left <= Duration::HOUR, "{left}");
    assert_eq!(read.serial.len(), 32);
}
