//! What holds for every API in every version.

use bytes::Bytes;
use schloss_policy::table::{Scope, TABLE};
use schloss_policy::{is_administrative, refuse};
use schloss_wire::messages as m;
use schloss_wire::{AlterSecurityRequest, Api, DescribeSecurityRequest, ErrorCode, Request, Response, build};

use crate::house::{House, assert_sendable, id, text};

/// A request that asks for one thing of everything its API can be asked for.
pub(crate) fn sample(api: Api) -> Request {
    match api {
        Api::Produce => {
            let partition = build!(m::produce_request::PartitionProduceData { index: 0 });
            let topic = build!(m::produce_request::TopicProduceData {
                name: text("t"),
                topic_id: id(1),
                partition_data: vec![partition],
            });
            build!(m::ProduceRequest { acks: -1, topic_data: vec![topic] }).into()
        }
        Api::Fetch => {
            let partition = build!(m::fetch_request::FetchPartition { partition: 0 });
            let topic = build!(m::fetch_request::FetchTopic {
                topic: text("t"),
                topic_id: id(1),
                partitions: vec![partition],
            });
            build!(m::FetchRequest { topics: vec![topic], session_epoch: -1 }).into()
        }
        Api::ListOffsets => {
            let partition = build!(m::list_offsets_request::ListOffsetsPartition { partition_index: 0 });
            let topic = build!(m::list_offsets_request::ListOffsetsTopic {
                name: text("t"),
                partitions: vec![partition],
            });
            build!(m::ListOffsetsRequest { topics: vec![topic] }).into()
        }
        Api::Metadata => {
            let topic = build!(m::metadata_request::MetadataRequestTopic { name: Some(text("t")) });
            build!(m::MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: false }).into()
        }
        Api::OffsetCommit => {
            let partition =
                build!(m::offset_commit_request::OffsetCommitRequestPartition { partition_index: 0 });
            let topic = build!(m::offset_commit_request::OffsetCommitRequestTopic {
                name: text("t"),
                topic_id: id(1),
                partitions: vec![partition],
            });
            build!(m::OffsetCommitRequest { group_id: text("g"), topics: vec![topic] }).into()
        }
        Api::OffsetFetch => {
            let old = build!(m::offset_fetch_request::OffsetFetchRequestTopic {
                name: text("t"),
                partition_indexes: vec![0],
            });
            let topic = build!(m::offset_fetch_request::OffsetFetchRequestTopics {
                name: text("t"),
                topic_id: id(1),
                partition_indexes: vec![0],
            });
            let group = build!(m::offset_fetch_request::OffsetFetchRequestGroup {
                group_id: text("g"),
                topics: Some(vec![topic]),
            });
            build!(m::OffsetFetchRequest {
                group_id: text("g"),
                topics: Some(vec![old]),
                groups: vec![group]
            })
            .into()
        }
        Api::FindCoordinator => {
            build!(m::FindCoordinatorRequest { key: text("g"), coordinator_keys: vec![text("g")] }).into()
        }
        Api::JoinGroup => build!(m::JoinGroupRequest { group_id: text("g") }).into(),
        Api::Heartbeat => build!(m::HeartbeatRequest { group_id: text("g") }).into(),
        Api::LeaveGroup => build!(m::LeaveGroupRequest { group_id: text("g") }).into(),
        Api::SyncGroup => build!(m::SyncGroupRequest { group_id: text("g") }).into(),
        Api::DescribeGroups => build!(m::DescribeGroupsRequest { groups: vec![text("g")] }).into(),
        Api::ListGroups => m::ListGroupsRequest::default().into(),
        Api::SaslHandshake => m::SaslHandshakeRequest::default().into(),
        Api::ApiVersions => m::ApiVersionsRequest::default().into(),
        Api::CreateTopics => {
            let topic = build!(m::create_topics_request::CreatableTopic { name: text("t") });
            build!(m::CreateTopicsRequest { topics: vec![topic] }).into()
        }
        Api::DeleteTopics => {
            let state = build!(m::delete_topics_request::DeleteTopicState { name: Some(text("t")) });
            build!(m::DeleteTopicsRequest { topics: vec![state], topic_names: vec![text("t")] }).into()
        }
        Api::InitProducerId => build!(m::InitProducerIdRequest { transactional_id: None }).into(),
        Api::DescribeAcls => m::DescribeAclsRequest::default().into(),
        Api::CreateAcls => {
            build!(m::CreateAclsRequest { creations: vec![m::create_acls_request::AclCreation::default()] })
                .into()
        }
        Api::DeleteAcls => build!(m::DeleteAclsRequest {
            filters: vec![m::delete_acls_request::DeleteAclsFilter::default()]
        })
        .into(),
        Api::DescribeConfigs => {
            let resource = build!(m::describe_configs_request::DescribeConfigsResource {
                resource_type: 2,
                resource_name: text("t"),
            });
            build!(m::DescribeConfigsRequest { resources: vec![resource] }).into()
        }
        Api::SaslAuthenticate => m::SaslAuthenticateRequest::default().into(),
        Api::CreatePartitions => {
            let topic = build!(m::create_partitions_request::CreatePartitionsTopic { name: text("t") });
            build!(m::CreatePartitionsRequest { topics: vec![topic] }).into()
        }
        Api::CreateDelegationToken => build!(m::CreateDelegationTokenRequest {
            owner_principal_type: Some(text("User")),
            owner_principal_name: Some(text("u")),
        })
        .into(),
        Api::RenewDelegationToken => m::RenewDelegationTokenRequest::default().into(),
        Api::ExpireDelegationToken => m::ExpireDelegationTokenRequest::default().into(),
        Api::DescribeDelegationToken => build!(m::DescribeDelegationTokenRequest { owners: None }).into(),
        Api::DeleteGroups => build!(m::DeleteGroupsRequest { groups_names: vec![text("g")] }).into(),
        Api::IncrementalAlterConfigs => {
            let resource = build!(m::incremental_alter_configs_request::AlterConfigsResource {
                resource_type: 2,
                resource_name: text("t"),
            });
            build!(m::IncrementalAlterConfigsRequest { resources: vec![resource] }).into()
        }
        Api::DescribeClientQuotas => m::DescribeClientQuotasRequest::default().into(),
        Api::DescribeUserScramCredentials => {
            let user = build!(m::describe_user_scram_credentials_request::UserName { name: text("u") });
            build!(m::DescribeUserScramCredentialsRequest { users: Some(vec![user]) }).into()
        }
        Api::AlterUserScramCredentials => {
            let deletion = build!(m::alter_user_scram_credentials_request::ScramCredentialDeletion {
                name: text("u"),
                mechanism: 1,
            });
            build!(m::AlterUserScramCredentialsRequest { deletions: vec![deletion] }).into()
        }
        Api::DescribeCluster => m::DescribeClusterRequest::default().into(),
        Api::DeleteRecords => {
            let partition = build!(m::delete_records_request::DeleteRecordsPartition { partition_index: 0 });
            let topic = build!(m::delete_records_request::DeleteRecordsTopic {
                name: text("t"),
                partitions: vec![partition],
            });
            build!(m::DeleteRecordsRequest { topics: vec![topic] }).into()
        }
        Api::OffsetForLeaderEpoch => {
            let partition = m::offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
            let topic = build!(m::offset_for_leader_epoch_request::OffsetForLeaderTopic {
                topic: text("t"),
                partitions: vec![partition],
            });
            build!(m::OffsetForLeaderEpochRequest { topics: vec![topic] }).into()
        }
        Api::AddPartitionsToTxn => {
            let topics = vec![build!(m::add_partitions_to_txn_request::AddPartitionsToTxnTopic {
                name: text("t"),
                partitions: vec![0],
            })];
            let transaction = build!(m::add_partitions_to_txn_request::AddPartitionsToTxnTransaction {
                transactional_id: text("x"),
                topics: topics.clone(),
            });
            build!(m::AddPartitionsToTxnRequest {
                transactions: vec![transaction],
                v3_and_below_transactional_id: text("x"),
                v3_and_below_topics: topics,
            })
            .into()
        }
        Api::AddOffsetsToTxn => {
            build!(m::AddOffsetsToTxnRequest { transactional_id: text("x"), group_id: text("g") }).into()
        }
        Api::EndTxn => build!(m::EndTxnRequest { transactional_id: text("x") }).into(),
        Api::WriteTxnMarkers => {
            let topic = build!(m::write_txn_markers_request::WritableTxnMarkerTopic {
                name: text("t"),
                partition_indexes: vec![0],
            });
            let marker = build!(m::write_txn_markers_request::WritableTxnMarker { topics: vec![topic] });
            build!(m::WriteTxnMarkersRequest { markers: vec![marker] }).into()
        }
        Api::TxnOffsetCommit => {
            let partition = m::txn_offset_commit_request::TxnOffsetCommitRequestPartition::default();
            let topic = build!(m::txn_offset_commit_request::TxnOffsetCommitRequestTopic {
                name: text("t"),
                topic_id: id(1),
                partitions: vec![partition],
            });
            build!(m::TxnOffsetCommitRequest {
                transactional_id: text("x"),
                group_id: text("g"),
                topics: vec![topic],
            })
            .into()
        }
        Api::AlterConfigs => {
            let resource = build!(m::alter_configs_request::AlterConfigsResource {
                resource_type: 2,
                resource_name: text("t"),
            });
            build!(m::AlterConfigsRequest { resources: vec![resource] }).into()
        }
        Api::AlterReplicaLogDirs => {
            let topic = build!(m::alter_replica_log_dirs_request::AlterReplicaLogDirTopic {
                name: text("t"),
                partitions: vec![0],
            });
            let dir = build!(m::alter_replica_log_dirs_request::AlterReplicaLogDir {
                path: text("/d"),
                topics: vec![topic],
            });
            build!(m::AlterReplicaLogDirsRequest { dirs: vec![dir] }).into()
        }
        Api::DescribeLogDirs => {
            let topic = build!(m::describe_log_dirs_request::DescribableLogDirTopic {
                topic: text("t"),
                partitions: vec![0],
            });
            build!(m::DescribeLogDirsRequest { topics: Some(vec![topic]) }).into()
        }
        Api::ElectLeaders => {
            let topic =
                build!(m::elect_leaders_request::TopicPartitions { topic: text("t"), partitions: vec![0] });
            build!(m::ElectLeadersRequest { topic_partitions: Some(vec![topic]) }).into()
        }
        Api::AlterPartitionReassignments => {
            let partition = build!(m::alter_partition_reassignments_request::ReassignablePartition {
                replicas: Some(vec![1]),
            });
            let topic = build!(m::alter_partition_reassignments_request::ReassignableTopic {
                name: text("t"),
                partitions: vec![partition],
            });
            build!(m::AlterPartitionReassignmentsRequest { topics: vec![topic] }).into()
        }
        Api::ListPartitionReassignments => {
            let topic = build!(m::list_partition_reassignments_request::ListPartitionReassignmentsTopics {
                name: text("t"),
                partition_indexes: vec![0],
            });
            build!(m::ListPartitionReassignmentsRequest { topics: Some(vec![topic]) }).into()
        }
        Api::OffsetDelete => {
            let partition =
                build!(m::offset_delete_request::OffsetDeleteRequestPartition { partition_index: 0 });
            let topic = build!(m::offset_delete_request::OffsetDeleteRequestTopic {
                name: text("t"),
                partitions: vec![partition],
            });
            build!(m::OffsetDeleteRequest { group_id: text("g"), topics: vec![topic] }).into()
        }
        Api::AlterClientQuotas => {
            let entity = build!(m::alter_client_quotas_request::EntityData {
                entity_type: text("user"),
                entity_name: Some(text("u")),
            });
            let entry = build!(m::alter_client_quotas_request::EntryData { entity: vec![entity] });
            build!(m::AlterClientQuotasRequest { entries: vec![entry] }).into()
        }
        Api::DescribeQuorum => {
            let topic = build!(m::describe_quorum_request::TopicData {
                topic_name: text("__cluster_metadata"),
                partitions: vec![m::describe_quorum_request::PartitionData::default()],
            });
            build!(m::DescribeQuorumRequest { topics: vec![topic] }).into()
        }
        Api::UpdateFeatures => {
            let update = build!(m::update_features_request::FeatureUpdateKey { feature: text("f") });
            build!(m::UpdateFeaturesRequest { feature_updates: vec![update] }).into()
        }
        Api::DescribeProducers => {
            let topic = build!(m::describe_producers_request::TopicRequest {
                name: text("t"),
                partition_indexes: vec![0],
            });
            build!(m::DescribeProducersRequest { topics: vec![topic] }).into()
        }
        Api::UnregisterBroker => m::UnregisterBrokerRequest::default().into(),
        Api::DescribeTransactions => {
            build!(m::DescribeTransactionsRequest { transactional_ids: vec![text("x")] }).into()
        }
        Api::ListTransactions => m::ListTransactionsRequest::default().into(),
        Api::ConsumerGroupHeartbeat => build!(m::ConsumerGroupHeartbeatRequest {
            group_id: text("g"),
            subscribed_topic_names: Some(vec![text("t")]),
        })
        .into(),
        Api::ConsumerGroupDescribe => {
            build!(m::ConsumerGroupDescribeRequest { group_ids: vec![text("g")] }).into()
        }
        Api::GetTelemetrySubscriptions => m::GetTelemetrySubscriptionsRequest::default().into(),
        Api::PushTelemetry => m::PushTelemetryRequest::default().into(),
        Api::ListConfigResources => m::ListConfigResourcesRequest::default().into(),
        Api::DescribeTopicPartitions => {
            let topic = build!(m::describe_topic_partitions_request::TopicRequest { name: text("t") });
            build!(m::DescribeTopicPartitionsRequest { topics: vec![topic], cursor: None }).into()
        }
        Api::ShareGroupHeartbeat => build!(m::ShareGroupHeartbeatRequest {
            group_id: text("g"),
            subscribed_topic_names: Some(vec![text("t")]),
        })
        .into(),
        Api::ShareGroupDescribe => build!(m::ShareGroupDescribeRequest { group_ids: vec![text("g")] }).into(),
        Api::ShareFetch => {
            let partition = build!(m::share_fetch_request::FetchPartition { partition_index: 0 });
            let topic =
                build!(m::share_fetch_request::FetchTopic { topic_id: id(1), partitions: vec![partition] });
            build!(m::ShareFetchRequest { group_id: Some(text("g")), topics: vec![topic], max_bytes: 1024 })
                .into()
        }
        Api::ShareAcknowledge => {
            let partition = build!(m::share_acknowledge_request::AcknowledgePartition { partition_index: 0 });
            let topic = build!(m::share_acknowledge_request::AcknowledgeTopic {
                topic_id: id(1),
                partitions: vec![partition],
            });
            build!(m::ShareAcknowledgeRequest { group_id: Some(text("g")), topics: vec![topic] }).into()
        }
        Api::AddRaftVoter => m::AddRaftVoterRequest::default().into(),
        Api::RemoveRaftVoter => m::RemoveRaftVoterRequest::default().into(),
        Api::StreamsGroupHeartbeat => {
            let subtopology = build!(m::streams_group_heartbeat_request::Subtopology {
                source_topics: vec![text("t")],
                state_changelog_topics: vec![build!(m::streams_group_heartbeat_request::TopicInfo {
                    name: text("changelog"),
                })],
            });
            let topology =
                build!(m::streams_group_heartbeat_request::Topology { subtopologies: vec![subtopology] });
            build!(m::StreamsGroupHeartbeatRequest { group_id: text("g"), topology: Some(topology) }).into()
        }
        Api::StreamsGroupDescribe => {
            build!(m::StreamsGroupDescribeRequest { group_ids: vec![text("g")] }).into()
        }
        Api::DescribeShareGroupOffsets => {
            use m::describe_share_group_offsets_request as d;
            let topic = build!(d::DescribeShareGroupOffsetsRequestTopic {
                topic_name: text("t"),
                partitions: vec![0],
            });
            let group = build!(d::DescribeShareGroupOffsetsRequestGroup {
                group_id: text("g"),
                topics: Some(vec![topic]),
            });
            build!(m::DescribeShareGroupOffsetsRequest { groups: vec![group] }).into()
        }
        Api::AlterShareGroupOffsets => {
            use m::alter_share_group_offsets_request as a;
            let partition = build!(a::AlterShareGroupOffsetsRequestPartition { partition_index: 0 });
            let topic = build!(a::AlterShareGroupOffsetsRequestTopic {
                topic_name: text("t"),
                partitions: vec![partition],
            });
            build!(m::AlterShareGroupOffsetsRequest { group_id: text("g"), topics: vec![topic] }).into()
        }
        Api::DeleteShareGroupOffsets => {
            use m::delete_share_group_offsets_request as d;
            let topic = build!(d::DeleteShareGroupOffsetsRequestTopic { topic_name: text("t") });
            build!(m::DeleteShareGroupOffsetsRequest { group_id: text("g"), topics: vec![topic] }).into()
        }
        Api::DescribeSecurity => {
            build!(DescribeSecurityRequest { document: Bytes::from_static(b"{}") }).into()
        }
        Api::AlterSecurity => build!(AlterSecurityRequest { document: Bytes::from_static(b"{}") }).into(),
    }
}

/// Every error code in a response, wherever it stands.
fn codes(response: &Response) -> Vec<i16> {
    let shown = format!("{response:?}");
    let after = shown.split("error_code: ").skip(1);
    after
        .filter_map(|rest| rest.split([',', ' ', '}']).next()?.parse().ok())
        .filter(|code| *code != ErrorCode::None.code())
        .collect()
}

fn each_api_and_version() -> impl Iterator<Item = (Api, i16)> {
    Api::ALL.iter().flat_map(|api| {
        let range = api.range();
        (range.min..=range.max).map(|version| (*api, version))
    })
}

/// APIs that any authenticated caller gets an answer from: they show less instead of failing, or are about what its
/// sender holds.
const OPEN: [Api; 9] = [
    Api::RenewDelegationToken,
    Api::ExpireDelegationToken,
    Api::DescribeDelegationToken,
    Api::Metadata,
    Api::ListGroups,
    Api::DescribeCluster,
    Api::ListTransactions,
    Api::GetTelemetrySubscriptions,
    Api::PushTelemetry,
];

/// Whether the API's answer has no room for an error in this version; clients take an empty one for a denial.
fn is_mute(api: Api, version: i16) -> bool {
    api == Api::DescribeLogDirs && version < 3
}

#[test]
fn without_an_acl_no_api_in_any_version_lets_anything_through() {
    let house = House::new().topic(1, "t");
    for (api, version) in each_api_and_version() {
        let outcome = house.ask(sample(api), version);
        if OPEN.contains(&api) {
            let Some((request, _)) = &outcome.admitted else { panic!("{} v{version}", api.name()) };
            if let Request::Metadata(request) = request {
                assert_eq!(request.topics.as_deref(), Some(&[][..]), "v{version}");
                assert_eq!(codes(&outcome.response), [29], "v{version}");
            }
            continue;
        }
        assert!(outcome.is_refused(), "{} v{version} reached the engine", api.name());
        let told = codes(&outcome.response);
        let row = TABLE.iter().find(|row| row.api_key == api.key()).unwrap();
        let mut possible = row.needs.iter().map(|need| need.error).chain(row.after_authentication);
        assert!(!told.is_empty() || is_mute(api, version), "{} v{version} is told nothing", api.name());
        for code in told {
            assert!(possible.clone().any(|error| error.code() == code), "{} v{version}: {code}", api.name());
        }
        let decided = outcome.decisions.iter().any(|decision| !decision.allowed);
        assert!(decided || row.after_authentication.is_some(), "{} v{version} is recorded", api.name());
        assert!(possible.next().is_some());
    }
}

#[test]
fn a_super_user_gets_every_api_in_every_version_through_as_it_came() {
    let house = House::new().super_user().topic(1, "t");
    for (api, version) in each_api_and_version() {
        let outcome = house.ask(sample(api), version);
        let served_before_policy =
            [Api::SaslHandshake, Api::ApiVersions, Api::SaslAuthenticate].contains(&api);
        assert_eq!(outcome.is_whole(), !served_before_policy, "{} v{version}", api.name());
        if !served_before_policy {
            assert_eq!(codes(&outcome.response), [0i16; 0], "{} v{version}", api.name());
        }
    }
}

#[test]
fn every_api_can_be_refused_with_any_error_in_every_version() {
    for (api, version) in each_api_and_version() {
        let request = sample(api);
        let response = refuse(&request, version, ErrorCode::KafkaStorageError, Some("the audit log is full"));
        assert_eq!(response.api(), api);
        assert_sendable(&response, version);
        let frame = response.encode_frame(1, version).unwrap().freeze();
        let body = frame.slice(4 + api.response_header_bytes(version)..);
        let limits = schloss_wire::DecodeBudget::Authenticated { max_request_bytes: 1 << 20 }.limits();
        let received = Response::decode(api, version, body, limits).unwrap();
        let told = codes(&received);
        assert_eq!(told.is_empty(), is_mute(api, version), "{} v{version} carries the error", api.name());
        assert!(told.iter().all(|code| *code == 56), "{} v{version}: {told:?}", api.name());
    }
}

/// Administrative APIs whose answers have no place for a message.
const WITHOUT_MESSAGE: [Api; 8] = [
    Api::DeleteRecords,
    Api::WriteTxnMarkers,
    Api::AlterReplicaLogDirs,
    Api::OffsetDelete,
    Api::CreateDelegationToken,
    Api::RenewDelegationToken,
    Api::ExpireDelegationToken,
    Api::DescribeDelegationToken,
];

#[test]
fn an_administrative_refusal_says_why_wherever_it_can() {
    for &api in Api::ALL.iter().filter(|api| is_administrative(**api)) {
        let response = refuse(&sample(api), api.range().max, ErrorCode::KafkaStorageError, Some("disk full"));
        let says_why = format!("{response:?}").contains("disk full");
        assert_eq!(says_why, !WITHOUT_MESSAGE.contains(&api), "{}", api.name());
    }
}

#[test]
fn administrative_apis_are_those_that_change_something_or_give_out_secrets() {
    let administrative: Vec<&str> =
        Api::ALL.iter().filter(|api| is_administrative(**api)).map(|api| api.name()).collect();
    assert_eq!(
        administrative,
        [
            "CreateTopics",
            "DeleteTopics",
            "DeleteRecords",
            "WriteTxnMarkers",
            "CreateAcls",
            "DeleteAcls",
            "AlterConfigs",
            "AlterReplicaLogDirs",
            "CreatePartitions",
            "CreateDelegationToken",
            "RenewDelegationToken",
            "ExpireDelegationToken",
            "DescribeDelegationToken",
            "DeleteGroups",
            "ElectLeaders",
            "IncrementalAlterConfigs",
            "AlterPartitionReassignments",
            "OffsetDelete",
            "AlterClientQuotas",
            "AlterUserScramCredentials",
            "UpdateFeatures",
            "UnregisterBroker",
            "AddRaftVoter",
            "RemoveRaftVoter",
            "AlterShareGroupOffsets",
            "DeleteShareGroupOffsets",
            "AlterSecurity",
        ]
    );
}

#[test]
fn handshakes_after_authentication_are_out_of_place() {
    let house = House::new().super_user();
    for (api, code) in [(Api::SaslHandshake, 34), (Api::SaslAuthenticate, 34), (Api::ApiVersions, 42)] {
        let outcome = house.ask(sample(api), api.range().max);
        assert!(outcome.is_refused());
        assert_eq!(codes(&outcome.response), [code], "{}", api.name());
    }
    let outcome = house.ask(sample(Api::SaslAuthenticate), 2);
    let told = format!("{:?}", outcome.response);
    let words = StrBytesDebug("SaslAuthenticate request received after successful authentication");
    assert!(told.contains(words.0), "{told}");
}

/// The words as they show in a message's `Debug`.
struct StrBytesDebug(&'static str);

#[test]
fn an_engine_that_answers_another_api_is_not_passed_on() {
    let house = House::new().allow("describe topic t");
    let leak: Response = build!(m::ListGroupsResponse {
        groups: vec![build!(m::list_groups_response::ListedGroup { group_id: text("secret") })],
    })
    .into();
    let outcome = house.ask_engine(sample(Api::Metadata), 9, |_| leak);
    assert_eq!(outcome.response.api(), Api::Metadata);
}

#[test]
fn only_silent_needs_have_no_error() {
    for row in TABLE {
        for need in row.needs.iter().filter(|need| need.error == ErrorCode::None) {
            let silent = matches!(
                Api::from_key(row.api_key),
                Some(
                    Api::Metadata
                        | Api::ListGroups
                        | Api::CreateTopics
                        | Api::DeleteTopics
                        | Api::InitProducerId
                        | Api::DescribeCluster
                        | Api::OffsetForLeaderEpoch
                        | Api::WriteTxnMarkers
                        | Api::DescribeDelegationToken
                        | Api::DescribeTransactions
                        | Api::ListTransactions
                        | Api::StreamsGroupHeartbeat
                )
            );
            assert!(silent && need.scope != Scope::Any, "{} {}", row.name, need.operation);
        }
    }
}
