//! Delegation tokens and their key: what is kept of them, and what is not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod common;

use std::sync::Arc;

use common::{home, open};
use schloss_identity::{CredentialStore as _, Mechanism, TokenHmac};
use schloss_metadata::{ChangeError, Metadata, Record, State, Token, TokenDigest, new_token_id};
use schloss_wire::{ErrorCode, Principal};

const NOW: i64 = 1_800_000_000_000;

/// A new token of `owner` that lasts until `expiry_ms`; its id and HMAC.
async fn add(
    metadata: &Arc<Metadata>,
    owner: &str,
    expiry_ms: i64,
) -> Result<(String, TokenHmac), ChangeError> {
    let id = new_token_id();
    let hmac = metadata.token_key().await.unwrap().hmac(&id);
    let token = Token {
        owner: Principal::user(owner),
        requester: Principal::user("maker"),
        renewers: vec![Principal::user("renewer")],
        groups: [Principal::group("g")].into(),
        issued_ms: NOW,
        expiry_ms,
        max_ms: NOW + 10_000,
        digest: TokenDigest::from(&hmac),
        credentials: vec![common::credential(Mechanism::ScramSha256, 4096)],
    };
    metadata.add_token(&id, token).await?;
    Ok((id, hmac))
}

fn code<T>(result: Result<T, ChangeError>) -> ErrorCode {
    match result {
        Err(ChangeError::Refused(refusal)) => refusal.code,
        Err(other) => panic!("{other}"),
        Ok(_) => ErrorCode::None,
    }
}

#[tokio::test]
async fn tokens_are_lasting_and_their_hmacs_are_nowhere() {
    let directory = home();
    let metadata = open(directory.path());
    assert!(metadata.snapshot().token_key().is_none(), "made with the first token");
    let (id, hmac) = add(&metadata, "alice", NOW + 1000).await.unwrap();
    let (gone, gone_hmac) = add(&metadata, "alice", NOW + 1000).await.unwrap();
    let alice = Principal::user("alice");
    metadata.expire_token(&gone_hmac, &alice, -1, NOW).await.unwrap();
    let before = metadata.snapshot();
    drop(metadata);

    let bytes = std::fs::read(directory.path().join("journal")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(&id) && !text.contains(hmac.password().expose()));
    let again = open(directory.path());
    let after = again.snapshot();
    assert_eq!(after.token(&id), before.token(&id));
    assert!(after.token(&gone).is_none());
    let (found, token) = after.token_by_digest(&TokenDigest::from(&hmac)).unwrap();
    assert_eq!((&**found, &token.owner), (&*id, &alice));
    assert!(after.token_by_digest(&TokenDigest::from(&gone_hmac)).is_none());
    // The same HMAC comes of the same key.
    assert_eq!(after.token_key().unwrap().hmac(&id).expose(), hmac.expose());
    let login = after.delegation_token(&id, Mechanism::ScramSha256).unwrap();
    assert_eq!((login.owner, login.groups.len()), (alice, 1));
    assert!(after.delegation_token(&id, Mechanism::ScramSha512).is_none());
    assert!(after.scram(&id, Mechanism::ScramSha256).is_none(), "a token is no user");
    // And so a rewritten ledger leads there too.
    let records: Vec<Record> = after.records().collect();
    let rewritten = State::new(records, Vec::new()).unwrap().snapshot();
    assert_eq!(rewritten.token(&id), before.token(&id));
    assert_eq!(rewritten.token_key().unwrap().as_bytes(), before.token_key().unwrap().as_bytes());
}

#[tokio::test]
async fn the_key_is_made_once() {
    let directory = home();
    let metadata = open(directory.path());
    let (one, other) = tokio::join!(metadata.token_key(), metadata.token_key());
    assert_eq!(one.unwrap().as_bytes(), other.unwrap().as_bytes());
    assert!(!format!("{:?}", metadata.snapshot().records().collect::<Vec<_>>()).contains("Zeroizing"));
}

#[tokio::test]
async fn errors_are_kafkas_in_its_order() {
    let directory = home();
    let metadata = open(directory.path());
    let (_, hmac) = add(&metadata, "alice", NOW + 1000).await.unwrap();
    let (alice, maker) = (Principal::user("alice"), Principal::user("maker"));
    let renewer = Principal::user("renewer");
    let none = TokenHmac::new(b"none");
    assert_eq!(code(metadata.renew_token(&none, &alice, 1, NOW).await), ErrorCode::DelegationTokenNotFound);
    assert_eq!(code(metadata.expire_token(&none, &alice, 1, NOW).await), ErrorCode::DelegationTokenNotFound);
    let mismatch = ErrorCode::DelegationTokenOwnerMismatch;
    assert_eq!(code(metadata.renew_token(&hmac, &maker, 1, NOW).await), mismatch);
    assert_eq!(code(metadata.expire_token(&hmac, &maker, -1, NOW).await), mismatch);
    assert_eq!(metadata.renew_token(&hmac, &renewer, 5000, NOW).await.unwrap(), NOW + 5000);
    assert_eq!(metadata.renew_token(&hmac, &alice, i64::MAX, NOW).await.unwrap(), NOW + 10_000);
    assert_eq!(metadata.expire_token(&hmac, &alice, 2000, NOW).await.unwrap(), NOW + 2000);
    let over = NOW + 2000;
    let expired = ErrorCode::DelegationTokenExpired;
    assert_eq!(code(metadata.renew_token(&hmac, &alice, 1, over).await), expired);
    assert_eq!(code(metadata.renew_token(&hmac, &maker, 1, over).await), expired);
    assert_eq!(code(metadata.expire_token(&hmac, &alice, 1, over).await), expired);
    assert_eq!(code(metadata.expire_token(&hmac, &maker, 1, over).await), mismatch);
    assert_eq!(code(metadata.expire_token(&hmac, &alice, -1, over).await), ErrorCode::None);
}

#[tokio::test]
async fn sessions_have_to_look_when_a_token_ends_and_not_when_one_is_made() {
    let directory = home();
    let metadata = open(directory.path());
    let generation = || metadata.snapshot().identity_generation();
    let alice = Principal::user("alice");
    let begun = generation();
    let (_, hmac) = add(&metadata, "alice", NOW + 1000).await.unwrap();
    let (_, other) = add(&metadata, "alice", NOW + 1000).await.unwrap();
    assert_eq!(generation(), begun);
    metadata.renew_token(&hmac, &alice, 2000, NOW).await.unwrap();
    assert_eq!(generation(), begun + 1);
    metadata.expire_token(&other, &alice, -1, NOW).await.unwrap();
    assert_eq!(generation(), begun + 2);
    assert_eq!(metadata.sweep_tokens(NOW + 1999).await.unwrap(), 0);
    assert_eq!(generation(), begun + 2);
    assert_eq!(metadata.sweep_tokens(NOW + 2000).await.unwrap(), 1);
    assert_eq!((generation(), metadata.snapshot().tokens().len()), (begun + 3, 0));
}

#[tokio::test]
async fn there_is_a_bound_for_each_owner() {
    let directory = home();
    let metadata = open(directory.path());
    let key = metadata.token_key().await.unwrap();
    let records = |count: usize, expiry_ms: i64| -> Vec<Record> {
        let token = |_| {
            let id = new_token_id();
            let token = Token {
                owner: Principal::user("alice"),
                requester: Principal::user("alice"),
                renewers: Vec::new(),
                groups: Default::default(),
                issued_ms: NOW,
                expiry_ms,
                max_ms: NOW + 10_000,
                digest: TokenDigest::from(&key.hmac(&id)),
                credentials: Vec::new(),
            };
            Record::Token { id, token }
        };
        (0..count).map(token).collect()
    };
    let make = async |records: Vec<Record>| {
        metadata.change(|_| Ok::<_, schloss_metadata::MetadataError>((records.clone(), ()))).await.unwrap();
    };
    make(records(schloss_metadata::MAX_TOKENS_PER_OWNER - 1, NOW + 1000)).await;
    make(records(10, NOW)).await;
    add(&metadata, "alice", NOW + 1000).await.unwrap();
    assert_eq!(code(add(&metadata, "alice", NOW + 1000).await), ErrorCode::PolicyViolation);
    add(&metadata, "bob", NOW + 1000).await.unwrap();
}

#[tokio::test]
async fn a_record_of_what_can_be_no_token_is_refused() {
    let directory = home();
    let metadata = open(directory.path());
    let (id, _) = add(&metadata, "alice", NOW).await.unwrap();
    let token = Token::clone(metadata.snapshot().token(&id).unwrap());
    let state = |record: Record| {
        let base = metadata.snapshot().records().collect::<Vec<_>>();
        State::new(base.into_iter().chain([record]), Vec::new())
    };
    for wrong in ["", "a b", "a\n", &"x".repeat(65)] {
        assert!(state(Record::Token { id: wrong.to_owned(), token: token.clone() }).is_err(), "{wrong:?}");
    }
    let of_group = Token { owner: Principal::group("ops"), ..token.clone() };
    assert!(state(Record::Token { id: "id".to_owned(), token: of_group }).is_err());
    assert!(state(Record::Token { id: "id".to_owned(), token }).is_ok());
    let key = serde_json::from_str::<Record>(r#"{"token_key":"AAAA"}"#).unwrap_err().to_string();
    assert!(!key.contains("AAAA"), "{key}");
}
