//! What the changes do, in Kafka's terms.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod common;

use std::collections::BTreeMap;

use common::{acl, credential, open, topic};
use schloss_identity::{CredentialStore as _, Mechanism};
use schloss_metadata::{
    ChangeError, ConfigChange, ConfigResource, MAX_CONFIG_VALUE_BYTES, NewTopic, Record, Refusal,
    SaltKeyRecord, ScramChange, TopicRef,
};
use schloss_policy::{Acl, AclFilter, Operation, ResourceType, Subject};
use schloss_wire::{ErrorCode, Principal, Uuid};

fn code<T: std::fmt::Debug>(result: &Result<T, Refusal>) -> ErrorCode {
    result.as_ref().unwrap_err().code
}

#[tokio::test]
async fn topics_are_made_grown_and_deleted_with_kafkas_errors() {
    let home = common::home();
    let metadata = open(home.path());
    let none = NewTopic { partitions: 0, ..topic("none") };
    let many = NewTopic { partitions: 10_001, ..topic("many") };
    let wishes = vec![topic("a.b"), topic("a.b"), topic("a_b"), topic("a/b"), none, many, topic("ok")];
    let made = metadata.create_topics(wishes, false).await.unwrap();
    assert!(made[0].is_ok());
    assert_eq!(code(&made[1]), ErrorCode::TopicAlreadyExists);
    assert_eq!(code(&made[2]), ErrorCode::InvalidTopicException);
    assert_eq!(code(&made[3]), ErrorCode::InvalidTopicException);
    assert_eq!(code(&made[4]), ErrorCode::InvalidPartitions);
    assert_eq!(code(&made[5]), ErrorCode::PolicyViolation);
    assert!(made[6].is_ok());

    let only = metadata.create_topics(vec![topic("dry")], true).await.unwrap();
    assert!(only[0].is_ok() && metadata.snapshot().topic("dry").is_none());

    let wishes = vec![("ok".to_owned(), 3), ("ok".to_owned(), 2), ("no".to_owned(), 2), ("ok".to_owned(), 5)];
    let grown = metadata.create_partitions(wishes, false).await.unwrap();
    assert_eq!(code(&grown[0]), ErrorCode::InvalidPartitions);
    assert_eq!(code(&grown[1]), ErrorCode::InvalidPartitions);
    assert_eq!(code(&grown[2]), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(grown[3].as_ref().unwrap().partitions, 5);

    let old = made[6].clone().unwrap().id;
    let wishes = vec![
        TopicRef::Name("ok".to_owned()),
        TopicRef::Name("ok".to_owned()),
        TopicRef::Id(old),
        TopicRef::Id(Uuid::from_bytes([1; 16])),
    ];
    let deleted = metadata.delete_topics(wishes).await.unwrap();
    assert_eq!(deleted[0].as_ref().unwrap().id, old);
    assert_eq!(code(&deleted[1]), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code(&deleted[2]), ErrorCode::UnknownTopicId);
    assert_eq!(code(&deleted[3]), ErrorCode::UnknownTopicId);

    let again = metadata.create_topics(vec![topic("ok")], false).await.unwrap();
    assert_ne!(again[0].as_ref().unwrap().id, old, "an id is never used again");
    let by_id = vec![TopicRef::Id(again[0].as_ref().unwrap().id)];
    assert!(metadata.delete_topics(by_id).await.unwrap()[0].is_ok());
}

#[tokio::test]
async fn only_a_change_of_acls_moves_the_generation() {
    let home = common::home();
    let metadata = open(home.path());
    let generation = || metadata.snapshot().generation();
    let start = generation();
    metadata.create_topics(vec![topic("a")], false).await.unwrap();
    metadata.set_scram("alice", credential(Mechanism::ScramSha512, 4096)).await.unwrap();
    metadata.allocate_producer_id().await.unwrap();
    metadata.delete_acls(vec![AclFilter::default()]).await.unwrap();
    assert_eq!(generation(), start);

    assert_eq!(metadata.add_acls(vec![acl("alice", "a")]).await.unwrap(), [Ok(true)]);
    assert_eq!(generation(), start + 1);
    assert_eq!(metadata.add_acls(vec![acl("alice", "a")]).await.unwrap(), [Ok(false)]);
    assert_eq!(generation(), start + 1, "an ACL that exists already changes nothing");
    metadata.delete_acls(vec![AclFilter::default()]).await.unwrap();
    assert_eq!(generation(), start + 2);
}

#[tokio::test]
async fn acls_decide_from_the_moment_they_are_answered() {
    let home = common::home();
    let metadata = open(home.path());
    let subject = |user: &str| Subject::new(Principal::user(user), "192.0.2.1".parse().unwrap());
    let may_read = |user: &str| {
        let acls = metadata.snapshot().acls().clone();
        acls.decide(&subject(user), Operation::Read, ResourceType::Topic, "a").allowed
    };
    assert!(may_read("admin") && !may_read("alice"));
    let bad = Acl { host: "nowhere".to_owned(), ..acl("alice", "a") };
    let outcomes = metadata.add_acls(vec![bad, acl("alice", "a"), acl("alice", "a")]).await.unwrap();
    assert_eq!(code(&outcomes[0]), ErrorCode::InvalidRequest);
    assert_eq!(outcomes[1..], [Ok(true), Ok(false)]);
    assert!(may_read("alice") && !may_read("bob"));

    let of_alice = AclFilter { principal: Some("User:alice".to_owned()), ..AclFilter::default() };
    let deleted = metadata.delete_acls(vec![of_alice, AclFilter::default()]).await.unwrap();
    assert_eq!(deleted, [vec![acl("alice", "a")], vec![acl("alice", "a")]]);
    assert!(!may_read("alice"));
}

#[tokio::test]
async fn credentials_are_altered_with_kafkas_errors_and_a_user_as_a_whole() {
    let home = common::home();
    let metadata = open(home.path());
    let set = |user: &str, mechanism| ScramChange::Set {
        user: user.to_owned(),
        credential: credential(mechanism, 4096),
    };
    let remove = |user: &str, mechanism| ScramChange::Remove { user: user.to_owned(), mechanism };
    use Mechanism::{ScramSha256, ScramSha512};
    let outcomes = metadata
        .alter_scram(vec![
            set("both", ScramSha256),
            set("twice", ScramSha256),
            set("both", ScramSha512),
            remove("twice", ScramSha256),
            remove("nobody", ScramSha256),
            set("half", ScramSha256),
            remove("half", ScramSha512),
            set("", ScramSha256),
        ])
        .await
        .unwrap();
    let results: Vec<(&str, Option<ErrorCode>)> = outcomes
        .iter()
        .map(|outcome| (outcome.user.as_str(), outcome.result.as_ref().err().map(|refusal| refusal.code)))
        .collect();
    assert_eq!(
        results,
        [
            ("both", None),
            ("twice", Some(ErrorCode::DuplicateResource)),
            ("nobody", Some(ErrorCode::ResourceNotFound)),
            ("half", Some(ErrorCode::ResourceNotFound)),
            ("", Some(ErrorCode::UnacceptableCredential)),
        ]
    );
    let snapshot = metadata.snapshot();
    let users: Vec<&str> = snapshot.users().map(|(name, _)| &**name).collect();
    assert_eq!(users, ["both"]);
    let mechanisms: Vec<_> = snapshot.user("both").unwrap().mechanisms().collect();
    assert_eq!(mechanisms, [(ScramSha256, 4096), (ScramSha512, 4096)]);

    let refused = metadata.remove_scram("nobody", ScramSha256).await.unwrap_err();
    assert!(matches!(refused, ChangeError::Refused(refusal) if refusal.code == ErrorCode::ResourceNotFound));
    metadata.remove_scram("both", ScramSha256).await.unwrap();
    assert!(metadata.scram("both", ScramSha256).is_none() && metadata.scram("both", ScramSha512).is_some());
}

#[tokio::test]
async fn settings_are_kept_with_their_topic_and_bounded() {
    let home = common::home();
    let metadata = open(home.path());
    let made = NewTopic { configs: BTreeMap::from([("a".to_owned(), "1".to_owned())]), ..topic("t") };
    metadata.create_topics(vec![made], false).await.unwrap()[0].clone().unwrap();
    let change = |topic: &str, changes: &[(&str, Option<String>)]| ConfigChange {
        resource: ConfigResource::Topic(topic.to_owned()),
        changes: changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
    };
    let changes = vec![
        change("t", &[("a", None), ("b", Some("2".to_owned()))]),
        change("no", &[]),
        change("t", &[("c", Some("x".repeat(MAX_CONFIG_VALUE_BYTES + 1)))]),
    ];
    let dry = metadata.alter_configs(changes.clone(), true).await.unwrap();
    assert_eq!(metadata.snapshot().topic("t").unwrap().configs["a"], "1");
    let outcomes = metadata.alter_configs(changes, false).await.unwrap();
    assert_eq!(dry, outcomes);
    assert!(outcomes[0].is_ok());
    assert_eq!(code(&outcomes[1]), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code(&outcomes[2]), ErrorCode::InvalidConfig);
    let configs = metadata.snapshot().configs(&ConfigResource::Topic("t".to_owned())).cloned().unwrap();
    assert_eq!(configs, BTreeMap::from([("b".to_owned(), "2".to_owned())]));
}

#[tokio::test]
async fn a_watcher_is_told_of_topics_that_come_and_go() {
    let home = common::home();
    let metadata = open(home.path());
    let mut changes = metadata.changes();
    metadata.create_topics(vec![topic("a")], false).await.unwrap();
    changes.changed().await.unwrap();
    assert!(changes.borrow_and_update().topic("a").is_some());
    metadata.delete_topics(vec![TopicRef::Name("a".to_owned())]).await.unwrap();
    changes.changed().await.unwrap();
    assert!(changes.borrow_and_update().topic("a").is_none());
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test]
async fn no_secret_is_in_debug_output() {
    let home = common::home();
    let metadata = open(home.path());
    let credential = credential(Mechanism::ScramSha512, 4096);
    metadata.set_scram("alice", credential.clone()).await.unwrap();
    let json = serde_json::to_value(&credential).unwrap();
    let key = metadata.snapshot().fake_salt_key().clone();
    let key_record: Record = serde_json::from_value(serde_json::json!({
        "fake_salt_key": serde_json::to_value(
            serde_json::from_value::<SaltKeyRecord>(serde_json::json!("A".repeat(43))).unwrap()
        ).unwrap()
    }))
    .unwrap();
    let scram = Record::Scram { user: "alice".to_owned(), credential: credential.clone() };
    let change = ScramChange::Set { user: "alice".to_owned(), credential };
    let snapshot = metadata.snapshot();
    let shown = format!(
        "{metadata:?} {snapshot:?} {:?} {scram:?} {change:?} {key_record:?}",
        snapshot.user("alice").unwrap()
    );
    for name in ["salt", "stored_key", "server_key"] {
        assert!(!shown.contains(json[name].as_str().unwrap()), "{name} in {shown}");
    }
    assert!(!shown.contains(&format!("{:?}", key.as_bytes())[1..20]), "{shown}");
    assert!(!shown.contains("AAAA") && !shown.contains("0, 0, 0"), "{shown}");
    assert!(shown.contains("alice"));
}

#[tokio::test]
#[ignore = "a measurement: cargo test --release -p schloss-metadata -- --ignored --nocapture"]
async fn how_long_a_change_takes_beside_a_hundred_thousand_acls() {
    let home = common::home();
    let metadata = open(home.path());
    let acls = (0..100_000).map(|n| acl(&format!("user{}", n % 1000), &format!("topic{n}"))).collect();
    let start = std::time::Instant::now();
    metadata.add_acls(acls).await.unwrap();
    println!("all of them in one change: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    metadata.add_acls(vec![acl("one", "more")]).await.unwrap();
    println!("one more ACL: {:?}", start.elapsed());
    let start = std::time::Instant::now();
    metadata.create_topics(vec![topic("a")], false).await.unwrap();
    println!("a topic: {:?}", start.elapsed());
    drop(metadata);
    let start = std::time::Instant::now();
    open(home.path());
    println!("a restart: {:?}", start.elapsed());
}
