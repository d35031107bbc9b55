//! Passwords that are sent, and sessions that have to be renewed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, House, PASSWORD, message};
use schloss_audit::EventKind;
use schloss_gate::GateConfig;
use schloss_identity::{Mechanism, SaslMechanism};
use schloss_wire::messages::HeartbeatRequest;
use schloss_wire::{Response, build};

/// Longer than a client has to wait until it may authenticate again.
const LIFETIME: Duration = Duration::from_millis(2500);

fn offering_plain(config: &mut GateConfig) {
    config.listeners[0].mechanisms.push(SaslMechanism::Plain);
}

fn with_short_sessions(config: &mut GateConfig) {
    offering_plain(config);
    config.listeners[0].max_reauth = Some(LIFETIME);
}

/// A client of short sessions who may authenticate again now.
async fn renewable(house: &House) -> Client {
    let mut client = house.connect().await;
    let answer = client.login_plainly("alice", PASSWORD).await;
    assert_eq!(answer.session_lifetime_ms, i64::try_from(LIFETIME.as_millis()).unwrap());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    client.ping().await;
    client
}

async fn heartbeat(client: &mut Client) -> i16 {
    match client.call(4, build!(HeartbeatRequest { group_id: "g".into() })).await {
        Response::Heartbeat(answer) => answer.error_code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn plain_lets_in_by_the_password_of_scram_and_tells_nothing_of_failures() {
    let house = House::open_with(offering_plain).await;
    let mut client = house.connect().await;
    let answer = client.login_plainly("alice", PASSWORD).await;
    assert_eq!((answer.error_code, answer.session_lifetime_ms), (0, 0));
    client.ping().await;
    let event = house.event("the log-in", |event| event.kind() == Some(EventKind::Authentication)).await;
    assert_eq!(event.data.authentication_info.unwrap().metadata.mechanism.as_deref(), Some("PLAIN"));
    let mut told = Vec::new();
    for (user, password) in [("alice", "wrong"), ("nobody", PASSWORD), ("alice", ""), ("a\nb", "x")] {
        let mut client = house.connect().await;
        let answer = client.login_plainly(user, password).await;
        told.push((answer.error_code, answer.error_message.unwrap().to_string(), answer.auth_bytes));
        client.is_closed().await;
    }
    let text =
        "Authentication failed during authentication due to invalid credentials with SASL mechanism PLAIN";
    assert_eq!(told[0], (58, text.to_owned(), Default::default()));
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    for words in ["wrong password", "unknown user", "the password is empty", "control character"] {
        house.event(words, |event| message(event).contains(words)).await;
    }
    assert!(!house.records.text().contains(PASSWORD));
}

#[tokio::test]
async fn plain_has_to_be_offered() {
    let house = House::open().await;
    let answer = house.connect().await.handshake(1, "PLAIN").await.unwrap();
    assert_eq!(answer.error_code, 33);
    assert!(answer.mechanisms.iter().all(|name| &**name != "PLAIN"));
}

#[tokio::test]
async fn a_session_that_is_renewed_goes_on_and_one_that_is_not_ends_at_its_next_request() {
    let house = House::open_with(with_short_sessions).await;
    let mut renewed = renewable(&house).await;
    let mut forgotten = house.connect().await;
    forgotten.login_plainly("alice", PASSWORD).await;
    let answer = renewed.login_plainly("alice", PASSWORD).await;
    assert_eq!((answer.error_code, answer.session_lifetime_ms), (0, 2500));
    tokio::time::sleep(LIFETIME - Duration::from_millis(400)).await;
    assert_eq!(heartbeat(&mut renewed).await, 30);
    tokio::time::sleep(Duration::from_millis(500)).await;
    forgotten.send(4, build!(HeartbeatRequest { group_id: "g".into() })).await;
    forgotten.is_closed().await;
    house.complaint("the session has ended, and its client has not authenticated again").await;
    // Who comes late may still renew it.
    let answer = renewed.login_plainly("alice", PASSWORD).await;
    assert_eq!(answer.error_code, 0);
    assert_eq!(heartbeat(&mut renewed).await, 30);
    let logins =
        house.events().await.iter().filter(|event| event.kind() == Some(EventKind::Authentication)).count();
    assert_eq!(logins, 4, "each is on record");
}

#[tokio::test]
async fn scram_renews_a_session_too() {
    let house = House::open_with(with_short_sessions).await;
    let mut client = house.login("alice").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    client.login(Mechanism::ScramSha256, "alice", PASSWORD).await.unwrap();
    assert_eq!(heartbeat(&mut client).await, 30);
}

#[tokio::test]
async fn nobody_becomes_somebody_else_or_comes_by_another_mechanism() {
    let house = House::open_with(with_short_sessions).await;
    let mut client = renewable(&house).await;
    let answer = client.login_plainly("admin", PASSWORD).await;
    assert_eq!(answer.error_code, 58);
    client.is_closed().await;
    house.event("the attempt", |event| message(event).contains("authenticated again as somebody else")).await;

    let mut client = renewable(&house).await;
    let answer = client.handshake(1, "SCRAM-SHA-256").await.unwrap();
    assert_eq!(answer.error_code, 33);
    client.is_closed().await;
}

#[tokio::test]
async fn a_wrong_password_ends_an_open_session_and_nothing_is_served_in_between() {
    let house = House::open_with(with_short_sessions).await;
    let mut client = renewable(&house).await;
    assert_eq!(client.login_plainly("alice", "wrong").await.error_code, 58);
    client.is_closed().await;

    let mut client = renewable(&house).await;
    assert_eq!(client.handshake(1, "PLAIN").await.unwrap().error_code, 0);
    assert_eq!(heartbeat(&mut client).await, 34);
    client.is_closed().await;
    house.complaint("Heartbeat v4 came in the middle of a SASL exchange").await;
}

#[tokio::test]
async fn a_handshake_is_out_of_place_where_sessions_do_not_end_or_too_soon() {
    let house = House::open().await;
    let mut client = house.login("alice").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(client.handshake(1, "SCRAM-SHA-256").await.unwrap().error_code, 34);
    client.ping().await;
    let house = House::open_with(with_short_sessions).await;
    let mut client = house.login("alice").await;
    assert_eq!(client.handshake(1, "SCRAM-SHA-256").await.unwrap().error_code, 34);
    client.ping().await;
}
