//! Requests that change something, and the ACLs and users that the gate itself serves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::House;
use schloss_audit::{CloudEvent, EventKind};
use schloss_policy::{Operation, ResourceType};
use schloss_wire::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use schloss_wire::messages::create_acls_request::AclCreation;
use schloss_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use schloss_wire::messages::delete_acls_request::DeleteAclsFilter;
use schloss_wire::messages::describe_user_scram_credentials_request::UserName;
use schloss_wire::messages::{
    AlterUserScramCredentialsRequest, CreateAclsRequest, CreateTopicsRequest, DeleteAclsRequest,
    DescribeAclsRequest, DescribeUserScramCredentialsRequest,
};
use schloss_wire::{Api, Response, build};

fn creation(principal: &str, topic: &str) -> AclCreation {
    build!(AclCreation {
        resource_type: 2,
        resource_name: topic.into(),
        resource_pattern_type: 3,
        principal: principal.into(),
        host: "*".into(),
        operation: 3,
        permission_type: 3
    })
}

fn filter_of(principal: &str) -> DeleteAclsFilter {
    build!(DeleteAclsFilter {
        resource_type_filter: 1,
        resource_name_filter: None,
        host_filter: None,
        pattern_type_filter: 1,
        principal_filter: Some(principal.into()),
        operation: 1,
        permission_type: 1
    })
}

fn create_topic(name: &str) -> CreateTopicsRequest {
    let configs =
        vec![build!(CreatableTopicConfig { name: "retention.ms".into(), value: Some("1000".into()) })];
    let topic =
        build!(CreatableTopic { name: name.into(), num_partitions: 3, replication_factor: 1, configs });
    build!(CreateTopicsRequest { topics: vec![topic], timeout_ms: 1000 })
}

fn upsertion(user: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    let bytes = if mechanism == 1 { 32 } else { 64 };
    build!(ScramCredentialUpsertion {
        name: user.into(),
        mechanism,
        iterations,
        salt: vec![5; 16].into(),
        salted_password: b"saltedpassword".repeat(5)[..bytes].to_vec().into(),
    })
}

fn administration(events: &[CloudEvent]) -> Vec<&CloudEvent> {
    events.iter().filter(|event| event.kind() == Some(EventKind::Administration)).collect()
}

#[tokio::test]
async fn an_administrative_request_is_on_record_before_its_answer() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    client.call(7, create_topic("orders")).await;
    // No flush: the record must be there already.
    let events = house.records.events();
    let [event] = administration(&events)[..] else { panic!("{events:#?}") };
    assert_eq!(event.data.method_name, "kafka.CreateTopics");
    assert_eq!(event.data.resource_name.as_deref(), Some("topic=orders"));
    assert_eq!((event.principal(), event.data.result.status.as_str()), (Some("User:admin"), "SUCCESS"));
    let change = event.data.change.as_ref().unwrap();
    assert_eq!((&change["partitions"], &change["configs"]["retention.ms"]), (&3.into(), &"1000".into()));
    let decision = event.data.authorization_info.as_ref().unwrap();
    assert_eq!((decision.granted, decision.rule.as_deref()), (Some(true), Some("super user")));
}

#[tokio::test]
async fn a_refused_part_of_an_administrative_request_is_a_denial_and_no_change() {
    let house = House::open().await;
    house.allow("alice", Operation::Create, ResourceType::Topic, "mine").await;
    let mut client = house.login("alice").await;
    let mut request = create_topic("mine");
    request.topics.extend(create_topic("theirs").topics);
    let Response::CreateTopics(response) = client.call(7, request).await else { panic!() };
    let mut errors: Vec<(&str, i16)> =
        response.topics.iter().map(|topic| (topic.name.as_str(), topic.error_code)).collect();
    errors.sort_unstable();
    assert_eq!(errors, [("mine", 0), ("theirs", 29)]);
    let events = house.events().await;
    let changed: Vec<_> =
        administration(&events).iter().map(|event| event.data.resource_name.clone()).collect();
    assert_eq!(changed, [Some("topic=mine".to_owned())]);
    let denied = |event: &&CloudEvent| event.kind() == Some(EventKind::Authorization);
    assert!(
        events.iter().filter(denied).any(|event| event.data.resource_name.as_deref() == Some("topic=theirs"))
    );
}

#[tokio::test]
async fn administrative_requests_are_refused_while_the_audit_trail_is_broken() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    // The record of the log-in must be out of the way, or it finds out before the first attempt does.
    house.events().await;
    house.records.set_broken(true);
    // What was done when it broke is told to be unrecorded, and what comes after is not done at all.
    for attempt in 0..3 {
        let Response::CreateTopics(response) = client.call(7, create_topic("orders")).await else { panic!() };
        assert_eq!(response.topics[0].error_code, 56, "attempt {attempt}");
        assert!(response.topics[0].error_message.as_ref().unwrap().contains("audit trail"));
    }
    assert_eq!(house.engine.calls(), [Api::CreateTopics], "the first attempt found out");
    let Response::CreateAcls(response) =
        client.call(3, build!(CreateAclsRequest { creations: vec![creation("User:alice", "t")] })).await
    else {
        panic!()
    };
    assert_eq!(response.results[0].error_code, 56);
    assert_eq!(house.metadata.snapshot().acls().iter().len(), 0);
    // Whoever only works goes on.
    client.ping().await;
    client.call(9, common::client::produce(1, &["orders"])).await;
    house.records.set_broken(false);
    while !house.audit.is_writable() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let Response::CreateTopics(response) = client.call(7, create_topic("orders")).await else { panic!() };
    assert_eq!(response.topics[0].error_code, 0);
}

#[tokio::test]
async fn acls_are_created_described_and_deleted_with_one_result_per_entry() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let mut invalid = creation("User:alice", "x");
    invalid.operation = 1;
    let creations = vec![
        creation("User:alice", "a"),
        invalid,
        creation("no principal", "b"),
        creation("User:alice", "b"),
    ];
    let Response::CreateAcls(response) = client.call(3, build!(CreateAclsRequest { creations })).await else {
        panic!()
    };
    let errors: Vec<i16> = response.results.iter().map(|result| result.error_code).collect();
    assert_eq!(errors, [0, 42, 42, 0]);

    let all = build!(DescribeAclsRequest {
        resource_name_filter: None,
        principal_filter: None,
        host_filter: None,
        resource_type_filter: 1,
        pattern_type_filter: 1,
        operation: 1,
        permission_type: 1
    });
    let Response::DescribeAcls(response) = client.call(3, all.clone()).await else { panic!() };
    let described: Vec<(&str, usize)> = response
        .resources
        .iter()
        .map(|resource| (resource.resource_name.as_str(), resource.acls.len()))
        .collect();
    assert_eq!((response.error_code, described), (0, vec![("a", 1), ("b", 1)]));
    let acl = &response.resources[0].acls[0];
    assert_eq!((acl.principal.as_str(), acl.host.as_str()), ("User:alice", "*"));
    assert_eq!((acl.operation, acl.permission_type), (3, 3));

    let mut unknown = filter_of("User:alice");
    unknown.permission_type = 0;
    let filters = vec![filter_of("User:nobody"), unknown, filter_of("User:alice")];
    let Response::DeleteAcls(response) = client.call(3, build!(DeleteAclsRequest { filters })).await else {
        panic!()
    };
    let results: Vec<(i16, usize)> = response
        .filter_results
        .iter()
        .map(|result| (result.error_code, result.matching_acls.len()))
        .collect();
    assert_eq!(results, [(0, 0), (42, 0), (0, 2)]);
    let names: Vec<&str> =
        response.filter_results[2].matching_acls.iter().map(|acl| acl.resource_name.as_str()).collect();
    assert!(names.contains(&"a") && names.contains(&"b"));
    let found = &response.filter_results[2];
    let messages = found.matching_acls.iter().map(|acl| &acl.error_message).chain([&found.error_message]);
    assert!(messages.into_iter().all(Option::is_none), "{found:?}");
    let Response::DescribeAcls(response) = client.call(3, all).await else { panic!() };
    assert!(response.resources.is_empty());

    let events = house.events().await;
    let deleted = administration(&events)
        .into_iter()
        .filter(|event| event.data.method_name == "kafka.DeleteAcls" && event.data.result.status == "SUCCESS")
        .filter(|event| event.data.change.as_ref().is_some_and(|change| !change["acl"].is_null()));
    assert_eq!(deleted.count(), 2, "{events:#?}");
}

#[tokio::test]
async fn a_description_with_a_filter_that_says_unknown_is_invalid() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let request = build!(DescribeAclsRequest {
        resource_name_filter: None,
        principal_filter: None,
        host_filter: None,
        resource_type_filter: 0,
        pattern_type_filter: 1,
        operation: 1,
        permission_type: 1
    });
    let Response::DescribeAcls(response) = client.call(3, request).await else { panic!() };
    assert_eq!(response.error_code, 42);
}

#[tokio::test]
async fn users_are_altered_with_one_result_per_user_and_kafkas_errors() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let deletion = |user: &str, mechanism| build!(ScramCredentialDeletion { name: user.into(), mechanism });
    let mut short = upsertion("short", 1, 4096);
    short.salted_password = vec![1; 5].into();
    let request = build!(AlterUserScramCredentialsRequest {
        deletions: vec![deletion("nobody", 1), deletion("mixed", 9), deletion("alice", 2)],
        upsertions: vec![
            upsertion("bob", 1, 4096),
            upsertion("bob", 2, 8192),
            upsertion("weak", 1, 4095),
            upsertion("slow", 1, 16385),
            upsertion("negative", 1, -1),
            upsertion("twice", 1, 4096),
            upsertion("twice", 1, 4097),
            upsertion("", 1, 4096),
            upsertion("mixed", 1, 4096),
            short,
        ]
    });
    let Response::AlterUserScramCredentials(response) = client.call(0, request).await else { panic!() };
    assert!(response.results.iter().all(|result| (result.error_code == 0) == result.error_message.is_none()));
    let mut results: Vec<(&str, i16)> =
        response.results.iter().map(|result| (result.user.as_str(), result.error_code)).collect();
    results.sort_unstable();
    let expected = [
        ("", 93),
        ("alice", 0),
        ("bob", 0),
        ("mixed", 33),
        ("negative", 93),
        ("nobody", 91),
        ("short", 93),
        ("slow", 93),
        ("twice", 92),
        ("weak", 93),
    ];
    assert_eq!(results, expected);

    let named = |name: &str| build!(UserName { name: name.into() });
    let users = Some(vec![named("bob"), named("nobody"), named("alice"), named("alice")]);
    let request = build!(DescribeUserScramCredentialsRequest { users });
    let Response::DescribeUserScramCredentials(response) = client.call(0, request).await else { panic!() };
    let results: Vec<_> = response
        .results
        .iter()
        .map(|result| {
            let infos: Vec<(i8, i32)> =
                result.credential_infos.iter().map(|info| (info.mechanism, info.iterations)).collect();
            (result.user.as_str(), result.error_code, infos)
        })
        .collect();
    assert_eq!(results[0], ("bob", 0, vec![(1, 4096), (2, 8192)]));
    assert_eq!((results[1].0, results[1].1), ("nobody", 91));
    assert_eq!((results[2].0, results[2].1, results.len()), ("alice", 92, 3));

    let everybody = build!(DescribeUserScramCredentialsRequest { users: None });
    let Response::DescribeUserScramCredentials(response) = client.call(0, everybody).await else { panic!() };
    let users: Vec<&str> = response.results.iter().map(|result| result.user.as_str()).collect();
    assert_eq!(users, ["admin", "alice", "bob"]);

    let events = house.events().await;
    let bob = administration(&events)
        .into_iter()
        .find(|event| event.data.resource_name.as_deref() == Some("user=bob"))
        .unwrap();
    assert!(bob.data.change.as_ref().unwrap().to_string().contains("\"iterations\":8192"));
    let text = house.records.text();
    assert!(!text.contains("saltedpassword") && !text.contains("salted_password"), "a secret is on record");
}

#[tokio::test]
async fn an_observing_gate_lets_through_what_it_would_deny_but_guards_users_and_acls() {
    let house = House::open_with(|config| config.insecure_observe_only = true).await;
    house.allow("alice", Operation::Create, ResourceType::Topic, "mine").await;
    let mut client = house.login("alice").await;
    for topic in ["mine", "theirs"] {
        let Response::CreateTopics(response) = client.call(7, create_topic(topic)).await else { panic!() };
        assert_eq!(response.topics[0].error_code, 0, "{topic}");
    }
    let creations = vec![creation("User:alice", "theirs")];
    let Response::CreateAcls(response) = client.call(3, build!(CreateAclsRequest { creations })).await else {
        panic!()
    };
    assert_eq!(response.results[0].error_code, 31);
    let events = house.events().await;
    let denials: Vec<_> = events
        .iter()
        .filter(|event| event.kind() == Some(EventKind::Authorization))
        .map(|event| {
            let granted = event.data.authorization_info.as_ref().unwrap().granted;
            (event.data.resource_name.as_deref().unwrap(), event.data.result.status.as_str(), granted)
        })
        .collect();
    // What was allowed anyhow is no denial.
    assert_eq!(
        denials,
        [
            ("topic=theirs", "SUCCESS", Some(false)),
            ("cluster=kafka-cluster", "CLUSTER_AUTHORIZATION_FAILED", Some(false)),
        ]
    );
}
