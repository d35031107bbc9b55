//! Groups, roles and policies over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Client, House, PASSWORD, TestEngine};
use schloss_audit::EventKind;
use schloss_identity::{MIN_ITERATIONS, Mechanism, Password, ScramCredential};
use schloss_metadata::security::{PolicyDocument, SecurityAnswer, SecurityChange, SecurityQuestion, Step};
use schloss_policy::{Access, Asker, Binding, Operation, Pattern, PatternType, ResourceType};
use schloss_wire::messages::MetadataRequest;
use schloss_wire::messages::metadata_request::MetadataRequestTopic;
use schloss_wire::{
    AlterSecurityRequest, AlterSecurityResponse, DescribeSecurityRequest, DescribeSecurityResponse,
    Principal, Response, build,
};

async fn ask(client: &mut Client, question: &SecurityQuestion) -> DescribeSecurityResponse {
    let document = serde_json::to_vec(question).unwrap().into();
    match client.call(0, DescribeSecurityRequest { document }).await {
        Response::DescribeSecurity(response) => response,
        other => panic!("{other:?}"),
    }
}

async fn alter(client: &mut Client, change: &SecurityChange) -> AlterSecurityResponse {
    let document = serde_json::to_vec(change).unwrap().into();
    match client.call(0, AlterSecurityRequest { document }).await {
        Response::AlterSecurity(response) => response,
        other => panic!("{other:?}"),
    }
}

/// The error of the topic in an answer to Metadata.
async fn sees(client: &mut Client, topic: &str) -> bool {
    let topic = build!(MetadataRequestTopic { name: Some(topic.into()) });
    let request = build!(MetadataRequest { topics: Some(vec![topic]) });
    match client.call(9, request).await {
        Response::Metadata(response) => response.topics.iter().all(|topic| topic.error_code != 29),
        other => panic!("{other:?}"),
    }
}

fn group(name: &str, member: &str) -> SecurityChange {
    SecurityChange::AddToGroup { group: name.to_owned(), members: [Principal::user(member)].into() }
}

fn reader(principal: Principal, topic: &str) -> SecurityChange {
    SecurityChange::Bind(Binding {
        role: "DeveloperRead".to_owned(),
        principal,
        resource: Some(Pattern {
            resource_type: ResourceType::Topic,
            pattern_type: PatternType::Literal,
            resource_name: topic.to_owned(),
        }),
        expires: None,
    })
}

#[tokio::test]
async fn a_change_of_groups_and_roles_is_in_force_with_the_next_request_of_an_open_session() {
    let house = House::open().await;
    let (mut admin, mut alice) = (house.login("admin").await, house.login("alice").await);
    assert!(!sees(&mut alice, "orders").await);
    assert_eq!(alter(&mut admin, &reader(Principal::group("readers"), "orders")).await.error_code, 0);
    assert!(!sees(&mut alice, "orders").await);
    let done = alter(&mut admin, &group("readers", "alice")).await;
    let steps: Vec<Step> = serde_json::from_slice(&done.document).unwrap();
    assert_eq!(steps.len(), 1);
    assert!(sees(&mut alice, "orders").await);
    let gone = SecurityChange::DeleteGroup { group: "readers".to_owned() };
    assert_eq!(alter(&mut admin, &gone).await.error_code, 0);
    assert!(!sees(&mut alice, "orders").await);
}

#[tokio::test]
async fn a_change_is_on_record_with_what_it_did_and_who_made_it() {
    let house = House::open().await;
    let mut admin = house.login("admin").await;
    alter(&mut admin, &group("readers", "alice")).await;
    // No flush: the record must be there already.
    let events = house.records.events();
    let found = |event: &&schloss_audit::CloudEvent| event.kind() == Some(EventKind::Administration);
    let event = events.iter().find(found).unwrap();
    assert_eq!(event.data.method_name, "schloss.AlterSecurity");
    assert_eq!((event.principal(), event.data.result.status.as_str()), (Some("User:admin"), "SUCCESS"));
    let change = event.data.change.as_ref().unwrap();
    assert_eq!((&change["name"], &change["after"][0]), (&"readers".into(), &"User:alice".into()));
}

#[tokio::test]
async fn an_api_key_made_in_one_request_logs_in_and_no_part_of_its_secret_is_on_record() {
    let house = House::open().await;
    let mut admin = house.login("admin").await;
    let key = "alice:key:one".to_owned();
    let password = Password::new(PASSWORD.to_owned());
    let credential = ScramCredential::derive(Mechanism::ScramSha256, &password, MIN_ITERATIONS).unwrap();
    let told = serde_json::to_value(&credential).unwrap();
    let change =
        SecurityChange::AddKey { user: "alice".to_owned(), key: key.clone(), credentials: vec![credential] };
    assert_eq!(alter(&mut admin, &change).await.error_code, 0);
    house.connect().await.login(Mechanism::ScramSha256, &key, PASSWORD).await.unwrap();

    // What can't be read may hold secrets in the wrong place, and the words about it quote them.
    let document = r#"{"add_key":{"user":"alice","key":"alice:key:two","credentials":"misplaced"}}"#;
    let document = document.as_bytes().to_vec().into();
    let Response::AlterSecurity(refused) = admin.call(0, AlterSecurityRequest { document }).await else {
        panic!("another answer")
    };
    assert_eq!(refused.error_code, 42);
    assert!(refused.error_message.unwrap().contains("can't be read"));

    let records = serde_json::to_string(&house.events().await).unwrap();
    assert!(records.contains("alice:key:one (SCRAM-SHA-256)") && records.contains("can't be read"));
    for secret in ["salt", "stored_key", "server_key"] {
        assert!(!records.contains(told[secret].as_str().unwrap()), "{secret}");
    }
    assert!(!records.contains("misplaced") && !records.contains(PASSWORD));
}

#[tokio::test]
async fn without_the_right_nothing_is_told_or_changed() {
    let house = House::open().await;
    let mut alice = house.login("alice").await;
    assert_eq!(ask(&mut alice, &SecurityQuestion::Policy).await.error_code, 31);
    assert_eq!(alter(&mut alice, &group("x", "alice")).await.error_code, 31);
    house.allow("alice", Operation::Describe, ResourceType::Cluster, "kafka-cluster").await;
    assert_eq!(ask(&mut alice, &SecurityQuestion::Policy).await.error_code, 0);
    assert_eq!(alter(&mut alice, &group("x", "alice")).await.error_code, 31);
    assert!(house.metadata.snapshot().acls().groups().is_empty());
}

#[tokio::test]
async fn a_question_is_answered_and_nonsense_is_refused_in_words() {
    let house = House::open().await;
    let mut admin = house.login("admin").await;
    alter(&mut admin, &group("readers", "alice")).await;
    alter(&mut admin, &reader(Principal::group("readers"), "orders")).await;
    let question = SecurityQuestion::Explain {
        asker: Asker { principal: Principal::user("alice"), groups: Vec::new(), host: None },
        access: Access {
            operation: Operation::Read,
            resource_type: ResourceType::Topic,
            resource_name: "orders".to_owned(),
        },
    };
    let answer = serde_json::from_slice(&ask(&mut admin, &question).await.document).unwrap();
    let SecurityAnswer::Explain(explanation) = answer else { panic!("{answer:?}") };
    assert!(explanation.allowed && explanation.through == Some(Principal::group("readers")));

    for nonsense in ["", "{", "{\"ask\":1}", "\"policy \""] {
        let document = nonsense.as_bytes().to_vec().into();
        let Response::DescribeSecurity(response) = admin.call(0, DescribeSecurityRequest { document }).await
        else {
            panic!()
        };
        assert_eq!(response.error_code, 42);
        assert!(response.error_message.unwrap().contains("can't be read"));
    }
    let refused = alter(&mut admin, &SecurityChange::DeleteGroup { group: "none".to_owned() }).await;
    assert_eq!(refused.error_message.as_deref(), Some("there is no group none"));
}

#[tokio::test]
async fn whoever_applies_a_policy_is_not_locked_out_by_it() {
    let house = House::open().await;
    for operation in [Operation::Alter, Operation::Describe] {
        house.allow("alice", operation, ResourceType::Cluster, "kafka-cluster").await;
    }
    let mut alice = house.login("alice").await;
    let policy = PolicyDocument { version: 1, acls: Some(Vec::new()), ..PolicyDocument::default() };
    let apply = SecurityChange::Apply { policy: Box::new(policy), dry_run: false };
    let refused = alter(&mut alice, &apply).await;
    assert_eq!(refused.error_code, 44, "{refused:?}");
    assert_eq!(house.metadata.snapshot().acls().iter().len(), 2);
    let mut admin = house.login("admin").await;
    assert_eq!(alter(&mut admin, &apply).await.error_code, 0);
    assert_eq!(ask(&mut alice, &SecurityQuestion::Groups).await.error_code, 31, "the same open session");
}

#[tokio::test]
async fn quotas_that_the_engine_keeps_are_no_part_of_a_policy() {
    let house = House::open_before(TestEngine::with_quotas(), |_| {}).await;
    let mut admin = house.login("admin").await;
    let told = serde_json::from_slice(&ask(&mut admin, &SecurityQuestion::Policy).await.document).unwrap();
    let SecurityAnswer::Policy(policy) = told else { panic!("{told:?}") };
    assert!(policy.quotas.is_none() && policy.acls.is_some());
    let apply = |policy| SecurityChange::Apply { policy: Box::new(policy), dry_run: false };
    assert_eq!(alter(&mut admin, &apply((*policy).clone())).await.error_code, 0);
    let refused = alter(&mut admin, &apply(PolicyDocument { quotas: Some(Vec::new()), ..*policy })).await;
    assert_eq!(refused.error_code, 42, "{refused:?}");
}
