//! What somebody gets who is authenticated: what their ACLs say, in order, recorded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::client::{api_versions, batch, frame, produce, raw_frame};
use common::{House, message};
use schloss_audit::{CloudEvent, EventKind};
use schloss_policy::{AclFilter, Operation, ResourceType};
use schloss_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use schloss_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use schloss_wire::messages::{
    DeleteGroupsRequest, FetchRequest, HeartbeatRequest, JoinGroupRequest, MetadataRequest, ProduceRequest,
    SaslAuthenticateRequest,
};
use schloss_wire::{AlterSecurityRequest, Api, DescribeSecurityRequest, Request, Response, Uuid, build};
use tokio::io::AsyncWriteExt;

fn heartbeat(group: &str) -> HeartbeatRequest {
    build!(HeartbeatRequest { group_id: group.into(), member_id: "m".into() })
}

fn fetch(topic: &str) -> FetchRequest {
    let partitions = vec![build!(FetchPartition { partition: 0, partition_max_bytes: 1000 })];
    let topics = vec![build!(FetchTopic { topic: topic.into(), partitions })];
    build!(FetchRequest { max_wait_ms: 500, min_bytes: 1, topics })
}

/// Three MiB of one record.
fn large_produce() -> ProduceRequest {
    let mut records = batch(1);
    records.resize(3 << 20, 0);
    let length = i32::try_from(records.len() - 12).unwrap();
    records[8..12].copy_from_slice(&length.to_be_bytes());
    let partition = build!(PartitionProduceData { index: 0, records: Some(records.into()) });
    let topic = build!(TopicProduceData { name: "orders".into(), partition_data: vec![partition] });
    build!(ProduceRequest { acks: 1, topic_data: vec![topic] })
}

fn produce_error(response: &Response) -> i16 {
    let Response::Produce(response) = response else { panic!("{response:?}") };
    response.responses[0].partition_responses[0].error_code
}

fn denials(events: &[CloudEvent]) -> Vec<&CloudEvent> {
    events.iter().filter(|event| event.kind() == Some(EventKind::Authorization)).collect()
}

#[tokio::test]
async fn an_acl_change_is_in_force_on_the_open_connection() {
    let house = House::open().await;
    let mut client = house.login("alice").await;
    assert_eq!(produce_error(&client.call(9, produce(1, &["orders"])).await), 29);
    let acl = house.allow("alice", Operation::Write, ResourceType::Topic, "orders").await;
    assert_eq!(produce_error(&client.call(9, produce(1, &["orders"])).await), 0);
    let filter = AclFilter { principal: Some(acl.principal), ..AclFilter::default() };
    house.metadata.delete_acls(vec![filter]).await.unwrap();
    assert_eq!(produce_error(&client.call(9, produce(1, &["orders"])).await), 29);
    assert_eq!(house.engine.calls(), [Api::Produce]);
}

#[tokio::test]
async fn a_denial_is_a_record_that_names_everything() {
    let house = House::open().await;
    let mut client = house.login("alice").await;
    client.call(9, produce(1, &["orders"])).await;
    let events = house.events().await;
    let [event] = denials(&events)[..] else { panic!("{events:#?}") };
    assert_eq!(event.principal(), Some("User:alice"));
    assert_eq!(event.data.method_name, "kafka.Produce");
    assert_eq!(event.data.result.status, "TOPIC_AUTHORIZATION_FAILED");
    let decision = event.data.authorization_info.as_ref().unwrap();
    assert_eq!(decision.granted, Some(false));
    assert_eq!(
        (decision.operation.as_deref(), decision.resource_name.as_deref()),
        (Some("Write"), Some("orders"))
    );
    assert!(decision.rule.as_ref().unwrap().contains("no ACL matches"));
    let request = event.data.request.as_ref().unwrap();
    assert_eq!((request.client_id.as_deref(), request.api_version), (Some("test"), Some(9)));
    assert_eq!(request.correlation_id, Some(client.correlation_id));
    assert!(event.data.client_address.as_ref().unwrap().starts_with("127.0.0.1:"));
}

#[tokio::test]
async fn denied_parts_come_back_and_the_others_are_served() {
    let house = House::open().await;
    house.allow("alice", Operation::Write, ResourceType::Topic, "orders").await;
    let mut client = house.login("alice").await;
    let Response::Produce(response) = client.call(9, produce(1, &["secrets", "orders"])).await else {
        panic!()
    };
    let errors: Vec<(&str, i16)> = response
        .responses
        .iter()
        .map(|topic| (topic.name.as_str(), topic.partition_responses[0].error_code))
        .collect();
    assert_eq!(errors.len(), 2);
    assert!(errors.contains(&("secrets", 29)) && errors.contains(&("orders", 0)), "{errors:?}");
}

/// For each API a request that names a resource, in its newest version.
fn one_of_each() -> Vec<(Request, i16)> {
    use schloss_wire::messages as m;
    let of = |request: Request| {
        let version = request.api().range().max;
        (request, version)
    };
    let topic_id = Uuid::from_bytes([7; 16]);
    let produce_partition = build!(PartitionProduceData { index: 0, records: Some(batch(1).into()) });
    let produce_topic = build!(TopicProduceData { topic_id, partition_data: vec![produce_partition] });
    let fetch_partition = build!(FetchPartition { partition: 0, partition_max_bytes: 1 });
    let fetch_topic = build!(FetchTopic { topic_id, partitions: vec![fetch_partition] });
    let requests: Vec<Request> = vec![
        build!(ProduceRequest { acks: 1, topic_data: vec![produce_topic] }).into(),
        build!(FetchRequest { topics: vec![fetch_topic] }).into(),
        build!(m::ListOffsetsRequest {
            topics: vec![build!(m::list_offsets_request::ListOffsetsTopic {
                name: "orders".into(),
                partitions: vec![m::list_offsets_request::ListOffsetsPartition::default()]
            })]
        })
        .into(),
        build!(MetadataRequest {
            topics: Some(vec![build!(m::metadata_request::MetadataRequestTopic {
                name: Some("orders".into())
            })])
        })
        .into(),
        build!(m::OffsetCommitRequest {
            group_id: "g".into(),
            topics: vec![build!(m::offset_commit_request::OffsetCommitRequestTopic {
                topic_id,
                partitions: vec![m::offset_commit_request::OffsetCommitRequestPartition::default()]
            })]
        })
        .into(),
        build!(m::OffsetFetchRequest {
            groups: vec![build!(m::offset_fetch_request::OffsetFetchRequestGroup { group_id: "g".into() })]
        })
        .into(),
        build!(m::FindCoordinatorRequest { coordinator_keys: vec!["g".into()] }).into(),
        build!(JoinGroupRequest { group_id: "g".into(), protocol_type: "consumer".into() }).into(),
        heartbeat("g").into(),
        build!(m::LeaveGroupRequest {
            group_id: "g".into(),
            members: vec![m::leave_group_request::MemberIdentity::default()]
        })
        .into(),
        build!(m::SyncGroupRequest { group_id: "g".into() }).into(),
        build!(m::DescribeGroupsRequest { groups: vec!["g".into()] }).into(),
        build!(m::CreateTopicsRequest {
            topics: vec![build!(m::create_topics_request::CreatableTopic { name: "orders".into() })]
        })
        .into(),
        build!(m::DeleteTopicsRequest {
            topics: vec![build!(m::delete_topics_request::DeleteTopicState { name: Some("orders".into()) })]
        })
        .into(),
        build!(m::InitProducerIdRequest { transactional_id: None }).into(),
        build!(m::DescribeAclsRequest {
            resource_type_filter: 1,
            pattern_type_filter: 1,
            operation: 1,
            permission_type: 1
        })
        .into(),
        build!(m::CreateAclsRequest {
            creations: vec![build!(m::create_acls_request::AclCreation {
                resource_type: 2,
                resource_name: "*".into(),
                resource_pattern_type: 3,
                principal: "User:alice".into(),
                host: "*".into(),
                operation: 2,
                permission_type: 3
            })]
        })
        .into(),
        build!(m::DeleteAclsRequest {
            filters: vec![build!(m::delete_acls_request::DeleteAclsFilter {
                resource_type_filter: 1,
                pattern_type_filter: 1,
                operation: 1,
                permission_type: 1
            })]
        })
        .into(),
        build!(m::DescribeConfigsRequest {
            resources: vec![build!(m::describe_configs_request::DescribeConfigsResource {
                resource_type: 2,
                resource_name: "orders".into()
            })]
        })
        .into(),
        build!(m::CreatePartitionsRequest {
            topics: vec![build!(m::create_partitions_request::CreatePartitionsTopic {
                name: "orders".into(),
                count: 2
            })]
        })
        .into(),
        build!(m::IncrementalAlterConfigsRequest {
            resources: vec![build!(m::incremental_alter_configs_request::AlterConfigsResource {
                resource_type: 2,
                resource_name: "orders".into()
            })]
        })
        .into(),
        m::DescribeClientQuotasRequest::default().into(),
        build!(m::AlterClientQuotasRequest {
            entries: vec![m::alter_client_quotas_request::EntryData::default()]
        })
        .into(),
        m::DescribeUserScramCredentialsRequest::default().into(),
        build!(m::AlterUserScramCredentialsRequest {
            deletions: vec![build!(m::alter_user_scram_credentials_request::ScramCredentialDeletion {
                name: "admin".into(),
                mechanism: 1
            })]
        })
        .into(),
        build!(m::CreateDelegationTokenRequest {
            owner_principal_type: Some("User".into()),
            owner_principal_name: Some("admin".into()),
        })
        .into(),
        build!(DescribeSecurityRequest { document: "\"policy\"".into() }).into(),
        build!(AlterSecurityRequest { document: "{\"delete_group\":{\"group\":\"x\"}}".into() }).into(),
    ];
    requests.into_iter().map(of).collect()
}

#[tokio::test]
async fn every_advertised_api_is_denied_without_an_acl_and_recorded() {
    let house = House::open().await;
    let mut client = house.login("alice").await;
    let offered = client.ping().await;
    // Open to whoever is authenticated: the first three are how one gets in, the next two show nothing protected, and the
    // last are about tokens that one owns or has the HMAC of.
    let open = [
        Api::SaslHandshake,
        Api::ApiVersions,
        Api::SaslAuthenticate,
        Api::ListGroups,
        Api::DescribeCluster,
        Api::RenewDelegationToken,
        Api::ExpireDelegationToken,
        Api::DescribeDelegationToken,
    ];
    let requests = one_of_each();
    for range in &offered.api_keys {
        let api = Api::from_key(range.api_key).unwrap();
        let tried = requests.iter().any(|(request, _)| request.api() == api);
        assert!(tried || open.contains(&api), "{} is advertised and not tried here", api.name());
    }
    for (request, version) in requests {
        let api = request.api();
        let response = client.call(version, request).await;
        let text = format!("{response:?}");
        let errors = ["error_code: 29", "error_code: 30", "error_code: 31", "error_code: 65"];
        assert!(errors.iter().any(|error| text.contains(error)), "{}: {text}", api.name());
        let method = format!("{}.{}", if api.is_ours() { "schloss" } else { "kafka" }, api.name());
        let event = house
            .event(&method, |event| {
                event.kind() == Some(EventKind::Authorization) && event.data.method_name == method
            })
            .await;
        assert_eq!(event.allowed(), Some(false));
        assert_eq!(event.principal(), Some("User:alice"));
    }
    // Metadata without a topic is left of the request: the brokers, which everybody may know.
    assert_eq!(house.engine.calls(), [Api::Metadata], "the engine heard of a denied request");
    assert_eq!(house.metadata.snapshot().acls().iter().len(), 0);
}

#[tokio::test]
async fn unknown_apis_and_versions_close_the_connection_with_a_record() {
    let house = House::open().await;
    for (key, version, words) in [
        (999, 0, "a request with API key 999 v0 is not served"),
        (-5, 0, "API key -5"),
        (4, 0, "API key 4 v0"),
        (3, 99, "Metadata v99 is not served"),
        (0, 2, "Produce v2 is not served"),
        (1, -1, "Fetch v-1 is not served"),
    ] {
        let mut client = house.login("admin").await;
        client.send_bytes(&raw_frame(key, version, 1, version == 99, &[])).await;
        client.is_closed().await;
        let event = house.complaint(words).await;
        assert_eq!(event.data.result.status, "UNSUPPORTED_VERSION");
        assert_eq!(event.principal(), Some("User:admin"));
    }
    assert_eq!(house.engine.calls(), []);
}

#[tokio::test]
async fn a_known_api_that_is_not_served_is_answered_with_unsupported_version() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let response = client.call(2, build!(DeleteGroupsRequest { groups_names: vec!["g".into()] })).await;
    let Response::DeleteGroups(response) = response else { panic!() };
    assert_eq!(response.results[0].error_code, 35);
    client.ping().await;
}

#[tokio::test]
async fn malformed_bytes_close_the_connection_and_say_what_was_wrong() {
    let house = House::open().await;
    for (key, version, flexible, body, words) in [
        (3, 4, false, &[0, 0, 0, 1, 0, 99][..], "malformed Metadata v4"),
        // Arrays of 2^31 - 1 and of 100,001 elements, with nothing in them.
        (3, 4, false, &[0x7f, 0xff, 0xff, 0xff, 0], "malformed Metadata v4"),
        (0, 3, false, &[0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 1, 0x86, 0xa1], "exceeds configured limit"),
        (0, 9, true, &[0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f], "malformed Produce v9"),
    ] {
        let mut client = house.login("admin").await;
        client.send_bytes(&raw_frame(key, version, 1, flexible, body)).await;
        client.is_closed().await;
        let event = house.complaint(words).await;
        assert_eq!(event.data.result.status, "INVALID_REQUEST");
    }
    house.still_serves().await;
}

#[tokio::test]
async fn impossible_lengths_close_a_session_too() {
    let house = House::open_with(|config| config.max_request_bytes = 1 << 20).await;
    for prefix in [0x8000_0000_u32, 0x7fff_ffff, (1 << 20) + 1] {
        let mut client = house.login("admin").await;
        client.send_bytes(&prefix.to_be_bytes()).await;
        client.is_closed().await;
    }
    house.complaint("is over the limit of 1048576 bytes").await;
}

#[tokio::test]
async fn a_request_larger_than_what_strangers_may_send_is_served() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let response = client.call(9, large_produce()).await;
    assert_eq!(produce_error(&response), 0);
}

#[tokio::test]
async fn authentication_apis_after_authentication_get_34_and_the_connection_goes_on() {
    let house = House::open().await;
    let mut client = house.login("alice").await;
    assert_eq!(client.handshake(1, "SCRAM-SHA-256").await.unwrap().error_code, 34);
    let token = build!(SaslAuthenticateRequest { auth_bytes: b"n,,n=admin,r=x"[..].into() });
    let Response::SaslAuthenticate(response) = client.call(2, token).await else { panic!() };
    assert_eq!(response.error_code, 34);
    assert!(response.error_message.unwrap().contains("after successful authentication"));
    assert_eq!(produce_error(&client.call(9, produce(1, &["orders"])).await), 29, "still alice");
}

#[tokio::test]
async fn pipelined_produce_requests_reach_the_engine_at_once_and_are_answered_in_order() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let holds = [house.engine.hold_produce(), house.engine.hold_produce(), house.engine.hold_produce()];
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(client.send(9, produce(-1, &["orders"])).await);
    }
    let heartbeat = client.send(3, heartbeat("g")).await;
    while house.engine.calls().len() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The last is durable first; its answer has to wait, and so has the other request.
    for hold in holds.into_iter().rev() {
        assert_eq!(house.engine.calls(), [Api::Produce; 3]);
        hold.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for (place, sent) in sent.into_iter().enumerate() {
        let (correlation_id, response) = client.answer(Api::Produce, 9).await.unwrap();
        assert_eq!(correlation_id, sent);
        let Response::Produce(response) = response else { panic!() };
        assert_eq!(response.responses[0].partition_responses[0].base_offset, place as i64);
    }
    assert_eq!(client.answer(Api::Heartbeat, 3).await.unwrap().0, heartbeat);
}

#[tokio::test]
async fn requests_in_flight_have_a_bound() {
    let house = House::open_with(|config| config.max_in_flight = 2).await;
    let mut client = house.login("admin").await;
    let holds: Vec<_> = (0..4).map(|_| house.engine.hold_produce()).collect();
    for _ in 0..4 {
        client.send(9, produce(1, &["orders"])).await;
    }
    while house.engine.calls().len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Time for the third to overtake, should it be able to.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(house.engine.calls().len(), 2);
    for hold in holds {
        hold.send(()).unwrap();
        client.answer(Api::Produce, 9).await.unwrap();
    }
    assert_eq!(house.engine.calls().len(), 4);
}

#[tokio::test]
async fn large_requests_of_all_connections_share_their_memory() {
    let house = House::open_with(|config| config.max_buffered_bytes = 4 << 20).await;
    let (mut first, mut second) = (house.login("admin").await, house.login("admin").await);
    let hold = house.engine.hold_produce();
    first.send(9, large_produce()).await;
    while house.engine.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let waits = async {
        assert_eq!(produce_error(&second.call(9, large_produce()).await), 0);
    };
    let frees = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(house.engine.calls().len(), 1, "the second was read while the first held the memory");
        // Small requests need none.
        house.still_serves().await;
        hold.send(()).unwrap();
        assert!(first.answer(Api::Produce, 9).await.is_some());
    };
    tokio::join!(waits, frees);
}

#[tokio::test]
async fn an_unanswered_produce_request_with_a_denied_topic_ends_the_connection() {
    let house = House::open().await;
    house.allow("alice", Operation::Write, ResourceType::Topic, "orders").await;
    let mut client = house.login("alice").await;
    client.send(9, produce(0, &["orders"])).await;
    client.ping().await;
    client.send(9, produce(0, &["orders", "secrets"])).await;
    client.is_closed().await;
    let mut client = house.login("alice").await;
    client.send(9, produce(0, &["secrets"])).await;
    client.is_closed().await;
    assert_eq!(house.engine.calls(), [Api::Produce, Api::Produce], "what is allowed is written");
}

#[tokio::test]
async fn a_panic_in_the_engine_closes_one_connection_and_is_recorded() {
    let house = House::open().await;
    for (group, words) in [("panic", "at once"), ("panic later", "in the future")] {
        let mut bystander = house.login("admin").await;
        let mut client = house.login("admin").await;
        client.send(3, heartbeat(group)).await;
        client.is_closed().await;
        let event = house.complaint(words).await;
        assert_eq!(event.data.result.status, "UNKNOWN_SERVER_ERROR");
        assert_eq!(event.principal(), Some("User:admin"));
        bystander.ping().await;
    }
    house.still_serves().await;
}

#[tokio::test]
async fn allowed_produce_and_fetch_are_summed_when_the_session_ends() {
    let house = House::open().await;
    house.allow("alice", Operation::Write, ResourceType::Topic, "orders").await;
    house.allow("alice", Operation::Read, ResourceType::Topic, "orders").await;
    let mut client = house.login("alice").await;
    for _ in 0..3 {
        client.call(9, produce(1, &["orders"])).await;
    }
    client.send(9, produce(0, &["orders"])).await;
    client.call(12, fetch("orders")).await;
    client.call(9, produce(1, &["secrets"])).await;
    client.stream.shutdown().await.unwrap();
    let sum = |method: &'static str| {
        house.event(method, move |event| {
            event.kind() == Some(EventKind::Traffic) && event.data.method_name == method
        })
    };
    let produced = sum("kafka.Produce").await;
    let traffic = produced.data.traffic.unwrap();
    assert_eq!((traffic.requests, traffic.records, traffic.bytes), (4, 12, 4 * 61));
    assert_eq!(produced.data.resource_name.as_deref(), Some("topic=orders"));
    assert_eq!(produced.data.authentication_info.unwrap().principal.as_deref(), Some("User:alice"));
    let traffic = sum("kafka.Fetch").await.data.traffic.unwrap();
    assert_eq!((traffic.requests, traffic.records, traffic.bytes), (1, 2, 61));
    let sums = |event: &&CloudEvent| event.kind() == Some(EventKind::Traffic);
    assert_eq!(house.events().await.iter().filter(sums).count(), 2, "a denied topic has no traffic");
}

#[tokio::test]
async fn sums_are_written_at_each_interval_of_an_open_session() {
    let house = House::open_with(|config| config.audit_summary_interval = Duration::from_millis(100)).await;
    let mut client = house.login("admin").await;
    for expected in 1..=2 {
        client.call(9, produce(1, &["orders"])).await;
        let sums = |event: &&CloudEvent| event.kind() == Some(EventKind::Traffic);
        let waiting = async {
            while house.events().await.iter().filter(sums).count() < expected {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(common::PATIENCE, waiting).await.expect("no sums");
    }
    client.ping().await;
}

#[tokio::test]
async fn topics_named_by_id_are_summed_under_their_name() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let (request, version) = one_of_each().into_iter().find(|(r, _)| r.api() == Api::Produce).unwrap();
    client.send(version, request).await;
    client.receive().await.unwrap();
    client.stream.shutdown().await.unwrap();
    // The tiny engine answers by name, so nothing counts as written; what it is asked counts for acks=0.
    let mut client = house.login("admin").await;
    let (request, version) = one_of_each().into_iter().find(|(r, _)| r.api() == Api::Produce).unwrap();
    let Request::Produce(mut request) = request else { panic!() };
    request.acks = 0;
    client.send(version, request).await;
    client.ping().await;
    client.stream.shutdown().await.unwrap();
    let event = house.event("the sum", |event| event.kind() == Some(EventKind::Traffic)).await;
    assert_eq!(event.data.resource_name.as_deref(), Some("topic=orders"));
}

#[tokio::test]
async fn a_session_that_begins_a_frame_and_stops_is_closed_in_time() {
    let house = House::open_with(|config| config.frame_timeout = Duration::from_millis(100)).await;
    let mut client = house.login("admin").await;
    client.send_bytes(&[0, 0, 1, 0, 0, 3]).await;
    client.is_closed().await;
    assert_eq!(house.complaint("a request was not complete within").await.principal(), Some("User:admin"));
}

#[tokio::test]
async fn an_idle_session_is_closed_and_a_busy_one_is_not() {
    let house = House::open_with(|config| config.idle_timeout = Duration::from_millis(300)).await;
    let mut busy = house.login("admin").await;
    let mut idle = house.login("admin").await;
    for _ in 0..10 {
        busy.ping().await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    idle.is_closed().await;
    busy.ping().await;
}

#[tokio::test]
async fn a_long_poll_is_not_idle() {
    let house = House::open_with(|config| config.idle_timeout = Duration::from_millis(100)).await;
    let mut client = house.login("admin").await;
    client.send(12, fetch("silence")).await;
    let waiting = tokio::time::timeout(Duration::from_millis(500), client.receive()).await;
    assert!(waiting.is_err(), "closed in the middle of a long poll");
}

#[tokio::test]
async fn a_client_that_stops_reading_is_closed_in_time() {
    let house = House::open_with(|config| config.write_timeout = Duration::from_millis(200)).await;
    let mut client = house.login("admin").await;
    let request = frame(1, 3, &api_versions().into());
    let flood = async {
        // The answers are larger than the requests, and nobody reads them.
        while client.stream.write_all(&request).await.is_ok() && client.stream.flush().await.is_ok() {}
    };
    tokio::time::timeout(common::PATIENCE, flood).await.expect("the gate buffers without an end");
    house.complaint("the client took no answer for").await;
    house.still_serves().await;
}

#[tokio::test]
async fn a_session_cut_in_the_middle_of_a_request_is_recorded() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    client.send_bytes(&[0, 0, 1, 0, 0, 3]).await;
    client.stream.shutdown().await.unwrap();
    client.is_closed().await;
    house.complaint("ended in the middle of a request").await;
}

#[tokio::test]
async fn answers_before_a_broken_request_are_still_written() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    let hold = house.engine.hold_produce();
    let mut bytes = frame(1, 9, &produce(1, &["orders"]).into());
    bytes.extend_from_slice(&raw_frame(999, 0, 2, false, &[]));
    client.send_bytes(&bytes).await;
    house.event("the call", |_| !house.engine.calls().is_empty()).await;
    hold.send(()).unwrap();
    assert_eq!(client.answer(Api::Produce, 9).await.unwrap().0, 1);
    client.is_closed().await;
}

#[tokio::test]
async fn an_engine_learns_who_calls() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    client.call(3, heartbeat("g")).await;
    let callers = house.engine.callers();
    let caller = &callers[0];
    assert_eq!(caller.principal.as_str(), "User:admin");
    assert_eq!((&*caller.client_id, &*caller.listener, caller.api_version), ("test", "CLIENTS", 3));
    assert_eq!(caller.address, client.stream.get_ref().0.local_addr().unwrap());
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight_drops_long_polls_and_flushes_the_sums() {
    let house = House::open().await;
    let mut poller = house.login("admin").await;
    poller.send(12, fetch("silence")).await;
    let mut producer = house.login("admin").await;
    let hold = house.engine.hold_produce();
    producer.send(9, produce(-1, &["orders"])).await;
    while house.engine.calls().len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let House { gate, records, address, engine: _engine, .. } = house;
    let shutdown = tokio::spawn(gate.shutdown());
    poller.is_closed().await;
    assert!(common::Client::try_connect(address).await.is_err(), "the port is still open");
    assert!(!shutdown.is_finished());
    hold.send(()).unwrap();
    assert!(producer.answer(Api::Produce, 9).await.is_some());
    producer.is_closed().await;
    drop((producer, poller));
    tokio::time::timeout(common::PATIENCE, shutdown).await.unwrap().unwrap();
    assert!(records.events().iter().any(|event| event.kind() == Some(EventKind::Traffic)));
}

#[tokio::test]
async fn shutdown_ends_in_time_even_if_a_request_does_not() {
    let house = House::open_with(|config| config.shutdown_timeout = Duration::from_millis(200)).await;
    let mut producer = house.login("admin").await;
    let _hold = house.engine.hold_produce();
    producer.send(9, produce(-1, &["orders"])).await;
    while house.engine.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let House { gate, .. } = house;
    tokio::time::timeout(common::PATIENCE, gate.shutdown()).await.expect("shutdown hangs");
}

#[tokio::test]
async fn secrets_never_reach_the_audit_trail() {
    let house = House::open().await;
    house.login("alice").await.ping().await;
    let mut client = house.connect().await;
    let _ = client.login(schloss_identity::Mechanism::ScramSha256, "alice", "hunter2hunter2").await;
    house.events().await;
    let text = house.records.text();
    assert!(!text.contains("hunter2") && !text.contains(common::PASSWORD));
    assert!(house.events().await.iter().all(|event| !message(event).contains("p=")));
}

#[tokio::test]
async fn an_answer_in_pieces_is_passed_on_and_counted() {
    let house = House::open().await;
    house.allow("alice", Operation::Read, ResourceType::Topic, "passing").await;
    let mut client = house.login("alice").await;
    for version in [11, 12] {
        let Response::Fetch(answer) = client.call(version, fetch("passing")).await else { panic!() };
        assert_eq!(answer.responses[0].partitions[0].records.as_ref().unwrap().len(), 61);
        client.ping().await;
    }
    // A part is denied, so the answer is read and completed.
    let mut mixed = fetch("passing");
    mixed.topics.extend(fetch("secrets").topics);
    let Response::Fetch(answer) = client.call(12, mixed).await else { panic!() };
    let errors: Vec<i16> = answer.responses.iter().map(|topic| topic.partitions[0].error_code).collect();
    assert_eq!(errors, [0, 29]);
    client.stream.shutdown().await.unwrap();
    let summed = house.event("the sum", |event| event.kind() == Some(EventKind::Traffic)).await;
    let traffic = summed.data.traffic.unwrap();
    assert_eq!((traffic.requests, traffic.records, traffic.bytes), (3, 6, 3 * 61));
}

#[tokio::test]
async fn requests_that_are_there_already_are_served_after_answers_that_filled_the_way_out() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    for topic in ["large", "passing, large"] {
        let ids = [client.next_id(), client.next_id(), client.next_id()];
        let frames = ids.map(|id| frame(id, 12, &fetch(topic).into()));
        client.send_bytes(&frames.concat()).await;
        for id in ids {
            let begun = std::time::Instant::now();
            let (answered, response) = client.answer(Api::Fetch, 12).await.unwrap();
            // Sooner than the clock that a connection looks at anyway.
            assert!(begun.elapsed() < Duration::from_secs(3), "{topic} {:?}", begun.elapsed());
            let Response::Fetch(response) = response else { panic!() };
            let records = response.responses[0].partitions[0].records.as_ref().unwrap();
            assert_eq!((answered, records.len()), (id, 1 << 20), "{topic}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_the_connection_and_is_on_record() {
    let house = House::open().await;
    let mut client = house.login("admin").await;
    client.send(12, fetch("passing, broken")).await;
    assert!(client.receive().await.is_none());
    house.complaint("broke off").await;
    house.still_serves().await;
}

#[tokio::test]
async fn an_engine_is_told_by_which_name_and_port_a_client_came() {
    let house = House::open().await;
    house.login("alice").await.ping().await;
    let entrances = house.engine.entrances();
    assert_eq!(entrances[0].port, house.address.port());
    assert_eq!(entrances[0].server_name.as_deref(), Some("localhost"));
    assert_eq!(&*entrances[0].listener, "CLIENTS");
}

#[tokio::test]
async fn while_the_engine_is_suspended_nobody_logs_in_and_no_request_gets_through() {
    let house = House::open().await;
    house.allow("alice", Operation::Read, ResourceType::Group, "g").await;
    let mut client = house.login("alice").await;
    client.call(4, heartbeat("g")).await;
    let before = house.engine.calls().len();
    house.engine.suspend(true);
    // What the gate answers itself comes from the old state as well.
    let mut asking = house.connect().await;
    asking.is_closed().await;
    client.send(4, heartbeat("g")).await;
    client.is_closed().await;
    assert_eq!(house.engine.calls().len(), before);
    house.complaint("the state is too old").await;
    house.engine.suspend(false);
    house.login("alice").await.call(4, heartbeat("g")).await;
    assert_eq!(house.engine.calls().len(), before + 1);
}
