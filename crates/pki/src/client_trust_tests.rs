//! Which chains are good, and when that changes.

use rustls::CertificateError;
use time::Duration;

use super::*;
use crate::{Authority, Issued};

const DAY: Duration = Duration::DAY;

fn authority() -> Authority {
    Authority::generate("clients", DAY * 30).unwrap()
}

fn chain(issued: &Issued) -> Vec<CertificateDer<'static>> {
    pem::certificates(issued.cert_pem.as_bytes()).unwrap()
}

fn trust(authority: &Authority, list: Option<&str>) -> Result<Arc<ClientTrust>, PkiError> {
    let list = list.map(str::as_bytes);
    ClientTrust::new(ClientCertificates::Required, authority.cert_pem().as_bytes(), list)
}

fn refusal(trust: &ClientTrust, issued: &Issued) -> String {
    trust.check(&chain(issued)).unwrap_err().to_string()
}

#[test]
fn a_client_of_the_authority_is_trusted_and_neither_a_strangers_nor_a_server() {
    let ca = authority();
    let trust = trust(&ca, None).unwrap();
    assert!(trust.check(&chain(&ca.issue_client("alice", DAY).unwrap())).is_ok());
    let stranger = authority().issue_client("alice", DAY).unwrap();
    assert!(trust.check(&chain(&stranger)).is_err(), "another authority of the same name");
    let server = ca.issue_server(&["localhost".to_owned()], DAY).unwrap();
    assert!(trust.check(&chain(&server)).is_err());
    assert!(matches!(trust.check(&[]), Err(PkiError::NoCertificate)));
}

#[test]
fn a_revoked_certificate_is_refused_as_soon_as_the_list_says_so() {
    let ca = authority();
    let (alice, bob) = (ca.issue_client("alice", DAY).unwrap(), ca.issue_client("bob", DAY).unwrap());
    let nobody = ca.revoke(None, &[], DAY).unwrap();
    let trust = trust(&ca, Some(&nobody)).unwrap();
    assert!(trust.check(&chain(&alice)).is_ok() && trust.check(&chain(&bob)).is_ok());
    let before = trust.generation();
    let list = ca.revoke(Some(nobody.as_bytes()), &[alice.cert_pem.as_bytes()], DAY).unwrap();
    trust.replace(ca.cert_pem().as_bytes(), Some(list.as_bytes())).unwrap();
    assert_ne!(trust.generation(), before);
    assert!(refusal(&trust, &alice).to_lowercase().contains("revoked"), "{}", refusal(&trust, &alice));
    assert!(trust.check(&chain(&bob)).is_ok());
    // A list that follows keeps what was revoked before.
    let both = ca.revoke(Some(list.as_bytes()), &[bob.cert_pem.as_bytes()], DAY).unwrap();
    trust.replace(ca.cert_pem().as_bytes(), Some(both.as_bytes())).unwrap();
    assert!(trust.check(&chain(&alice)).is_err() && trust.check(&chain(&bob)).is_err());
}

#[test]
fn what_can_not_be_read_changes_nothing() {
    let ca = authority();
    let alice = ca.issue_client("alice", DAY).unwrap();
    let trust = trust(&ca, None).unwrap();
    for (ca_pem, list) in [("", None), (ca.cert_pem(), Some("")), (ca.cert_pem(), Some(ca.cert_pem()))] {
        assert!(trust.replace(ca_pem.as_bytes(), list.map(str::as_bytes)).is_err());
    }
    let nonsense = "-----BEGIN X509 CRL-----\nQUJD\n-----END X509 CRL-----\n";
    let refused = trust.replace(ca.cert_pem().as_bytes(), Some(nonsense.as_bytes()));
    assert!(matches!(refused, Err(PkiError::RevocationList(_))), "{refused:?}");
    assert_eq!(trust.generation(), 0);
    assert!(trust.check(&chain(&alice)).is_ok());
}

#[test]
fn without_a_list_in_force_for_its_authority_nobody_is_trusted() {
    let (ca, other) = (authority(), Authority::generate("other", DAY).unwrap());
    let alice = ca.issue_client("alice", DAY).unwrap();
    let foreign = trust(&ca, Some(&other.revoke(None, &[], DAY).unwrap())).unwrap();
    assert!(foreign.check(&chain(&alice)).is_err(), "its status is unknown");
    let trust = trust(&ca, Some(&ca.revoke(None, &[], Duration::hours(1)).unwrap())).unwrap();
    let own = &chain(&alice)[0];
    let later = UnixTime::since_unix_epoch(
        UnixTime::now().as_secs().checked_add(7200).map(std::time::Duration::from_secs).unwrap(),
    );
    let refused = trust.verify_client_cert(own, &[], later).unwrap_err();
    let expired = matches!(
        &refused,
        Error::InvalidCertificate(
            CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. }
        )
    );
    assert!(expired, "{refused:?}");
}

#[test]
fn only_its_own_certificates_and_lists_are_an_authoritys_to_revoke() {
    let (ca, other) = (authority(), Authority::generate("other", DAY).unwrap());
    let stranger = other.issue_client("alice", DAY).unwrap();
    let refused = ca.revoke(None, &[stranger.cert_pem.as_bytes()], DAY).err();
    assert!(matches!(&refused, Some(PkiError::ForeignCertificate(who)) if who == "CN=alice"), "{refused:?}");
    let list = other.revoke(None, &[], DAY).unwrap();
    assert!(matches!(ca.revoke(Some(list.as_bytes()), &[], DAY), Err(PkiError::ForeignCertificate(_))));
    assert!(matches!(ca.revoke(None, &[], Duration::ZERO), Err(PkiError::Validity)));
}

#[test]
fn who_may_come_without_a_certificate_is_a_setting() {
    let ca = authority();
    for (expected, mandatory) in
        [(ClientCertificates::Requested, false), (ClientCertificates::Required, true)]
    {
        let trust = ClientTrust::new(expected, ca.cert_pem().as_bytes(), None).unwrap();
        assert_eq!((trust.offer_client_auth(), trust.client_auth_mandatory()), (true, mandatory));
    }
}
