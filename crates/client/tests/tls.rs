//! Both sides prove themselves, or each failure says what to check.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod fake;

use std::sync::Arc;
use std::time::Duration;

use fake::{Fake, after_versions, versions};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use schloss_client::{
    ClientConfig, ClientError, Cluster, Connection, ErrorClass, Security, Tls, TlsIdentity, TlsProblem,
    TlsVersions, Trust,
};
use schloss_pki::{Authority, Issued};
use schloss_wire::messages::{MetadataRequest, MetadataResponse};
use tokio::net::TcpListener;

const DAY: time::Duration = time::Duration::DAY;

fn authority() -> Authority {
    Authority::generate("Test CA", DAY).unwrap()
}

fn identity(issued: &Issued) -> TlsIdentity {
    TlsIdentity::from_pem(issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap()
}

fn security(ca: &Authority, identity: Option<&TlsIdentity>, versions: TlsVersions) -> Security {
    Security::Tls(Tls::new(&Trust::from_pem(ca.cert_pem(), "test-ca.pem"), identity, versions).unwrap())
}

/// A server's TLS; with `clients`, only for those who have a certificate of that CA.
fn server(
    issued: &Issued,
    clients: Option<&Authority>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(clients.cert_pem().as_bytes()).unwrap()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = CertificateDer::pem_slice_iter(issued.cert_pem.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

fn for_loopback(ca: &Authority) -> Issued {
    ca.issue_server(&["127.0.0.1".to_owned()], DAY).unwrap()
}

fn script() -> fake::Script {
    after_versions(|_| fake::Act::Answer(MetadataResponse::default().into()))
}

async fn connect(server: &Fake, security: Security) -> Result<Connection, ClientError> {
    Connection::connect(&ClientConfig::new(vec![server.address.clone()], security), &server.address).await
}

fn problem(error: ClientError) -> TlsProblem {
    match error {
        ClientError::Tls { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_client_with_a_certificate_is_served_by_a_listener_that_requires_one() {
    let (ca, of_clients) = (authority(), authority());
    let gateway = identity(&of_clients.issue_client("gateway", DAY).unwrap());
    for version in [&version::TLS12, &version::TLS13] {
        let tls = server(&for_loopback(&ca), Some(&of_clients), &[version]);
        let server = Fake::tls(tls, script).await;
        let security = security(&ca, Some(&gateway), TlsVersions::Both);
        // The second one resumes.
        for _ in 0..2 {
            let mut connection = connect(&server, security.clone()).await.unwrap();
            connection.call(&MetadataRequest::default()).await.unwrap();
        }
    }
}

/// With TLS 1.3 the refusal comes when the client has already written, and may come with a reset: again and again.
#[tokio::test]
async fn a_client_certificate_that_is_missing_or_of_a_stranger_is_said_to_be_so() {
    let (ca, of_clients) = (authority(), authority());
    let strangers = [authority(), Authority::generate("Another CA", DAY).unwrap()]
        .map(|other| identity(&other.issue_client("gateway", DAY).unwrap()));
    for version in [&version::TLS12, &version::TLS13] {
        let server = Fake::tls(server(&for_loopback(&ca), Some(&of_clients), &[version]), script).await;
        for _ in 0..20 {
            let error = connect(&server, security(&ca, None, TlsVersions::Both)).await.err().unwrap();
            assert_eq!(error.class(), ErrorClass::Connect);
            assert!(!error.is_retriable());
            let text = error.to_string();
            assert_eq!(problem(error), TlsProblem::ClientCertificateRequired);
            assert!(text.contains("set ssl.keystore.location") && text.contains(&server.address), "{text}");

            for stranger in &strangers {
                let refused = connect(&server, security(&ca, Some(stranger), TlsVersions::Both)).await;
                let problem = problem(refused.err().unwrap());
                assert!(matches!(problem, TlsProblem::ClientCertificateRefused(_)), "{problem}");
                assert!(problem.to_string().contains("the broker's ssl.truststore"), "{problem}");
            }
        }
    }
}

#[tokio::test]
async fn a_listener_that_closes_without_a_word_hints_at_the_client_certificate() {
    let ca = authority();
    let tls = server(&for_loopback(&ca), None, &[&version::TLS13]);
    let server = Fake::tls(tls, || Box::new(|_| fake::Act::Close)).await;
    let text = connect(&server, security(&ca, None, TlsVersions::Both)).await.err().unwrap().to_string();
    assert!(text.contains("requires a client certificate"), "{text}");
}

#[tokio::test]
async fn a_servers_certificate_that_has_expired_is_said_to_be_so() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_after = time::OffsetDateTime::now_utc() - DAY;
    let ca = authority();
    let ca_key = rcgen::KeyPair::from_pem(ca.key_pem()).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(ca.cert_pem(), ca_key).unwrap();
    let cert_pem = params.signed_by(&key, &issuer).unwrap().pem();
    let expired = Issued { cert_pem, key_pem: key.serialize_pem().into() };
    let server = Fake::tls(server(&expired, None, &[&version::TLS13]), script).await;
    let error = connect(&server, security(&ca, None, TlsVersions::Both)).await.err().unwrap();
    assert!(error.to_string().contains("renew the server's certificate"), "{error}");
    assert!(matches!(problem(error), TlsProblem::Validity(_)));
}

#[tokio::test]
async fn no_version_in_common_is_said_with_the_setting() {
    let ca = authority();
    for (theirs, ours) in [(&version::TLS12, TlsVersions::Only13), (&version::TLS13, TlsVersions::Only12)] {
        let server = Fake::tls(server(&for_loopback(&ca), None, &[theirs]), script).await;
        let error = connect(&server, security(&ca, None, ours)).await.err().unwrap();
        assert!(error.to_string().contains("ssl.enabled.protocols"), "{error}");
        assert!(matches!(problem(error), TlsProblem::NothingInCommon(_)));
    }
}

#[tokio::test]
async fn a_listener_that_is_silent_at_the_handshake_is_named_with_the_stage() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let security = security(&authority(), None, TlsVersions::Both);
    let mut config = ClientConfig::new(vec![address.clone()], security);
    config.connect_timeout = Duration::from_millis(50);
    let error = Connection::connect(&config, &address).await.err().unwrap();
    assert!(matches!(error, ClientError::Timeout { .. }) && error.is_retriable(), "{error}");
    assert!(
        error.to_string().contains("negotiating TLS (a listener without TLS may never answer)"),
        "{error}"
    );
}

#[tokio::test]
async fn among_several_addresses_the_error_that_lasts_is_told() {
    let ca = authority();
    let server = Fake::tls(server(&for_loopback(&ca), None, &[&version::TLS13]), script).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let stranger = security(&authority(), None, TlsVersions::Both);
    for bootstrap in [[&closed, &server.address], [&server.address, &closed]] {
        let bootstrap = bootstrap.into_iter().cloned().collect();
        let error = Cluster::connect(ClientConfig::new(bootstrap, stranger.clone())).await.err().unwrap();
        assert!(matches!(problem(error), TlsProblem::UnknownCa { .. }));
    }
}

#[tokio::test]
async fn what_the_client_serves_over_tls_can_be_taken_over_raw() {
    use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
    let ca = authority();
    let tls = server(&for_loopback(&ca), None, &[&version::TLS13]);
    let server = Fake::tls(tls, || Box::new(|_| fake::Act::Answer(versions(|_| Some(3))))).await;
    let connection = connect(&server, security(&ca, None, TlsVersions::Both)).await.unwrap();
    let mut raw = connection.into_raw().unwrap();
    assert!(raw.unread.is_empty() && raw.expires.is_none());
    assert!(raw.stream.is_tls() && raw.stream.is_write_vectored());
    // ApiVersions, version 0, correlation id 77, no client id; in two slices.
    let slices = [
        std::io::IoSlice::new(&[0, 0, 0, 10, 0, 18, 0, 0, 0]),
        std::io::IoSlice::new(&[0, 0, 77, 0xff, 0xff]),
    ];
    assert_eq!(raw.stream.write_vectored(&slices).await.unwrap(), 14);
    raw.stream.flush().await.unwrap();
    let mut head = [0; 8];
    raw.stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[4..], [0, 0, 0, 77]);
    raw.stream.shutdown().await.unwrap();
}
