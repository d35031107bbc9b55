//! How many there may be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, House};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Whether a new connection is closed before it said anything.
async fn is_refused(house: &House) -> bool {
    let mut tcp = TcpStream::connect(house.address).await.unwrap();
    let read = tokio::time::timeout(Duration::from_millis(300), tcp.read(&mut [0])).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

async fn eventually_serves(house: &House) {
    let waiting = async {
        while Client::try_connect(house.address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(common::PATIENCE, waiting).await.expect("a closed connection leaves no room");
}

#[tokio::test]
async fn connections_in_total_have_a_bound() {
    let house = House::open_with(|config| config.max_connections = 2).await;
    let mut first = house.login("admin").await;
    let second = house.connect().await;
    assert!(is_refused(&house).await);
    house.complaint("as many as max_connections allows").await;
    first.ping().await;
    drop(second);
    eventually_serves(&house).await;
}

#[tokio::test]
async fn connections_of_one_address_have_a_bound() {
    let house = House::open_with(|config| config.max_connections_per_address = 2).await;
    let first = house.connect().await;
    let _second = house.connect().await;
    assert!(is_refused(&house).await);
    house.complaint("as many as max_connections_per_address allows").await;
    // Another address of this machine is not disturbed.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(house.address).await.unwrap();
    let read = tokio::time::timeout(Duration::from_millis(100), other.read(&mut [0])).await;
    assert!(read.is_err(), "refused");
    drop(first);
    eventually_serves(&house).await;
}

#[tokio::test]
async fn a_flood_of_refused_connections_is_no_flood_of_records() {
    let house = House::open_with(|config| config.max_connections = 1).await;
    let _only = house.connect().await;
    for _ in 0..50 {
        assert!(is_refused(&house).await);
    }
    let events = house.events().await;
    assert!((1..=10).contains(&events.len()), "{} records", events.len());
}

#[tokio::test]
async fn a_stalled_handshake_holds_up_others_no_longer_than_its_timeout() {
    let house = House::open_with(|config| {
        config.max_concurrent_handshakes = 1;
        config.handshake_timeout = Duration::from_millis(500);
    })
    .await;
    let mut stalled = TcpStream::connect(house.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stalled, &[0x16, 3, 1, 2, 0]).await.unwrap();
    house.complaint("the TLS handshake was not complete within").await;
    house.still_serves().await;
}

#[tokio::test]
async fn stalled_handshakes_of_one_address_do_not_hold_up_another() {
    let house = House::open_with(|config| config.max_concurrent_handshakes = 4).await;
    let mut stalled = Vec::new();
    for _ in 0..4 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut tcp = socket.connect(house.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut tcp, &[0x16, 3, 1, 2, 0]).await.unwrap();
        stalled.push(tcp);
    }
    let served = tokio::time::timeout(Duration::from_secs(5), house.still_serves()).await;
    served.expect("held up until the handshakes timed out");
}

#[tokio::test]
async fn a_silent_connection_holds_no_handshake() {
    let house = House::open_with(|config| config.max_concurrent_handshakes = 1).await;
    let _silent = TcpStream::connect(house.address).await.unwrap();
    house.still_serves().await;
}

#[tokio::test]
async fn large_unauthenticated_frames_share_a_bound() {
    let house = House::open().await;
    let mut clients = Vec::new();
    // 16 MiB hold 32 frames of 512 KiB that were begun and not ended.
    for _ in 0..40 {
        let mut client = house.connect().await;
        client.send_bytes(&[0, 8, 0, 0, 0, 18]).await;
        clients.push(client);
    }
    house.complaint("while others hold too much before authentication").await;
    house.still_serves().await;
}

#[tokio::test]
async fn a_gate_without_a_port_or_with_impossible_settings_does_not_start() {
    use schloss_gate::GateError;
    let house = House::open().await;
    let start = |change: fn(&mut schloss_gate::GateConfig), bind: std::net::SocketAddr| {
        let listener = schloss_gate::ListenerConfig {
            name: "SECOND".to_owned(),
            bind,
            tls: std::sync::Arc::clone(&common::TLS.server),
            mechanisms: vec![schloss_identity::Mechanism::ScramSha512.into()],
            clients: None,
            tokens: None,
            max_reauth: None,
        };
        let mut config = schloss_gate::GateConfig::new(vec![listener]);
        change(&mut config);
        let engine = std::sync::Arc::clone(&house.engine);
        schloss_gate::Gate::start(config, engine, std::sync::Arc::clone(&house.metadata), house.audit.clone())
    };
    let free = "127.0.0.1:0".parse().unwrap();
    let Err(error @ GateError::Bind { .. }) = start(|_| {}, house.address) else {
        panic!("it was bound twice")
    };
    assert!(std::error::Error::source(&error).is_none(), "its words are in the text already: {error}");
    assert!(matches!(start(|config| config.max_in_flight = 0, free), Err(GateError::Zero("max_in_flight"))));
    assert!(matches!(
        start(|config| config.listeners[0].mechanisms.clear(), free),
        Err(GateError::NoMechanism(_))
    ));
    assert!(start(|_| {}, free).is_ok());
}
