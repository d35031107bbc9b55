//! Client quotas: what may be set, what survives.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod common;

use common::open;
use schloss_metadata::{MAX_QUOTA_NAME_BYTES, QuotaChange, QuotaEntity, QuotaKey, QuotaName};
use schloss_wire::ErrorCode;

fn named(name: &str) -> QuotaName {
    QuotaName::Named(name.to_owned())
}

fn user(name: &str) -> QuotaEntity {
    QuotaEntity::User(named(name))
}

fn set(entity: QuotaEntity, key: QuotaKey, value: f64) -> QuotaChange {
    QuotaChange { entity, changes: [(key, Some(value))].into() }
}

#[tokio::test]
async fn quotas_are_set_replaced_taken_away_and_survive() {
    let home = common::home();
    let metadata = open(home.path());
    let untouched = metadata.snapshot().client_quotas().clone();
    let both = QuotaEntity::UserClient { user: named("alice"), client_id: QuotaName::Default };
    let changes = vec![
        set(user("alice"), QuotaKey::ProducerByteRate, 1000.0),
        set(user("alice"), QuotaKey::RequestPercentage, 12.5),
        set(user("alice"), QuotaKey::ProducerByteRate, 2000.0),
        set(both.clone(), QuotaKey::ControllerMutationRate, 0.5),
        set(QuotaEntity::Ip(named("::1")), QuotaKey::ConnectionCreationRate, 3.0),
        set(user("bob"), QuotaKey::ConsumerByteRate, 1.0),
    ];
    for outcome in metadata.alter_client_quotas(changes.clone(), true).await.unwrap() {
        outcome.unwrap();
    }
    assert!(std::sync::Arc::ptr_eq(&untouched, metadata.snapshot().client_quotas()), "only validated");
    for outcome in metadata.alter_client_quotas(changes, false).await.unwrap() {
        outcome.unwrap();
    }
    let away = |key| QuotaChange { entity: user("bob"), changes: [(key, None)].into() };
    let gone = vec![away(QuotaKey::ConsumerByteRate), away(QuotaKey::ProducerByteRate)];
    assert!(metadata.alter_client_quotas(gone, false).await.unwrap().iter().all(Result::is_ok));
    let before = metadata.snapshot();
    drop(metadata);
    let metadata = open(home.path());
    let after = metadata.snapshot();
    assert_eq!(before.client_quotas(), after.client_quotas());
    let quotas = after.client_quotas();
    assert_eq!(quotas.iter().len(), 3, "bob has none any more");
    let alice = quotas.get(&user("alice")).unwrap();
    assert_eq!(alice.get(&QuotaKey::ProducerByteRate), Some(&2000.0));
    assert_eq!(alice.get(&QuotaKey::RequestPercentage), Some(&12.5));
    assert_eq!(quotas.get(&both).unwrap().get(&QuotaKey::ControllerMutationRate), Some(&0.5));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_hinders_nothing_else() {
    let home = common::home();
    let metadata = open(home.path());
    let ip = |text: &str| QuotaEntity::Ip(named(text));
    let refused = [
        set(user("a"), QuotaKey::ProducerByteRate, 0.0),
        set(user("a"), QuotaKey::ProducerByteRate, -1.0),
        set(user("a"), QuotaKey::ProducerByteRate, 1.5),
        set(user("a"), QuotaKey::RequestPercentage, f64::NAN),
        set(user("a"), QuotaKey::RequestPercentage, f64::INFINITY),
        set(user("a"), QuotaKey::ConnectionCreationRate, 1.0),
        set(user(""), QuotaKey::ProducerByteRate, 1.0),
        set(user(&"x".repeat(MAX_QUOTA_NAME_BYTES + 1)), QuotaKey::ProducerByteRate, 1.0),
        set(ip("127.0.0.1"), QuotaKey::ProducerByteRate, 1.0),
        set(ip("localhost"), QuotaKey::ConnectionCreationRate, 1.0),
        set(ip("0::1"), QuotaKey::ConnectionCreationRate, 1.0),
        QuotaChange { entity: user("a"), changes: [(QuotaKey::ConnectionCreationRate, None)].into() },
    ];
    let mut changes = refused.to_vec();
    changes.push(set(QuotaEntity::Ip(QuotaName::Default), QuotaKey::ConnectionCreationRate, 1.0));
    let mut outcomes = metadata.alter_client_quotas(changes, false).await.unwrap();
    outcomes.pop().unwrap().unwrap();
    for (outcome, change) in outcomes.into_iter().zip(refused) {
        assert_eq!(outcome.unwrap_err().code, ErrorCode::InvalidRequest, "{change:?}");
    }
    assert_eq!(metadata.snapshot().client_quotas().iter().len(), 1);
}
