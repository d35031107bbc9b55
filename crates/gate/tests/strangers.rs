//! What somebody gets who has not proved who they are: nothing but the way to prove it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::client::{api_versions, produce, raw_frame};
use common::{Client, House, PASSWORD, message};
use schloss_audit::EventKind;
use schloss_identity::{Mechanism, OsNonce, Password, ScramClient};
use schloss_wire::messages::{ApiVersionsRequest, MetadataRequest, SaslAuthenticateRequest};
use schloss_wire::{Api, Request, Response, build};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Says something without TLS and waits for the end, which must bring no byte of an answer.
async fn speak_plainly(house: &House, bytes: &[u8]) {
    let mut tcp = TcpStream::connect(house.address).await.unwrap();
    tcp.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(common::PATIENCE, tcp.read_to_end(&mut answer)).await.expect("still open");
    assert!(read.is_err() || answer.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn a_plain_text_kafka_client_is_closed_and_named_in_the_audit_trail() {
    let house = House::open().await;
    speak_plainly(&house, &raw_frame(18, 3, 1, true, &[])).await;
    let event = house.complaint("plain-text Kafka client with client id 'test' tried to connect").await;
    assert!(event.data.client_address.unwrap().starts_with("127.0.0.1:"));
    assert!(message(&house.complaint("SASL_SSL").await).contains("ApiVersions"));
    house.still_serves().await;
}

#[tokio::test]
async fn an_http_client_is_closed_and_named() {
    let house = House::open().await;
    speak_plainly(&house, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    house.complaint("an HTTP client").await;
    house.still_serves().await;
}

#[tokio::test]
async fn garbage_instead_of_tls_is_closed_and_recorded() {
    let house = House::open().await;
    speak_plainly(&house, &[0xff; 300]).await;
    house.complaint("neither TLS nor Kafka").await;
    // The first byte of a handshake, then nothing that could be one.
    let mut tcp = TcpStream::connect(house.address).await.unwrap();
    tcp.write_all(&[0x16; 600]).await.unwrap();
    house.complaint("the TLS handshake failed").await;
    house.still_serves().await;
}

#[tokio::test]
async fn a_half_open_connection_is_closed_in_time() {
    let house = House::open_with(|config| config.handshake_timeout = Duration::from_millis(100)).await;
    let mut tcp = TcpStream::connect(house.address).await.unwrap();
    let read = timeout(common::PATIENCE, tcp.read(&mut [0])).await.expect("still open");
    assert!(matches!(read, Ok(0) | Err(_)));
    house.complaint("the TLS handshake was not complete within").await;
}

#[tokio::test]
async fn a_port_probe_leaves_no_record() {
    let house = House::open().await;
    drop(TcpStream::connect(house.address).await.unwrap());
    house.still_serves().await;
    let events = house.events().await;
    assert!(events.iter().all(|event| event.kind() != Some(EventKind::Connection)), "{events:#?}");
}

#[tokio::test]
async fn impossible_lengths_close_the_connection_at_once() {
    let house = House::open().await;
    for (prefix, words) in [
        (0x8000_0000_u32, "frame length -2147483648 is negative"),
        (0xffff_ffff, "frame length -1 is negative"),
        (0x7fff_ffff, "is over the limit of 524288 bytes"),
        (524_289, "frame of 524289 bytes is over the limit"),
    ] {
        let mut client = house.connect().await;
        client.send_bytes(&prefix.to_be_bytes()).await;
        client.is_closed().await;
        house.complaint(words).await;
    }
    house.still_serves().await;
}

#[tokio::test]
async fn garbage_inside_tls_closes_the_connection() {
    let house = House::open().await;
    for bytes in
        [&[0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 0], &[0, 0, 0, 10, 0, 18, 0, 3, 0, 0, 0, 1, 0x7f, 0xff]]
    {
        let mut client = house.connect().await;
        client.send_bytes(bytes).await;
        client.is_closed().await;
    }
    house.complaint("malformed request header").await;
    house.still_serves().await;
}

#[tokio::test]
async fn a_truncated_frame_closes_the_connection() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.send_bytes(&[0, 0, 0, 100, 0, 18]).await;
    client.stream.shutdown().await.unwrap();
    client.is_closed().await;
    house.complaint("ended in the middle of a request before authentication").await;
}

#[tokio::test]
async fn a_frame_that_never_ends_is_cut_off_in_time() {
    let house = House::open_with(|config| config.authentication_timeout = Duration::from_millis(200)).await;
    let mut client = house.connect().await;
    let begun = Instant::now();
    client.send_bytes(&[0, 0, 1, 0]).await;
    let dribble = async {
        loop {
            client.send_bytes(&[0]).await;
            let mut byte = [0];
            if timeout(Duration::from_millis(20), client.stream.read(&mut byte)).await.is_ok() {
                return;
            }
        }
    };
    timeout(common::PATIENCE, dribble).await.expect("a slow client may go on for ever");
    assert!(begun.elapsed() >= Duration::from_millis(150));
    house.complaint("no authentication within").await;
}

#[tokio::test]
async fn every_advertised_api_is_closed_before_authentication() {
    let house = House::open().await;
    let offered = house.connect().await.ping().await;
    assert!(offered.api_keys.len() > 20);
    for range in offered.api_keys {
        let api = Api::from_key(range.api_key).unwrap();
        if matches!(api, Api::ApiVersions | Api::SaslHandshake) {
            continue;
        }
        for version in range.min_version..=range.max_version {
            let mut client = house.connect().await;
            client.send_bytes(&raw_frame(api.key(), version, 1, api.is_flexible(version), &[0; 64])).await;
            client.is_closed().await;
        }
        house.complaint(&format!("{} v{} came before authentication", api.name(), range.max_version)).await;
    }
    assert_eq!(house.engine.calls(), [], "the engine heard of a stranger");
}

#[tokio::test]
async fn an_unknown_api_before_authentication_is_closed_and_recorded() {
    let house = House::open().await;
    for key in [-1, 4, 58, 999, i16::MAX] {
        let mut client = house.connect().await;
        client.send_bytes(&raw_frame(key, 0, 1, false, &[])).await;
        client.is_closed().await;
        house.complaint(&format!("a request with API key {key} v0 came before authentication")).await;
    }
}

#[tokio::test]
async fn a_huge_declared_array_before_authentication_is_refused() {
    let house = House::open().await;
    let mut client = house.connect().await;
    // ApiVersions v3 with a tagged section that says it holds 2^28 fields.
    client.send_bytes(&raw_frame(18, 3, 1, true, &[2, b'a', 2, b'1', 0xff, 0xff, 0xff, 0xff, 0x0f])).await;
    client.is_closed().await;
    house.complaint("malformed ApiVersions request").await;
}

#[tokio::test]
async fn api_versions_of_the_future_gets_version_0_and_the_connection_goes_on() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.send_bytes(&raw_frame(18, 99, 7, true, b"whatever this may be")).await;
    let (correlation_id, response) = client.answer(Api::ApiVersions, 0).await.unwrap();
    let Response::ApiVersions(response) = response else { panic!("{response:?}") };
    assert_eq!((correlation_id, response.error_code), (7, 35));
    assert_eq!(response.api_keys[0].max_version, 5);
    client.login(Mechanism::ScramSha512, "alice", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_client_that_only_asks_is_sent_away() {
    let house = House::open().await;
    let mut client = house.connect().await;
    for _ in 0..16 {
        client.ping().await;
    }
    assert!(client.try_call(3, api_versions()).await.is_none());
    house.complaint("16 requests without an authentication").await;
}

#[tokio::test]
async fn an_unknown_mechanism_gets_the_list_and_the_end() {
    let house = House::open().await;
    for mechanism in ["PLAIN", "GSSAPI", "", "scram-sha-256"] {
        let mut client = house.connect().await;
        let response = client.handshake(1, mechanism).await.unwrap();
        assert_eq!(response.error_code, 33);
        let offered: Vec<&str> = response.mechanisms.iter().map(|name| name.as_str()).collect();
        assert_eq!(offered, ["SCRAM-SHA-512", "SCRAM-SHA-256"]);
        client.is_closed().await;
    }
    house.event("the mechanism", |event| event.data.result.status == "UNSUPPORTED_SASL_MECHANISM").await;
}

#[tokio::test]
async fn tokens_before_a_mechanism_are_closed() {
    let house = House::open().await;
    let mut client = house.connect().await;
    assert!(client.token(b"n,,n=admin,r=abc".to_vec()).await.is_none());
    assert_eq!(house.engine.calls(), []);
}

#[tokio::test]
async fn another_request_in_the_middle_of_an_exchange_gets_34_and_the_end() {
    let house = House::open().await;
    let requests: [Request; 2] = [MetadataRequest::default().into(), api_versions().into()];
    for request in requests {
        let mut client = house.connect().await;
        client.handshake(1, "SCRAM-SHA-256").await.unwrap();
        let version = 3;
        let error = match client.try_call(version, request).await {
            Some(Response::ApiVersions(response)) => response.error_code,
            // Metadata v3 has no place for an error of the whole.
            Some(Response::Metadata(response)) => {
                assert!(response.topics.is_empty() && response.brokers.is_empty());
                34
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(error, 34);
        client.is_closed().await;
    }
    house.complaint("came in the middle of a SASL exchange").await;
    assert_eq!(house.engine.calls(), []);
}

#[tokio::test]
async fn a_finished_exchange_with_a_wrong_proof_is_no_authentication() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.handshake(1, "SCRAM-SHA-512").await.unwrap();
    let password = Password::new("not the password".to_owned());
    let mut scram = ScramClient::new(Mechanism::ScramSha512, "admin", password, &OsNonce);
    let first = client.token(scram.first()).await.unwrap();
    let last = scram.reply(&first.auth_bytes).unwrap();
    // The last message and a request right behind it, before the answer can be read.
    client.send(2, build!(SaslAuthenticateRequest { auth_bytes: last.into() })).await;
    client.send(3, MetadataRequest::default()).await;
    let (_, response) = client.answer(Api::SaslAuthenticate, 2).await.unwrap();
    assert!(matches!(response, Response::SaslAuthenticate(response) if response.error_code == 58));
    client.is_closed().await;
    assert_eq!(house.engine.calls(), []);
}

#[tokio::test]
async fn unknown_users_and_wrong_passwords_are_told_the_same() {
    let house = House::open().await;
    let mut told = Vec::new();
    for user in ["alice", "nobody"] {
        let mut client = house.connect().await;
        told.push(client.login(Mechanism::ScramSha256, user, "wrong").await.unwrap_err());
        client.is_closed().await;
    }
    assert_eq!(told[0], told[1]);
    let words = "Authentication failed during authentication due to invalid credentials with SASL mechanism";
    assert_eq!(told[0], (58, format!("{words} SCRAM-SHA-256")));
    for (user, reason) in [("User:alice", "wrong password"), ("User:nobody", "unknown user")] {
        let event = house.event(user, |event| event.principal() == Some(user)).await;
        assert_eq!(event.kind(), Some(EventKind::Authentication));
        assert_eq!(event.data.result.status, "SASL_AUTHENTICATION_FAILED");
        assert!(message(&event).contains(reason), "{event:#?}");
        let metadata = event.data.authentication_info.unwrap().metadata;
        assert_eq!(metadata.mechanism.as_deref(), Some("SCRAM-SHA-256"));
    }
}

#[tokio::test]
async fn a_login_leaves_a_record() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.login(Mechanism::ScramSha512, "alice", PASSWORD).await.unwrap();
    let event = house.event("the login", |event| event.principal() == Some("User:alice")).await;
    assert_eq!((event.kind(), event.allowed()), (Some(EventKind::Authentication), Some(true)));
    let metadata = event.data.authentication_info.unwrap().metadata;
    assert_eq!(metadata.mechanism.as_deref(), Some("SCRAM-SHA-512"));
    assert_eq!(metadata.listener.as_deref(), Some("CLIENTS"));
}

#[tokio::test]
async fn a_failed_login_is_held_back_and_then_closed() {
    let delay = Duration::from_millis(300);
    let house = House::open_with(|config| config.failed_authentication_delay = delay).await;
    let mut client = house.connect().await;
    let begun = Instant::now();
    client.login(Mechanism::ScramSha256, "alice", "wrong").await.unwrap_err();
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    client.is_closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_failed_logins_disturb_nobody() {
    let delay = Duration::from_millis(20);
    let house = House::open_with(|config| config.failed_authentication_delay = delay).await;
    let mut friend = house.login("admin").await;
    let address = house.address;
    let attackers: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..50 {
                    let mut client = Client::connect(address).await;
                    client.handshake(1, "SCRAM-SHA-256").await.unwrap();
                    client.token(b"n,,n=admin,r=0123456789".to_vec()).await.unwrap();
                    let begun = Instant::now();
                    let guess = b"c=biws,r=guess,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_vec();
                    assert_eq!(client.token(guess).await.unwrap().error_code, 58);
                    assert!(begun.elapsed() >= delay);
                }
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    while !attackers.iter().all(tokio::task::JoinHandle::is_finished) {
        let begun = Instant::now();
        friend.ping().await;
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for attacker in attackers {
        attacker.await.unwrap();
    }
    assert!(slowest < Duration::from_secs(2), "a friend waited {slowest:?}");
    let failures =
        |event: &&schloss_audit::CloudEvent| event.data.result.status == "SASL_AUTHENTICATION_FAILED";
    let waiting = async {
        while house.events().await.iter().filter(failures).count() < 1000 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(common::PATIENCE, waiting).await.expect("fewer than 1000 records");
}

#[tokio::test]
async fn nobody_gets_in_while_the_audit_trail_is_broken() {
    let house = House::open().await;
    house.records.set_broken(true);
    // The first failure to write is what makes it known.
    let mut client = house.connect().await;
    let _ = client.login(Mechanism::ScramSha256, "alice", "wrong").await;
    while house.audit.is_writable() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // There is no answer, which clients would take for final, whatever they bring.
    for password in [PASSWORD, "wrong"] {
        let mut client = house.connect().await;
        client.handshake(1, "SCRAM-SHA-256").await.unwrap();
        let password = Password::new(password.to_owned());
        let scram = ScramClient::new(Mechanism::ScramSha256, "alice", password, &OsNonce);
        assert!(client.token(scram.first()).await.is_none());
        let mut client = house.connect().await;
        client.handshake(0, "SCRAM-SHA-256").await.unwrap();
        client.send_bytes(&raw_token(&scram.first())).await;
        client.is_closed().await;
    }
    house.records.set_broken(false);
    let waiting = async {
        while !house.audit.is_writable() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(common::PATIENCE, waiting).await.expect("the audit trail did not come back");
    house.login("alice").await.ping().await;
}

#[tokio::test]
async fn raw_tokens_after_handshake_version_0_are_understood() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.handshake(0, "SCRAM-SHA-256").await.unwrap();
    let password = Password::new(PASSWORD.to_owned());
    let mut scram = ScramClient::new(Mechanism::ScramSha256, "alice", password, &OsNonce);
    client.send_bytes(&raw_token(&scram.first())).await;
    let first = client.receive().await.unwrap();
    client.send_bytes(&raw_token(&scram.reply(&first).unwrap())).await;
    scram.finish(&client.receive().await.unwrap()).unwrap();
    client.ping().await;
}

#[tokio::test]
async fn a_wrong_raw_token_is_answered_by_the_end() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.handshake(0, "SCRAM-SHA-256").await.unwrap();
    client.send_bytes(&raw_token(b"nonsense")).await;
    client.is_closed().await;
    house.event("the failure", |event| event.data.result.status == "SASL_AUTHENTICATION_FAILED").await;
}

#[tokio::test]
async fn requests_sent_behind_the_last_token_are_served_once_it_is_accepted() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.handshake(1, "SCRAM-SHA-256").await.unwrap();
    let password = Password::new(PASSWORD.to_owned());
    let mut scram = ScramClient::new(Mechanism::ScramSha256, "admin", password, &OsNonce);
    let first = client.token(scram.first()).await.unwrap();
    let last = scram.reply(&first.auth_bytes).unwrap();
    client.send(2, build!(SaslAuthenticateRequest { auth_bytes: last.into() })).await;
    client.send(3, api_versions()).await;
    client.send(9, produce(1, &["orders"])).await;
    assert!(client.answer(Api::SaslAuthenticate, 2).await.is_some());
    assert!(client.answer(Api::ApiVersions, 3).await.is_some());
    assert!(client.answer(Api::Produce, 9).await.is_some());
}

#[tokio::test]
async fn a_software_name_with_strange_letters_is_invalid() {
    let house = House::open().await;
    let mut client = house.connect().await;
    let request = build!(ApiVersionsRequest {
        client_software_name: "<script>".into(),
        client_software_version: "1".into()
    });
    let Response::ApiVersions(response) = client.call(3, request).await else { panic!() };
    assert_eq!((response.error_code, response.api_keys.len()), (42, 0));
}

fn raw_token(token: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(token.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(token);
    frame
}

#[tokio::test]
async fn every_bound_port_is_behind_the_gate() {
    let house = House::open_with(|config| {
        let mut second = config.listeners[0].clone();
        second.name = "SECOND".to_owned();
        config.listeners.push(second);
    })
    .await;
    let addresses = house.gate.addresses().to_vec();
    assert_eq!(addresses.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["CLIENTS", "SECOND"]);
    for (name, address) in addresses {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(&raw_frame(3, 4, 1, false, &[0; 5])).await.unwrap();
        let read = timeout(common::PATIENCE, tcp.read(&mut [0])).await.expect("still open");
        assert!(matches!(read, Ok(0) | Err(_)));
        let mut client = Client::connect(address).await;
        assert!(client.try_call(4, MetadataRequest::default()).await.is_none());
        for words in ["plain-text Kafka client", "Metadata v4 came before authentication"] {
            let event = house
                .event(words, |event| {
                    let info = event.data.authentication_info.as_ref();
                    let listener = info.and_then(|info| info.metadata.listener.as_deref());
                    listener == Some(name.as_str()) && message(event).contains(words)
                })
                .await;
            assert_eq!(event.kind(), Some(EventKind::Connection));
        }
    }
    assert_eq!(house.engine.calls(), []);
}
