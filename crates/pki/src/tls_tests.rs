//! Real handshakes in memory, over the configurations that the broker and its client use.

use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CertificateError, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion, ServerConnection,
};
use time::Duration;

use super::*;
use crate::{Authority, ClientCertificates, Issued, certificate_facts};

const DAY: Duration = Duration::DAY;

fn authority() -> Authority {
    Authority::generate("Schloss test CA", DAY * 30).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn issued(authority: &Authority) -> Issued {
    authority.issue_server(&names(&["localhost", "127.0.0.1", "::1", "*.kafka.test"]), DAY).unwrap()
}

fn server_of(issued: &Issued) -> Arc<ServerConfig> {
    server_config(issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap()
}

fn client_of(authority: &Authority, versions: TlsVersions) -> Arc<ClientConfig> {
    client_config_with(authority.cert_pem().as_bytes(), None, versions).unwrap()
}

fn identity_of(issued: &Issued) -> TlsIdentity {
    TlsIdentity::from_pem(issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap()
}

/// A server that serves nobody without a certificate of `clients`.
fn strict_server(issued: &Issued, clients: &Authority) -> Arc<ServerConfig> {
    let clients = Arc::new(roots(clients.cert_pem().as_bytes(), OffsetDateTime::now_utc()).unwrap());
    let verifier = WebPkiClientVerifier::builder_with_provider(clients, provider()).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(TlsVersions::Both.supported())
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity_of(issued).resolver());
    Arc::new(config)
}

/// Runs a handshake to its end or to the first error of either side.
fn handshake(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    name: &str,
) -> Result<(ServerConnection, ClientConnection), Error> {
    let mut server = ServerConnection::new(server)?;
    let mut client = ClientConnection::new(client, ServerName::try_from(name.to_owned()).unwrap())?;
    for _ in 0..20 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets()?;
        }
        if !client.is_handshaking() && !server.is_handshaking() && !client.wants_write() {
            return Ok((server, client));
        }
    }
    panic!("the handshake does not end");
}

fn refusal(server: Arc<ServerConfig>, client: Arc<ClientConfig>, name: &str) -> CertificateError {
    match handshake(server, client, name) {
        Err(Error::InvalidCertificate(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn our_two_sides_agree_on_tls_1_3_and_the_post_quantum_hybrid() {
    let ca = authority();
    let client = client_config(ca.cert_pem().as_bytes()).unwrap();
    let (server, client) = handshake(server_of(&issued(&ca)), client, "localhost").unwrap();
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    for group in [server.negotiated_key_exchange_group(), client.negotiated_key_exchange_group()] {
        assert_eq!(group.unwrap().name(), NamedGroup::X25519MLKEM768);
    }
    assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full), "no second hello for another group");
}

#[test]
fn a_client_of_tls_1_2_is_served() {
    let ca = authority();
    let client = client_of(&ca, TlsVersions::Only12);
    let (server, _) = handshake(server_of(&issued(&ca)), client, "localhost").unwrap();
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert_eq!(server.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519);
}

#[test]
fn a_client_of_one_version_speaks_no_other() {
    let ca = authority();
    for (ours, theirs) in [(TlsVersions::Only12, &version::TLS13), (TlsVersions::Only13, &version::TLS12)] {
        let server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[theirs])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(identity_of(&issued(&ca)).resolver());
        assert!(handshake(Arc::new(server), client_of(&ca, ours), "localhost").is_err(), "{ours:?}");
    }
}

#[test]
fn a_server_of_one_version_speaks_no_other() {
    let ca = authority();
    let leaf = issued(&ca);
    for (ours, theirs) in
        [(TlsVersions::Only12, TlsVersions::Only13), (TlsVersions::Only13, TlsVersions::Only12)]
    {
        let (chain, key) = (leaf.cert_pem.as_bytes(), leaf.key_pem.as_bytes());
        let server = server_config_with(chain, key, ours).unwrap();
        assert!(handshake(Arc::clone(&server), client_of(&ca, theirs), "localhost").is_err(), "{ours:?}");
        assert!(handshake(server, client_of(&ca, ours), "localhost").is_ok(), "{ours:?}");
    }
}

#[test]
fn a_client_with_a_certificate_is_known_by_its_name() {
    let (ca, of_clients) = (authority(), authority());
    let alice = identity_of(&of_clients.issue_client("alice", DAY).unwrap());
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        let client = client_config_with(ca.cert_pem().as_bytes(), Some(&alice), versions).unwrap();
        let (server, _) = handshake(strict_server(&issued(&ca), &of_clients), client, "localhost").unwrap();
        let shown = server.peer_certificates().unwrap();
        assert_eq!(CertFacts::of(&parse(&shown[0]).unwrap()).unwrap().subject, "CN=alice");
        // A server that does not ask is no hindrance.
        let client = client_config_with(ca.cert_pem().as_bytes(), Some(&alice), versions).unwrap();
        assert!(handshake(server_of(&issued(&ca)), client, "localhost").is_ok());
    }
}

#[test]
fn a_later_connection_of_the_same_configuration_resumes() {
    let (ca, of_clients) = (authority(), authority());
    let alice = identity_of(&of_clients.issue_client("alice", DAY).unwrap());
    let server = strict_server(&issued(&ca), &of_clients);
    let client = client_config_with(ca.cert_pem().as_bytes(), Some(&alice), TlsVersions::default()).unwrap();
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let (server, _) = handshake(Arc::clone(&server), Arc::clone(&client), "localhost").unwrap();
        assert_eq!(server.handshake_kind(), Some(kind));
        assert!(server.peer_certificates().is_some());
    }
}

#[test]
fn a_server_that_asks_for_certificates_looks_at_them_each_time() {
    let (ca, of_clients) = (authority(), authority());
    let issued_alice = of_clients.issue_client("alice", DAY).unwrap();
    let alice = identity_of(&issued_alice);
    let leaf = issued(&ca);
    for versions in [TlsVersions::Only12, TlsVersions::Only13] {
        let trust =
            ClientTrust::new(ClientCertificates::Required, of_clients.cert_pem().as_bytes(), None).unwrap();
        let (chain, key) = (leaf.cert_pem.as_bytes(), leaf.key_pem.as_bytes());
        let server = server_config_for(chain, key, versions, Some(Arc::clone(&trust))).unwrap();
        let client = client_config_with(ca.cert_pem().as_bytes(), Some(&alice), versions).unwrap();
        for _ in 0..2 {
            let (server, _) = handshake(Arc::clone(&server), Arc::clone(&client), "localhost").unwrap();
            assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full));
            assert!(server.peer_certificates().is_some());
        }
        let list = of_clients.revoke(None, &[issued_alice.cert_pem.as_bytes()], DAY).unwrap();
        trust.replace(of_clients.cert_pem().as_bytes(), Some(list.as_bytes())).unwrap();
        assert_eq!(refusal(Arc::clone(&server), client, "localhost"), CertificateError::Revoked);
        let nobody = client_of(&ca, versions);
        assert_eq!(handshake(server, nobody, "localhost").err(), Some(Error::NoCertificatesPresented));
    }
}

#[test]
fn a_server_that_requests_certificates_takes_none_but_no_bad_one() {
    let (ca, of_clients) = (authority(), authority());
    let trust =
        ClientTrust::new(ClientCertificates::Requested, of_clients.cert_pem().as_bytes(), None).unwrap();
    let leaf = issued(&ca);
    let server =
        server_config_for(leaf.cert_pem.as_bytes(), leaf.key_pem.as_bytes(), TlsVersions::Both, Some(trust))
            .unwrap();
    assert!(handshake(Arc::clone(&server), client_of(&ca, TlsVersions::Both), "localhost").is_ok());
    let stranger = identity_of(&authority().issue_client("alice", DAY).unwrap());
    let client = client_config_with(ca.cert_pem().as_bytes(), Some(&stranger), TlsVersions::Both).unwrap();
    refusal(server, client, "localhost");
}

#[test]
fn a_strict_server_refuses_no_certificate_a_strangers_and_a_servers() {
    let (ca, of_clients) = (authority(), authority());
    let strict = || strict_server(&issued(&ca), &of_clients);
    let refused = handshake(strict(), client_of(&ca, TlsVersions::Both), "localhost").err();
    assert_eq!(refused, Some(Error::NoCertificatesPresented));
    let stranger = Authority::generate("other", DAY).unwrap().issue_client("alice", DAY).unwrap();
    for wrong in [stranger, issued(&of_clients)] {
        let client =
            client_config_with(ca.cert_pem().as_bytes(), Some(&identity_of(&wrong)), TlsVersions::Both);
        refusal(strict(), client.unwrap(), "localhost");
    }
}

#[test]
fn a_client_certificate_is_no_servers() {
    let ca = authority();
    let alice = ca.issue_client("alice", DAY).unwrap();
    refusal(server_of(&alice), client_of(&ca, TlsVersions::Both), "localhost");
}

#[test]
fn an_identity_may_be_one_text_and_has_a_key_in_clear_that_fits() {
    let ca = authority();
    let (one, two) = (ca.issue_client("a", DAY).unwrap(), ca.issue_client("b", DAY).unwrap());
    let both = format!("{}{}", *one.key_pem, one.cert_pem);
    assert!(TlsIdentity::from_pem(both.as_bytes(), both.as_bytes()).is_ok());
    let mixed = TlsIdentity::from_pem(one.cert_pem.as_bytes(), two.key_pem.as_bytes());
    assert!(matches!(mixed.err(), Some(PkiError::KeyMismatch)));
    for encrypted in [
        one.key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nQUJD\n\
         -----END EC PRIVATE KEY-----\n"
            .to_owned(),
    ] {
        let error = TlsIdentity::from_pem(one.cert_pem.as_bytes(), encrypted.as_bytes()).err();
        assert!(matches!(error, Some(PkiError::EncryptedKey)), "{error:?}");
    }
}

#[test]
fn a_client_without_the_hybrid_is_served_by_a_classical_group() {
    let ca = authority();
    for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1] {
        let mut roots = RootCertStore::empty();
        roots.add(pem::certificates(ca.cert_pem().as_bytes()).unwrap().remove(0)).unwrap();
        let only = CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() };
        let client = ClientConfig::builder_with_provider(Arc::new(only))
            .with_protocol_versions(TlsVersions::Both.supported())
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (server, _) = handshake(server_of(&issued(&ca)), Arc::new(client), "localhost").unwrap();
        assert_eq!(server.negotiated_key_exchange_group().unwrap().name(), group.name());
    }
}

#[test]
fn every_name_of_the_certificate_is_accepted_and_no_other() {
    let ca = authority();
    let (server, client) = (server_of(&issued(&ca)), client_config(ca.cert_pem().as_bytes()).unwrap());
    for name in ["localhost", "127.0.0.1", "::1", "b1.kafka.test"] {
        assert!(handshake(Arc::clone(&server), Arc::clone(&client), name).is_ok(), "{name}");
    }
    for name in ["example.com", "127.0.0.2", "::2", "kafka.test", "a.b.kafka.test"] {
        let why = refusal(Arc::clone(&server), Arc::clone(&client), name);
        assert!(matches!(why, CertificateError::NotValidForNameContext { .. }), "{name}: {why:?}");
    }
}

#[test]
fn a_server_of_another_authority_is_refused() {
    let client = client_config(Authority::generate("other", DAY).unwrap().cert_pem().as_bytes()).unwrap();
    let why = refusal(server_of(&issued(&authority())), client, "localhost");
    assert_eq!(why, CertificateError::UnknownIssuer);
}

#[test]
fn another_authority_of_the_same_name_is_refused() {
    let client = client_config(authority().cert_pem().as_bytes()).unwrap();
    let why = refusal(server_of(&issued(&authority())), client, "localhost");
    assert!(matches!(why, CertificateError::BadSignature | CertificateError::UnknownIssuer), "{why:?}");
}

#[test]
fn a_reloaded_authority_issues_for_the_same_clients() {
    let ca = authority();
    let again = Authority::from_pem(ca.cert_pem(), ca.key_pem()).unwrap();
    let client = client_config(ca.cert_pem().as_bytes()).unwrap();
    assert!(handshake(server_of(&issued(&again)), client, "localhost").is_ok());
}

#[test]
fn a_server_certificate_can_not_issue_others() {
    let ca = authority();
    let leaf = issued(&ca);
    let refused = Authority::from_pem(&leaf.cert_pem, &leaf.key_pem).err().unwrap();
    assert!(matches!(&refused, PkiError::NotAnAuthority(subject) if subject == "CN=localhost"), "{refused}");
}

#[test]
fn a_key_of_another_pair_is_named() {
    let (one, two) = (authority(), authority());
    let mixed = Authority::from_pem(one.cert_pem(), two.key_pem());
    assert!(matches!(mixed.err(), Some(PkiError::KeyMismatch)));
    let (leaf, other) = (issued(&one), issued(&one));
    let mixed = server_config(leaf.cert_pem.as_bytes(), other.key_pem.as_bytes());
    assert!(matches!(mixed.err(), Some(PkiError::KeyMismatch)));
}

#[test]
fn a_missing_part_is_named() {
    let leaf = issued(&authority());
    let (certificate, key) = (leaf.cert_pem.as_bytes(), leaf.key_pem.as_bytes());
    assert!(matches!(server_config(b"", key).err(), Some(PkiError::NoCertificate)));
    assert!(matches!(server_config(key, key).err(), Some(PkiError::NoCertificate)), "files swapped");
    assert!(matches!(server_config(certificate, b"").err(), Some(PkiError::NoPrivateKey)));
    assert!(matches!(server_config(certificate, certificate).err(), Some(PkiError::NoPrivateKey)));
    assert!(matches!(client_config(b"").err(), Some(PkiError::NoCertificate)));
    assert!(matches!(certificate_facts(b"text").err(), Some(PkiError::NoCertificate)));
}

#[test]
fn broken_text_is_named_and_no_part_of_a_key_quoted() {
    let leaf = issued(&authority());
    let cut = &leaf.key_pem[..leaf.key_pem.len() - 30];
    let error = server_config(leaf.cert_pem.as_bytes(), cut.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the PEM text is broken: a block has no END line");

    let secret = leaf.key_pem.lines().nth(1).unwrap();
    let damaged = leaf.key_pem.replace(secret, &format!("?{secret}"));
    let error = server_config(leaf.cert_pem.as_bytes(), damaged.as_bytes()).unwrap_err().to_string();
    assert!(!error.contains(&secret[..8]), "{error}");

    let nonsense = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
    assert!(matches!(client_config(nonsense.as_bytes()).err(), Some(PkiError::Certificate(_))));
    let nonsense = "-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n";
    let refused = server_config(leaf.cert_pem.as_bytes(), nonsense.as_bytes()).unwrap_err();
    assert!(matches!(refused, PkiError::PrivateKey(_)), "{refused:?}");
}

#[test]
fn a_certificate_whose_time_is_not_now_is_refused_on_either_side() {
    let ca = authority();
    let leaf = issued(&ca);
    let serve_at = |now| {
        let (chain, key) = (leaf.cert_pem.as_bytes(), leaf.key_pem.as_bytes());
        server_config_at(chain, key, TlsVersions::Both, None, now).map(|_| ())
    };
    let trust_at = |now| client_config_at(ca.cert_pem().as_bytes(), None, TlsVersions::Both, now).map(|_| ());
    let now = OffsetDateTime::now_utc();
    assert!(serve_at(now).is_ok() && trust_at(now).is_ok());
    // backdated, for a peer whose clock is behind
    assert!(serve_at(now - Duration::minutes(50)).is_ok());
    assert!(
        matches!(serve_at(now + DAY * 2), Err(PkiError::Expired { subject, .. }) if subject == "CN=localhost")
    );
    assert!(matches!(serve_at(now - DAY), Err(PkiError::NotYetValid { .. })));
    assert!(matches!(trust_at(now + DAY * 31), Err(PkiError::Expired { .. })));
}

#[test]
fn an_expired_or_unreadable_authority_among_good_ones_does_no_harm() {
    let (short, long) = (Authority::generate("short", DAY).unwrap(), authority());
    let unreadable = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
    let bundle = format!("{}{unreadable}{}", short.cert_pem(), long.cert_pem());
    let later = OffsetDateTime::now_utc() + DAY * 2;
    assert!(client_config_at(bundle.as_bytes(), None, TlsVersions::Both, later).is_ok());
}
