//! Who is not welcome any more, and what becomes of their connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{Client, House, PASSWORD, message};
use schloss_identity::{Mechanism, SaslMechanism};
use schloss_metadata::security::SecurityChange;
use schloss_metadata::{Account, ChangeError, QuotaChange, QuotaEntity, QuotaKey, QuotaName};
use schloss_policy::{Operation, ResourceType, Subject};
use schloss_wire::Principal;

async fn change(house: &House, change: SecurityChange) -> Result<usize, ChangeError> {
    let admin = Subject {
        principal: Principal::user("admin"),
        groups: Default::default(),
        host: "127.0.0.1".parse().unwrap(),
    };
    house.metadata.alter_security(change, &admin).await.map(|steps| steps.len())
}

async fn set(house: &House, account: Account) {
    change(house, SecurityChange::SetAccount { name: "alice".to_owned(), account: Some(account) })
        .await
        .unwrap();
}

/// That idle connections end sooner than by the clock that a connection looks at anyway.
async fn ends_at_once(clients: impl IntoIterator<Item = Client>) {
    let begun = Instant::now();
    for mut client in clients {
        client.is_closed().await;
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_disabled_account_loses_its_connections_and_gets_no_other_until_it_is_enabled() {
    let house = House::open().await;
    let (alice, mut admin) =
        ([house.login("alice").await, house.login("alice").await], house.login("admin").await);
    set(&house, Account { disabled: true, ..Account::default() }).await;
    ends_at_once(alice).await;
    house.complaint("the account is disabled").await;
    admin.ping().await;
    let told = house.connect().await.login(Mechanism::ScramSha256, "alice", PASSWORD).await.unwrap_err();
    let wrong = house.connect().await.login(Mechanism::ScramSha256, "alice", "wrong").await.unwrap_err();
    assert_eq!(told, wrong, "whoever knows the password is told no more");
    house.event("the attempt", |event| message(event) == "the account is disabled").await;
    set(&house, Account::default()).await;
    house.login("alice").await.ping().await;
}

#[tokio::test]
async fn an_account_ends_in_time() {
    let house = House::open_with(|config| config.write_timeout = Duration::from_millis(400)).await;
    let mut alice = house.login("alice").await;
    let end = time::OffsetDateTime::now_utc() + Duration::from_secs(1);
    set(&house, Account { expires: Some(end), ..Account::default() }).await;
    alice.ping().await;
    alice.is_closed().await;
    assert!(time::OffsetDateTime::now_utc() >= end);
    house.complaint("the account has expired").await;
    house.connect().await.login(Mechanism::ScramSha256, "alice", PASSWORD).await.unwrap_err();
}

#[tokio::test]
async fn who_has_no_credential_any_more_has_no_connection_either() {
    let house = House::open_with(|config| config.listeners[0].mechanisms.push(SaslMechanism::Plain)).await;
    let by_256 = house.login("alice").await;
    let mut by_512 = house.connect().await;
    by_512.login(Mechanism::ScramSha512, "alice", PASSWORD).await.unwrap();
    let mut plainly = house.connect().await;
    assert_eq!(plainly.login_plainly("alice", PASSWORD).await.error_code, 0);
    house.metadata.remove_scram("alice", Mechanism::ScramSha256).await.unwrap();
    ends_at_once([by_256]).await;
    by_512.ping().await;
    plainly.ping().await;
    // A new password is no reason to go.
    house.add_user("admin").await;
    by_512.ping().await;
    house.metadata.remove_scram("alice", Mechanism::ScramSha512).await.unwrap();
    ends_at_once([by_512, plainly]).await;
    house.complaint("the credential that the client logged in with was removed").await;
}

#[tokio::test]
async fn offboarding_takes_everything_in_one_change_and_a_dry_run_nothing() {
    let house = House::open().await;
    house.allow("alice", Operation::Read, ResourceType::Topic, "orders").await;
    house.allow("bob", Operation::Read, ResourceType::Topic, "orders").await;
    let members = [Principal::user("alice"), Principal::user("bob")].into();
    change(&house, SecurityChange::AddToGroup { group: "ops".to_owned(), members }).await.unwrap();
    let mut alice = house.login("alice").await;
    let offboard = |user: &str, dry_run| SecurityChange::Offboard { user: user.to_owned(), dry_run };
    let quota = |entity| QuotaChange { entity, changes: [(QuotaKey::ProducerByteRate, Some(1000.0))].into() };
    let [named, default] = [QuotaName::Named("alice".to_owned()), QuotaName::Default];
    let quotas = vec![
        quota(QuotaEntity::User(named.clone())),
        quota(QuotaEntity::UserClient { user: named.clone(), client_id: default.clone() }),
        quota(QuotaEntity::User(default)),
        quota(QuotaEntity::ClientId(named)),
    ];
    house.metadata.alter_client_quotas(quotas, false).await.unwrap();
    let before = house.metadata.snapshot().version();
    // Two credentials, the account, the group, the ACL, and the two quotas that are hers.
    assert_eq!(change(&house, offboard("alice", true)).await.unwrap(), 7);
    assert_eq!(house.metadata.snapshot().version(), before);
    alice.ping().await;
    assert_eq!(change(&house, offboard("alice", false)).await.unwrap(), 7);
    ends_at_once([alice]).await;
    let snapshot = house.metadata.snapshot();
    assert_eq!(snapshot.version(), before + 1);
    assert!(snapshot.user("alice").is_none() && snapshot.user("admin").is_some());
    assert!(snapshot.accounts()["alice"].disabled);
    assert!(snapshot.acls().iter().all(|acl| acl.principal == "User:bob"));
    assert_eq!(snapshot.acls().groups()["ops"].len(), 1);
    assert_eq!(snapshot.client_quotas().iter().len(), 2);
    assert_eq!(change(&house, offboard("alice", false)).await.unwrap(), 0, "done already");
    let refused = change(&house, offboard("admin", false)).await.unwrap_err();
    assert!(refused.to_string().contains("who asks for it"), "{refused}");
}

#[tokio::test]
async fn an_api_key_logs_in_as_its_account_for_as_long_as_it_is_one() {
    let house = House::open_with(|config| config.listeners[0].mechanisms.push(SaslMechanism::Plain)).await;
    let key = "alice:key:one";
    house.add_user(key).await;
    house.login(key).await.ping().await;
    house.event("the name as it is", |event| event.principal() == Some("User:alice:key:one")).await;
    set(&house, Account { keys: [key.to_owned()].into(), ..Account::default() }).await;
    let by_scram = house.login(key).await;
    let mut plainly = house.connect().await;
    assert_eq!(plainly.login_plainly(key, PASSWORD).await.error_code, 0);
    house
        .event("the key", |event| {
            event.principal() == Some("User:alice") && message(event) == "by the API key alice:key:one"
        })
        .await;
    let mut alice = house.login("alice").await;
    set(&house, Account::default()).await;
    ends_at_once([by_scram, plainly]).await;
    alice.ping().await;
    for wrong in ["bob:key:one", "alice", "alice:key:a\nb"] {
        let account = Account { keys: [wrong.to_owned()].into(), ..Account::default() };
        let wish = SecurityChange::SetAccount { name: "alice".to_owned(), account: Some(account) };
        assert!(change(&house, wish).await.is_err(), "{wrong}");
    }
}
