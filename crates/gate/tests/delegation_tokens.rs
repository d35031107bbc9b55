//! Delegation tokens (KIP-48, KIP-373): made, used, renewed and ended; and what must not come of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{Client, House, PASSWORD, message};
use schloss_audit::EventKind;
use schloss_gate::GateConfig;
use schloss_identity::{Mechanism, Password, TokenHmac};
use schloss_metadata::now_ms;
use schloss_metadata::security::SecurityChange;
use schloss_policy::{Operation, ResourceType, Subject};
use schloss_wire::messages as m;
use schloss_wire::messages::create_delegation_token_request::CreatableRenewers;
use schloss_wire::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use schloss_wire::{Principal, Response, build};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// A wish for a token of `owner`, or of whoever asks.
fn wish(owner: Option<&str>) -> m::CreateDelegationTokenRequest {
    build!(m::CreateDelegationTokenRequest {
        owner_principal_type: owner.map(|_| "User".into()),
        owner_principal_name: owner.map(Into::into),
        max_lifetime_ms: -1,
    })
}

async fn ask(
    client: &mut Client,
    request: m::CreateDelegationTokenRequest,
) -> m::CreateDelegationTokenResponse {
    match client.call(3, request).await {
        Response::CreateDelegationToken(response) => response,
        other => panic!("{other:?}"),
    }
}

/// A token of whoever asks.
async fn own(client: &mut Client) -> m::CreateDelegationTokenResponse {
    let made = ask(client, wish(None)).await;
    assert_eq!(made.error_code, 0);
    made
}

async fn renew(client: &mut Client, hmac: &[u8], period_ms: i64) -> (i16, i64) {
    let request =
        build!(m::RenewDelegationTokenRequest { hmac: hmac.to_vec().into(), renew_period_ms: period_ms });
    match client.call(2, request).await {
        Response::RenewDelegationToken(response) => (response.error_code, response.expiry_timestamp_ms),
        other => panic!("{other:?}"),
    }
}

async fn expire(client: &mut Client, hmac: &[u8], period_ms: i64) -> (i16, i64) {
    let request = build!(m::ExpireDelegationTokenRequest {
        hmac: hmac.to_vec().into(),
        expiry_time_period_ms: period_ms,
    });
    match client.call(2, request).await {
        Response::ExpireDelegationToken(response) => (response.error_code, response.expiry_timestamp_ms),
        other => panic!("{other:?}"),
    }
}

/// The ids that are told, of these owners.
async fn describe(client: &mut Client, owners: Option<&[&str]>) -> Vec<String> {
    let owner = |name: &&str| {
        build!(DescribeDelegationTokenOwner { principal_type: "User".into(), principal_name: (*name).into() })
    };
    let owners = owners.map(|owners| owners.iter().map(owner).collect());
    match client.call(3, build!(m::DescribeDelegationTokenRequest { owners })).await {
        Response::DescribeDelegationToken(response) => {
            assert_eq!(response.error_code, 0);
            response.tokens.iter().map(|token| token.token_id.to_string()).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn password(hmac: &[u8]) -> Password {
    TokenHmac::new(hmac).password()
}

async fn login(house: &House, id: &str, hmac: &[u8]) -> Result<Client, (i16, String)> {
    let mut client = house.connect().await;
    client.login_with_token(Mechanism::ScramSha256, id, password(hmac)).await?;
    Ok(client)
}

async fn ends_at_once(mut client: Client) {
    let begun = Instant::now();
    client.is_closed().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_token_lets_its_owner_in_by_both_mechanisms_and_is_on_record_without_its_hmac() {
    let house = House::open().await;
    let mut alice = house.login("alice").await;
    let before = now_ms();
    let made = own(&mut alice).await;
    assert_eq!((&*made.principal_type, &*made.principal_name), ("User", "alice"));
    assert_eq!(&*made.token_requester_principal_name, "alice");
    assert_eq!((made.hmac.len(), made.token_id.len()), (64, 22));
    assert!((before..=now_ms()).contains(&made.issue_timestamp_ms));
    assert_eq!(made.expiry_timestamp_ms - made.issue_timestamp_ms, DAY_MS);
    assert_eq!(made.max_timestamp_ms - made.issue_timestamp_ms, 7 * DAY_MS);
    for mechanism in Mechanism::ALL {
        let mut client = house.connect().await;
        let lasts = client.login_with_token(mechanism, &made.token_id, password(&made.hmac)).await.unwrap();
        assert!((DAY_MS - 60_000..=DAY_MS).contains(&lasts), "{lasts}: as long as the token");
        client.ping().await;
    }
    let id = made.token_id.to_string();
    let words = format!("by the delegation token {id}");
    let event = house.event("the log-in", |event| message(event) == words).await;
    assert_eq!((event.kind(), event.principal()), (Some(EventKind::Authentication), Some("User:alice")));
    let event =
        house.event("the making", |event| event.data.method_name == "kafka.CreateDelegationToken").await;
    assert_eq!(event.data.resource_name, Some(format!("delegationtoken={id}")));
    let text = house.records.text();
    assert!(!text.contains(password(&made.hmac).expose()));
}

#[tokio::test]
async fn who_has_logged_in_with_a_token_can_have_no_other_and_is_told_of_none() {
    let house = House::open().await;
    let made = own(&mut house.login("alice").await).await;
    let mut client = login(&house, &made.token_id, &made.hmac).await.unwrap();
    let refused = ask(&mut client, wish(None)).await;
    assert_eq!((refused.error_code, refused.hmac.len()), (64, 0));
    assert_eq!((&*refused.principal_name, &*refused.token_requester_principal_name), ("alice", "alice"));
    assert_eq!(renew(&mut client, &made.hmac, -1).await, (64, -1));
    assert_eq!(expire(&mut client, &made.hmac, -1).await, (64, -1));
    match client.call(3, build!(m::DescribeDelegationTokenRequest { owners: None })).await {
        Response::DescribeDelegationToken(told) => {
            assert_eq!((told.error_code, told.tokens.len()), (64, 0));
        }
        other => panic!("{other:?}"),
    }
    house.event("the attempt", |event| message(event).contains("logged in with a delegation token")).await;
    assert_eq!(house.metadata.snapshot().tokens().len(), 1);
    client.ping().await;
}

#[tokio::test]
async fn tokens_for_others_need_create_tokens_on_them_and_act_with_their_rights_alone() {
    let house = House::open().await;
    let mut alice = house.login("alice").await;
    let refused = ask(&mut alice, wish(Some("bob"))).await;
    assert_eq!((refused.error_code, &*refused.principal_name), (65, "bob"));
    house
        .event("the denial", |event| event.data.result.status == "DELEGATION_TOKEN_AUTHORIZATION_FAILED")
        .await;
    house.allow("alice", Operation::CreateTokens, ResourceType::User, "User:bob").await;
    let made = ask(&mut alice, wish(Some("bob"))).await;
    assert_eq!(made.error_code, 0);
    assert_eq!((&*made.principal_name, &*made.token_requester_principal_name), ("bob", "alice"));
    let mut bob = login(&house, &made.token_id, &made.hmac).await.unwrap();
    bob.ping().await;
    let words = format!("by the delegation token {}", made.token_id);
    let event = house.event("the log-in", |event| message(event) == words).await;
    assert_eq!(event.principal(), Some("User:bob"), "no user of that name is needed");
    // Whoever has made it can see it, and can't change it.
    assert_eq!(describe(&mut alice, None).await, [made.token_id.to_string()]);
    assert_eq!(renew(&mut alice, &made.hmac, -1).await, (63, 0));
    assert_eq!(expire(&mut alice, &made.hmac, -1).await, (63, 0));
    bob.ping().await;
}

#[tokio::test]
async fn only_users_own_and_renew_tokens() {
    let house = House::open().await;
    let mut admin = house.login("admin").await;
    let mut of_group = wish(Some("ops"));
    of_group.owner_principal_type = Some("Group".into());
    assert_eq!(ask(&mut admin, of_group).await.error_code, 67);
    let mut renewed_by_group = wish(None);
    let renewer = build!(CreatableRenewers { principal_type: "Group".into(), principal_name: "ops".into() });
    renewed_by_group.renewers.push(renewer);
    assert_eq!(ask(&mut admin, renewed_by_group).await.error_code, 67);
    assert_eq!(house.metadata.snapshot().tokens().len(), 0);
}

#[tokio::test]
async fn owners_and_renewers_renew_as_far_as_the_token_can_last() {
    let house = House::open().await;
    house.add_user("bob").await;
    house.add_user("carol").await;
    let mut request = wish(None);
    request.max_lifetime_ms = 2 * DAY_MS;
    request
        .renewers
        .push(build!(CreatableRenewers { principal_type: "User".into(), principal_name: "bob".into() }));
    let mut alice = house.login("alice").await;
    let made = ask(&mut alice, request).await;
    assert_eq!(made.max_timestamp_ms - made.issue_timestamp_ms, 2 * DAY_MS);
    let (mut bob, mut carol) = (house.login("bob").await, house.login("carol").await);
    for period in [30 * DAY_MS, 0, -1] {
        let (code, end) = renew(&mut bob, &made.hmac, period).await;
        assert!(
            code == 0 && (end - now_ms() - DAY_MS).abs() < 60_000,
            "a day at most, and unless told: {end}"
        );
    }
    let (code, end) = expire(&mut alice, &made.hmac, 30 * DAY_MS).await;
    assert_eq!((code, end), (0, made.max_timestamp_ms), "as in Kafka, this goes further");
    let (code, end) = expire(&mut bob, &made.hmac, 60_000).await;
    assert!(code == 0 && (end - now_ms() - 60_000).abs() < 30_000, "{end}");
    // Nobody else, nor with another HMAC.
    assert_eq!(renew(&mut carol, &made.hmac, -1).await, (63, 0));
    assert_eq!(renew(&mut alice, b"none", -1).await, (62, 0));
    assert_eq!(expire(&mut alice, &[], -1).await, (62, 0));
    // Seen by owner, renewer, and whoever may; and the filter is by any of them.
    let id = [made.token_id.to_string()];
    assert_eq!(describe(&mut alice, None).await, id);
    assert_eq!(describe(&mut bob, None).await, id);
    assert_eq!(describe(&mut bob, Some(&["alice"])).await, id);
    assert_eq!(describe(&mut alice, Some(&["bob"])).await, id);
    assert!(describe(&mut alice, Some(&[])).await.is_empty());
    assert!(describe(&mut alice, Some(&["carol"])).await.is_empty());
    assert!(describe(&mut carol, None).await.is_empty());
    house.allow("carol", Operation::DescribeTokens, ResourceType::User, "User:alice").await;
    assert_eq!(describe(&mut carol, None).await, id);
}

#[tokio::test]
async fn a_token_that_is_ended_closes_its_sessions_and_no_others() {
    let house = House::open().await;
    let mut alice = house.login("alice").await;
    let (made, other) = (own(&mut alice).await, own(&mut alice).await);
    let session = login(&house, &made.token_id, &made.hmac).await.unwrap();
    let mut of_other = login(&house, &other.token_id, &other.hmac).await.unwrap();
    let (code, _) = expire(&mut alice, &made.hmac, -1).await;
    assert_eq!(code, 0);
    ends_at_once(session).await;
    house.complaint("the credential that the client logged in with was removed").await;
    of_other.ping().await;
    alice.ping().await;
    login(&house, &made.token_id, &made.hmac).await.err().unwrap();
    assert_eq!(renew(&mut alice, &made.hmac, -1).await, (62, 0));
    // One that is to end soon.
    let (code, _) = expire(&mut alice, &other.hmac, 700).await;
    assert_eq!(code, 0);
    of_other.ping().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    ends_at_once(of_other).await;
    house.complaint("the delegation token has expired").await;
    assert_eq!(renew(&mut alice, &other.hmac, -1).await, (66, 0));
    assert_eq!(expire(&mut alice, &other.hmac, 1000).await, (66, 0));
    let refused = login(&house, &other.token_id, &other.hmac).await.err().unwrap();
    assert_eq!(refused.0, 58);
    house.event("the attempt", |event| message(event).contains("it has expired")).await;
    assert_eq!(expire(&mut alice, &other.hmac, -1).await.0, 0, "it can be taken away all the same");
}

fn with_short_tokens(config: &mut GateConfig) {
    config.delegation_tokens.expiry_time = Duration::from_millis(1500);
    config.delegation_tokens.expiry_check_interval = Duration::from_millis(300);
}

#[tokio::test]
async fn tokens_that_are_over_are_swept_away_and_a_renewed_one_renews_its_session() {
    let house = House::open_with(with_short_tokens).await;
    let mut alice = house.login("alice").await;
    let (kept, lost) = (own(&mut alice).await, own(&mut alice).await);
    let mut session = login(&house, &kept.token_id, &kept.hmac).await.unwrap();
    let mut end = login(&house, &lost.token_id, &lost.hmac).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    // Further than a renewal would go: a minute, so that nothing here has to hurry.
    assert_eq!(expire(&mut alice, &kept.hmac, 60_000).await.0, 0);
    let token = password(&kept.hmac);
    let lasts = session.login_with_token(Mechanism::ScramSha256, &kept.token_id, token).await.unwrap();
    assert!((30_000..=60_000).contains(&lasts), "{lasts}");
    end.is_closed().await;
    assert!(now_ms() >= lost.expiry_timestamp_ms);
    let mut changes = house.metadata.changes();
    let swept = changes.wait_for(|snapshot| snapshot.token(&lost.token_id).is_none());
    tokio::time::timeout(common::PATIENCE, swept).await.expect("swept in time").unwrap();
    assert!(house.metadata.snapshot().token(&kept.token_id).is_some());
    session.ping().await;
    assert_eq!(session.call(4, build!(m::HeartbeatRequest { group_id: "g".into() })).await.api().key(), 12);
}

#[tokio::test]
async fn a_failed_log_in_tells_nothing_of_tokens_and_users() {
    let house = House::open().await;
    let made = own(&mut house.login("alice").await).await;
    let other = own(&mut house.login("admin").await).await;
    let mut told = Vec::new();
    for (id, hmac) in
        [(&*made.token_id, &*other.hmac), ("no-such-token", &*made.hmac), ("alice", PASSWORD.as_bytes())]
    {
        told.push(login(&house, id, hmac).await.err().unwrap());
    }
    // The HMAC is no password of a user, the password of the owner no HMAC, and a token's id no user.
    let mut client = house.connect().await;
    let hmac = password(&made.hmac);
    told.push(client.login(Mechanism::ScramSha256, "alice", hmac.expose()).await.unwrap_err());
    let mut client = house.connect().await;
    told.push(client.login(Mechanism::ScramSha256, &made.token_id, hmac.expose()).await.unwrap_err());
    let mut client = house.connect().await;
    let as_token = Password::new(PASSWORD.to_owned());
    let refused = client.login_with_token(Mechanism::ScramSha256, "alice", as_token).await;
    told.push(refused.unwrap_err());
    assert!(told.iter().all(|one| *one == told[0] && one.0 == 58), "{told:?}");
    for words in [
        format!("delegation token {}: wrong HMAC", made.token_id),
        "delegation token no-such-token: there is no such token".to_owned(),
        "wrong password".to_owned(),
        "unknown user".to_owned(),
    ] {
        house.event(&words, |event| message(event).contains(&words)).await;
    }
}

#[tokio::test]
async fn guesses_at_a_token_lock_out_the_token_and_not_a_user_of_its_name() {
    let house = House::open_with(|config| config.lockout.principal_failures = 2).await;
    for _ in 0..3 {
        login(&house, "alice", b"guess").await.err().unwrap();
    }
    house.event("the lock", |event| message(event).contains("locked out")).await;
    house.login("alice").await.ping().await;
}

#[tokio::test]
async fn who_leaves_takes_along_all_tokens_that_they_own_or_know() {
    let house = House::open().await;
    house.allow("alice", Operation::CreateTokens, ResourceType::User, "User:bob").await;
    let mut alice = house.login("alice").await;
    let mut admin = house.login("admin").await;
    let (own_token, made_for_bob) = (own(&mut alice).await, ask(&mut alice, wish(Some("bob"))).await);
    let mut renewed_by_alice = wish(None);
    let renewer = build!(CreatableRenewers { principal_type: "User".into(), principal_name: "alice".into() });
    renewed_by_alice.renewers.push(renewer);
    let renewable = ask(&mut admin, renewed_by_alice).await;
    let stays = own(&mut admin).await;
    let mut sessions = Vec::new();
    for token in [&own_token, &made_for_bob, &renewable] {
        sessions.push(login(&house, &token.token_id, &token.hmac).await.unwrap());
    }
    let mut other = login(&house, &stays.token_id, &stays.hmac).await.unwrap();
    let caller = Subject::new(Principal::user("admin"), [127, 0, 0, 1].into());
    let offboard = SecurityChange::Offboard { user: "alice".to_owned(), dry_run: false };
    let steps = house.metadata.alter_security(offboard, &caller).await.unwrap();
    assert_eq!(steps.iter().filter(|step| step.what == "token").count(), 3);
    for session in sessions {
        ends_at_once(session).await;
    }
    other.ping().await;
    assert_eq!(house.metadata.snapshot().tokens().len(), 1);
}

#[tokio::test]
async fn a_disabled_owner_is_not_let_in_by_a_token() {
    let house = House::open().await;
    let made = own(&mut house.login("alice").await).await;
    let session = login(&house, &made.token_id, &made.hmac).await.unwrap();
    let account = schloss_metadata::Account { disabled: true, ..Default::default() };
    let wish = SecurityChange::SetAccount { name: "alice".to_owned(), account: Some(account) };
    let caller = Subject::new(Principal::user("admin"), [127, 0, 0, 1].into());
    house.metadata.alter_security(wish, &caller).await.unwrap();
    ends_at_once(session).await;
    login(&house, &made.token_id, &made.hmac).await.err().unwrap();
}

#[tokio::test]
async fn where_tokens_are_off_there_are_none() {
    let house = House::open_with(|config| config.delegation_tokens.enabled = false).await;
    let mut alice = house.login("alice").await;
    assert_eq!(ask(&mut alice, wish(None)).await.error_code, 61);
    assert_eq!(renew(&mut alice, b"x", -1).await, (61, 0));
    assert_eq!(expire(&mut alice, b"x", -1).await, (61, 0));
    match alice.call(3, build!(m::DescribeDelegationTokenRequest { owners: None })).await {
        Response::DescribeDelegationToken(told) => assert_eq!(told.error_code, 61),
        other => panic!("{other:?}"),
    }
}
