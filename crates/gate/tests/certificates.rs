//! Clients that certificates vouch for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Client, House, PASSWORD, TLS, message};
use schloss_audit::EventKind;
use schloss_gate::{GateConfig, TrustedClients};
use schloss_identity::{CertificateIdentity, Mechanism, NameSource};
use schloss_pki::{
    Authority, ClientCertificates, ClientNames, ClientTrust, Issued, TlsIdentity, TlsVersions,
};
use schloss_wire::messages::HeartbeatRequest;
use schloss_wire::{Response, build};

const HOUR: time::Duration = time::Duration::HOUR;

struct Clients {
    authority: Authority,
    trust: Arc<ClientTrust>,
}

impl Clients {
    fn new(expected: ClientCertificates) -> Self {
        let authority = Authority::generate("clients", HOUR).unwrap();
        let trust = ClientTrust::new(expected, authority.cert_pem().as_bytes(), None).unwrap();
        Self { authority, trust }
    }

    /// A gate that asks for certificates; `alone` if nothing else is asked for.
    async fn house(&self, identity: CertificateIdentity, alone: bool) -> House {
        let change = |config: &mut GateConfig| {
            let listener = &mut config.listeners[0];
            listener.tls = schloss_pki::server_config_for(
                TLS.issued.cert_pem.as_bytes(),
                TLS.issued.key_pem.as_bytes(),
                TlsVersions::Both,
                Some(Arc::clone(&self.trust)),
            )
            .unwrap();
            if alone {
                listener.mechanisms.clear();
            }
            listener.clients =
                Some(TrustedClients { trust: Arc::clone(&self.trust), identity: Arc::new(identity) });
            config.write_timeout = Duration::from_millis(400);
        };
        House::open_with(change).await
    }

    fn issue(&self, name: &str, valid: time::Duration) -> Issued {
        let uris = vec![format!("spiffe://example/{name}")];
        let names = ClientNames { common_name: name.to_owned(), uris, ..ClientNames::default() };
        self.authority.issue_client_as(&names, valid).unwrap()
    }

    fn revoke(&self, issued: &Issued) {
        let list = self.authority.revoke(None, &[issued.cert_pem.as_bytes()], HOUR).unwrap();
        self.trust.replace(self.authority.cert_pem().as_bytes(), Some(list.as_bytes())).unwrap();
    }
}

async fn connect(house: &House, issued: &Issued) -> Client {
    let identity = TlsIdentity::from_pem(issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap();
    let ca = TLS.authority.cert_pem().as_bytes();
    let tls = schloss_pki::client_config_with(ca, Some(&identity), TlsVersions::Both).unwrap();
    Client::connect_by(&tls, house.address).await.unwrap()
}

async fn principal_seen(house: &House) -> String {
    let logged_in = |event: &schloss_audit::CloudEvent| event.kind() == Some(EventKind::Authentication);
    let event = house.event("the log-in", logged_in).await;
    assert!(message(&event).starts_with("by the certificate "), "{event:?}");
    assert!(message(&event).ends_with(" of 'CN=alice'"), "{event:?}");
    let who = event.data.authentication_info.unwrap();
    assert_eq!(who.metadata.mechanism.as_deref(), Some("TLS"));
    who.principal.unwrap()
}

#[tokio::test]
async fn a_certificate_alone_makes_a_session_without_any_sasl() {
    let clients = Clients::new(ClientCertificates::Required);
    let house = clients.house(CertificateIdentity::default(), true).await;
    let mut client = connect(&house, &clients.issue("alice", HOUR)).await;
    client.ping().await;
    let Response::Heartbeat(answer) = client.call(4, build!(HeartbeatRequest { group_id: "g".into() })).await
    else {
        panic!()
    };
    assert_eq!(answer.error_code, 30, "policy knows nothing of her");
    assert_eq!(principal_seen(&house).await, "User:CN=alice");
    // SASL is out of place here, as on an SSL listener of Kafka.
    assert_eq!(client.handshake(1, "SCRAM-SHA-512").await.unwrap().error_code, 34);
}

#[tokio::test]
async fn the_principal_may_be_mapped_or_taken_from_an_alternative_name() {
    for (source, rules, principal) in [
        (NameSource::Subject, "RULE:^CN=(.*)$/$1/U", "User:ALICE"),
        (NameSource::Uri, "", "User:spiffe://example/alice"),
    ] {
        let clients = Clients::new(ClientCertificates::Required);
        let identity = CertificateIdentity { source, rules: rules.parse().unwrap() };
        let house = clients.house(identity, true).await;
        connect(&house, &clients.issue("alice", HOUR)).await.ping().await;
        assert_eq!(principal_seen(&house).await, principal);
    }
}

#[tokio::test]
async fn a_certificate_that_names_nobody_is_refused_and_recorded() {
    let clients = Clients::new(ClientCertificates::Required);
    let identity =
        CertificateIdentity { source: NameSource::Subject, rules: "RULE:^CN=bob$/bob/".parse().unwrap() };
    let house = clients.house(identity, true).await;
    connect(&house, &clients.issue("alice", HOUR)).await.is_closed().await;
    let event = house
        .event("the refusal", |event| message(event).contains("no principal mapping rule fits 'CN=alice'"))
        .await;
    assert_eq!(event.kind(), Some(EventKind::Authentication));
    assert!(house.engine.entrances().is_empty(), "nobody was let in");
}

#[tokio::test]
async fn no_certificate_a_strangers_and_a_revoked_one_get_nowhere() {
    let clients = Clients::new(ClientCertificates::Required);
    let house = clients.house(CertificateIdentity::default(), true).await;
    let mut nobody = Client::connect(house.address).await;
    nobody.is_closed().await;
    house.complaint("no certificates").await;
    let stranger = Clients::new(ClientCertificates::Required);
    connect(&house, &stranger.issue("alice", HOUR)).await.is_closed().await;
    house.complaint("invalid peer certificate: BadSignature").await;
    let alice = clients.issue("alice", HOUR);
    clients.revoke(&alice);
    connect(&house, &alice).await.is_closed().await;
    house.complaint("invalid peer certificate: Revoked").await;
    assert!(house.engine.entrances().is_empty());
}

#[tokio::test]
async fn a_session_ends_with_the_revocation_of_its_certificate_and_others_go_on() {
    let clients = Clients::new(ClientCertificates::Required);
    let house = clients.house(CertificateIdentity::default(), true).await;
    let (alice, bob) = (clients.issue("alice", HOUR), clients.issue("bob", HOUR));
    let (mut of_alice, mut of_bob) = (connect(&house, &alice).await, connect(&house, &bob).await);
    let mut idle = connect(&house, &alice).await;
    of_alice.ping().await;
    of_bob.ping().await;
    idle.ping().await;
    clients.revoke(&alice);
    of_alice.send(3, common::client::api_versions()).await;
    of_alice.is_closed().await;
    house.complaint("the client certificate is not good any more").await;
    // Also where nothing is asked for.
    idle.is_closed().await;
    of_bob.ping().await;
}

#[tokio::test]
async fn a_session_ends_with_its_certificate() {
    let clients = Clients::new(ClientCertificates::Required);
    let house = clients.house(CertificateIdentity::default(), true).await;
    let mut client = connect(&house, &clients.issue("alice", time::Duration::seconds(3))).await;
    client.ping().await;
    client.is_closed().await;
    house.complaint("the client certificate has expired").await;
}

#[tokio::test]
async fn with_sasl_the_certificate_is_a_second_proof_and_the_principal_is_that_of_sasl() {
    let clients = Clients::new(ClientCertificates::Required);
    let house = clients.house(CertificateIdentity::default(), false).await;
    let certificate = clients.issue("robot", HOUR);
    let mut client = connect(&house, &certificate).await;
    client.login(Mechanism::ScramSha512, "alice", PASSWORD).await.unwrap();
    let event = house.event("the log-in", |event| event.kind() == Some(EventKind::Authentication)).await;
    assert_eq!(event.data.authentication_info.unwrap().principal.as_deref(), Some("User:alice"));
    let mut unproved = connect(&house, &certificate).await;
    unproved.send(4, build!(HeartbeatRequest { group_id: "g".into() })).await;
    unproved.is_closed().await;
    clients.revoke(&certificate);
    client.is_closed().await;
}

#[tokio::test]
async fn who_may_come_without_a_certificate_logs_in_as_ever() {
    let clients = Clients::new(ClientCertificates::Requested);
    let house = clients.house(CertificateIdentity::default(), false).await;
    house.login("alice").await.ping().await;
}
