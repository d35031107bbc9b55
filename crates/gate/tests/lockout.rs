//! Who guesses waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{House, PASSWORD, message};
use schloss_gate::{GateConfig, LockoutConfig};
use schloss_identity::{Mechanism, SaslMechanism};

const LOCK: Duration = Duration::from_secs(5);

fn strict(config: &mut GateConfig) {
    config.listeners[0].mechanisms.push(SaslMechanism::Plain);
    config.lockout =
        LockoutConfig { principal_failures: 3, address_failures: 0, first: LOCK, longest: LOCK * 10 };
}

async fn login(house: &House, user: &str, password: &str) -> Result<(), (i16, String)> {
    house.connect().await.login(Mechanism::ScramSha512, user, password).await
}

#[tokio::test]
async fn the_right_password_is_of_no_use_while_its_user_is_locked_out_and_nobody_is_told() {
    let house = House::open_with(strict).await;
    let mut told = Vec::new();
    for user in ["alice", "nobody"] {
        for _ in 0..3 {
            told.push(login(&house, user, "wrong").await.unwrap_err());
        }
    }
    told.push(login(&house, "alice", PASSWORD).await.unwrap_err());
    told.push(login(&house, "nobody", PASSWORD).await.unwrap_err());
    assert!(told.iter().all(|one| *one == told[0] && one.0 == 58), "{told:?}");
    let plain = house.connect().await.login_plainly("alice", PASSWORD).await;
    assert_eq!(plain.error_code, 58);
    house
        .event("the lock", |event| {
            message(event).starts_with("wrong password; this user is locked out for 5.0 s")
        })
        .await;
    house.event("the attempt", |event| message(event).starts_with("this user is locked out for ")).await;
    login(&house, "admin", PASSWORD).await.unwrap();
    tokio::time::sleep(LOCK).await;
    login(&house, "alice", PASSWORD).await.unwrap();
    // A success forgets the failures.
    login(&house, "alice", "wrong").await.unwrap_err();
    login(&house, "alice", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn an_address_that_guesses_is_locked_out_for_all_users() {
    let house = House::open_with(|config| {
        strict(config);
        config.lockout = LockoutConfig { address_failures: 4, principal_failures: 0, ..config.lockout };
    })
    .await;
    for user in ["a", "b", "c", "d"] {
        login(&house, user, "wrong").await.unwrap_err();
    }
    assert_eq!(login(&house, "alice", PASSWORD).await.unwrap_err().0, 58);
    house.event("the lock", |event| message(event).starts_with("this address is locked out for")).await;
    tokio::time::sleep(LOCK).await;
    login(&house, "alice", PASSWORD).await.unwrap();
}
