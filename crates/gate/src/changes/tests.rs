use schloss_policy::{is_administrative, refuse};
use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, build};

use super::*;
use crate::security_apis;

fn text(text: &str) -> StrBytes {
    StrBytes::from(text)
}

fn told(changes: &[Change]) -> Vec<(&str, &str, i16)> {
    changes.iter().map(|change| (change.resource_type, change.name.as_str(), change.error)).collect()
}

/// What is recorded of a request and its answer.
fn record(request: impl Into<Request>, response: impl Into<Response>) -> Vec<Change> {
    let mut changes = planned(&request.into());
    add_results(&mut changes, &response.into());
    changes
}

/// One request for each administrative API of an engine, for two things where it can ask for two.
fn requests() -> Vec<Request> {
    let config = |name: &str| {
        build!(m::alter_configs_request::AlterableConfig { name: text(name), value: Some(text("hunter2")) })
    };
    vec![
        build!(m::CreateTopicsRequest {
            topics: vec![build!(m::create_topics_request::CreatableTopic { name: text("a") })]
        })
        .into(),
        build!(m::DeleteTopicsRequest { topic_names: vec![text("a")] }).into(),
        build!(m::CreatePartitionsRequest {
            topics: vec![build!(m::create_partitions_request::CreatePartitionsTopic { name: text("a") })]
        })
        .into(),
        build!(m::DeleteRecordsRequest { topics: vec![delete_records("a"), delete_records("b")] }).into(),
        build!(m::AlterReplicaLogDirsRequest {
            dirs: vec![replicas("/1", &["b", "a"]), replicas("/2", &["a"])]
        })
        .into(),
        build!(m::AlterPartitionReassignmentsRequest { topics: vec![reassign("a"), reassign("b")] }).into(),
        elect(Some(&["a", "b"])).into(),
        build!(m::WriteTxnMarkersRequest { markers: vec![marker(7), marker(8)] }).into(),
        build!(m::AlterConfigsRequest {
            resources: vec![build!(m::alter_configs_request::AlterConfigsResource {
                resource_type: 4,
                resource_name: text("1"),
                configs: vec![config("ssl.keystore.password"), config("compression.type")],
            })]
        })
        .into(),
        incremental(&["ssl.keystore.password", "ssl.keystore.key", "retention.ms"]).into(),
        build!(m::AlterClientQuotasRequest { entries: vec![quota(Some("u")), quota(None)] }).into(),
        build!(m::DeleteGroupsRequest { groups_names: vec![text("g")] }).into(),
        build!(m::OffsetDeleteRequest {
            group_id: text("g"),
            topics: vec![build!(m::offset_delete_request::OffsetDeleteRequestTopic {
                name: text("a"),
                partitions: vec![build!(m::offset_delete_request::OffsetDeleteRequestPartition {
                    partition_index: 3
                })],
            })],
        })
        .into(),
        build!(m::AlterShareGroupOffsetsRequest {
            group_id: text("g"),
            topics: vec![build!(m::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic {
                topic_name: text("a"),
                partitions: vec![build!(
                    m::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestPartition {
                        partition_index: 3,
                        start_offset: 99
                    }
                )],
            })],
        })
        .into(),
        build!(m::DeleteShareGroupOffsetsRequest {
            group_id: text("g"),
            topics: vec![build!(
                m::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic {
                    topic_name: text("a")
                }
            )],
        })
        .into(),
        features(1).into(),
        build!(m::UnregisterBrokerRequest { broker_id: 3 }).into(),
        build!(m::AddRaftVoterRequest {
            voter_id: 4,
            listeners: vec![build!(m::add_raft_voter_request::Listener {
                name: text("CONTROLLER"),
                host: text("c4.example"),
                port: 9093
            })],
        })
        .into(),
        build!(m::RemoveRaftVoterRequest { voter_id: 4 }).into(),
    ]
}

fn delete_records(name: &str) -> m::delete_records_request::DeleteRecordsTopic {
    let partition = |partition_index| {
        build!(m::delete_records_request::DeleteRecordsPartition { partition_index, offset: 42 })
    };
    build!(m::delete_records_request::DeleteRecordsTopic {
        name: text(name),
        partitions: vec![partition(0), partition(1)]
    })
}

fn replicas(path: &str, names: &[&str]) -> m::alter_replica_log_dirs_request::AlterReplicaLogDir {
    let topic = |name: &&str| {
        build!(m::alter_replica_log_dirs_request::AlterReplicaLogDirTopic {
            name: text(name),
            partitions: vec![5]
        })
    };
    build!(m::alter_replica_log_dirs_request::AlterReplicaLogDir {
        path: text(path),
        topics: names.iter().map(topic).collect()
    })
}

fn reassign(name: &str) -> m::alter_partition_reassignments_request::ReassignableTopic {
    use m::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
    let partition = |partition_index, replicas| build!(ReassignablePartition { partition_index, replicas });
    build!(ReassignableTopic {
        name: text(name),
        partitions: vec![partition(0, Some(vec![1, 2])), partition(1, None)]
    })
}

fn elect(names: Option<&[&str]>) -> m::ElectLeadersRequest {
    let topic = |name: &&str| {
        build!(m::elect_leaders_request::TopicPartitions { topic: text(name), partitions: vec![0, 1] })
    };
    let topic_partitions = names.map(|names| names.iter().map(topic).collect());
    build!(m::ElectLeadersRequest { election_type: 1, topic_partitions })
}

fn marker(producer_id: i64) -> m::write_txn_markers_request::WritableTxnMarker {
    let topic = build!(m::write_txn_markers_request::WritableTxnMarkerTopic {
        name: text("a"),
        partition_indexes: vec![0, 1]
    });
    build!(m::write_txn_markers_request::WritableTxnMarker { producer_id, topics: vec![topic] })
}

fn incremental(names: &[&str]) -> m::IncrementalAlterConfigsRequest {
    let config = |name: &&str| {
        build!(m::incremental_alter_configs_request::AlterableConfig {
            name: text(name),
            config_operation: 0,
            value: Some(text("hunter2"))
        })
    };
    let resource = build!(m::incremental_alter_configs_request::AlterConfigsResource {
        resource_type: 2,
        resource_name: text("a"),
        configs: names.iter().map(config).collect()
    });
    build!(m::IncrementalAlterConfigsRequest { resources: vec![resource] })
}

fn quota(user: Option<&str>) -> m::alter_client_quotas_request::EntryData {
    let part = |entity_type: &str, name: Option<&str>| {
        build!(m::alter_client_quotas_request::EntityData {
            entity_type: text(entity_type),
            entity_name: name.map(text)
        })
    };
    let op =
        build!(m::alter_client_quotas_request::OpData { key: text("producer_byte_rate"), value: 1024.0 });
    build!(m::alter_client_quotas_request::EntryData {
        entity: vec![part("user", user), part("client-id", None)],
        ops: vec![op]
    })
}

fn features(upgrade_type: i8) -> m::UpdateFeaturesRequest {
    let update = |name: &str| {
        build!(m::update_features_request::FeatureUpdateKey { feature: text(name), upgrade_type })
    };
    build!(m::UpdateFeaturesRequest { feature_updates: vec![update("x"), update("y")] })
}

#[test]
fn every_administrative_request_of_an_engine_says_what_it_is_about() {
    let requests = requests();
    let served = Api::ALL.iter().filter(|api| is_administrative(**api) && !security_apis::serves(**api));
    for api in served {
        let request = requests.iter().find(|request| request.api() == *api);
        let request = request.unwrap_or_else(|| panic!("{} is not tried here", api.name()));
        let changes = planned(request);
        // Only the answer knows the names of topics that are deleted by id.
        assert_eq!(changes.is_empty(), *api == Api::DeleteTopics, "{}", api.name());
        for change in changes {
            assert!(change.error == -1 && !change.name.is_empty(), "{}", api.name());
            assert!(change.what["action"].is_string(), "{}", api.name());
        }
    }
}

#[test]
fn the_answer_tells_of_every_change_whether_it_was_done_or_why_not() {
    for request in requests() {
        let api = request.api();
        for (code, said) in [(ErrorCode::None, 0), (ErrorCode::PolicyViolation, 44)] {
            let version = api.range().max;
            let changes = record(request.clone(), refuse(&request, version, code, None));
            for (resource_type, name, error) in told(&changes) {
                assert_eq!(error, said, "{} of {resource_type} {name}", api.name());
            }
        }
    }
}

#[test]
fn an_answer_of_another_api_leaves_every_change_unknown() {
    for request in requests() {
        let changes = record(request, m::MetadataResponse::default());
        assert!(changes.iter().all(|change| change.error == -1));
    }
}

#[test]
fn a_secret_setting_is_hidden() {
    for request in requests() {
        let shown = planned(&request).iter().map(|change| change.what.to_string()).collect::<String>();
        let is_config = matches!(request, Request::AlterConfigs(_) | Request::IncrementalAlterConfigs(_));
        assert_eq!(shown.matches("hunter2").count(), usize::from(is_config), "{shown}");
    }
}

#[test]
fn a_topic_deleted_by_id_is_named_by_the_answer() {
    let topic =
        build!(m::delete_topics_response::DeletableTopicResult { name: Some(text("orders")), error_code: 0 });
    let changes = record(
        build!(m::DeleteTopicsRequest { topic_names: Vec::new() }),
        build!(m::DeleteTopicsResponse { responses: vec![topic] }),
    );
    assert_eq!(told(&changes), [("Topic", "orders", 0)]);
}

#[test]
fn partitions_that_failed_are_told_apart() {
    use m::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
    let result = |name: &str, codes: [i16; 2]| {
        let partitions = codes.iter().zip(0..).map(|(&error_code, partition_index)| {
            build!(DeleteRecordsPartitionResult { partition_index, error_code })
        });
        build!(DeleteRecordsTopicResult { name: text(name), partitions: partitions.collect() })
    };
    let changes = record(
        build!(m::DeleteRecordsRequest { topics: vec![delete_records("a"), delete_records("b")] }),
        build!(m::DeleteRecordsResponse { topics: vec![result("b", [0, 6]), result("a", [0, 0])] }),
    );
    assert_eq!(told(&changes), [("Topic", "a", 0), ("Topic", "b", 6)]);
    assert!(changes[0].what.get("failed").is_none());
    let expected = serde_json::json!([{ "partition": 1, "error": "NOT_LEADER_OR_FOLLOWER" }]);
    assert_eq!(changes[1].what["failed"], expected);
    assert_eq!(changes[1].what["partitions"][1]["beforeOffset"], 42);
}

#[test]
fn replicas_that_move_to_two_directories_are_one_change_of_their_topic() {
    use m::alter_replica_log_dirs_response::{
        AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
    };
    let result = |name: &str, error_code: i16| {
        let partition = build!(AlterReplicaLogDirPartitionResult { partition_index: 5, error_code });
        build!(AlterReplicaLogDirTopicResult { topic_name: text(name), partitions: vec![partition] })
    };
    let changes = record(
        build!(m::AlterReplicaLogDirsRequest {
            dirs: vec![replicas("/1", &["b", "a"]), replicas("/2", &["a"])]
        }),
        // The same topic twice: a denial is added to what an engine answered.
        build!(m::AlterReplicaLogDirsResponse {
            results: vec![result("a", 0), result("b", 0), result("a", 57)]
        }),
    );
    assert_eq!(told(&changes), [("Topic", "a", 57), ("Topic", "b", 0)]);
    assert_eq!(changes[0].what["directories"].as_array().unwrap().len(), 2);
}

#[test]
fn an_election_in_all_partitions_is_one_change_and_those_that_the_answer_names() {
    use m::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
    let partition = |partition_id, error_code| build!(PartitionResult { partition_id, error_code });
    let response = build!(m::ElectLeadersResponse {
        replica_election_results: vec![build!(ReplicaElectionResult {
            topic: text("a"),
            partition_result: vec![partition(0, 0), partition(1, 80)]
        })]
    });
    let changes = record(elect(None), response);
    assert_eq!(told(&changes), [("Cluster", "kafka-cluster", 0), ("Topic", "a", 80)]);
    assert_eq!(changes[0].what["electionType"], "unclean");
    assert_eq!(changes[0].what["partitions"], "all");
    assert_eq!(changes[1].what["partitions"], serde_json::json!([0, 1]));
    let changes = record(elect(None), build!(m::ElectLeadersResponse { error_code: 41 }));
    assert_eq!(told(&changes), [("Cluster", "kafka-cluster", 41)]);
}

#[test]
fn a_request_that_failed_as_a_whole_failed_in_every_entry() {
    let reassignments = build!(m::AlterPartitionReassignmentsRequest { topics: vec![reassign("a")] });
    let changes =
        record(reassignments.clone(), build!(m::AlterPartitionReassignmentsResponse { error_code: 41 }));
    assert_eq!(told(&changes), [("Topic", "a", 41)]);
    assert_eq!(changes[0].what["partitions"][1]["replicas"], Value::Null, "cancelled");
    let changes = record(reassignments, m::AlterPartitionReassignmentsResponse::default());
    assert_eq!(told(&changes), [("Topic", "a", -1)], "what the answer is silent about is not known");

    let changes = record(features(3), build!(m::UpdateFeaturesResponse { error_code: 95 }));
    assert_eq!(told(&changes), [("Feature", "x", 95), ("Feature", "y", 95)]);
    assert_eq!(changes[0].what["upgradeType"], "unsafe downgrade");
}

#[test]
fn features_have_results_of_their_own_before_version_2() {
    use m::update_features_response::UpdatableFeatureResult;
    let result = |name: &str, error_code| build!(UpdatableFeatureResult { feature: text(name), error_code });
    let response = build!(m::UpdateFeaturesResponse { results: vec![result("x", 0), result("y", 95)] });
    assert_eq!(told(&record(features(1), response)), [("Feature", "x", 0), ("Feature", "y", 95)]);
    assert_eq!(
        told(&record(features(1), m::UpdateFeaturesResponse::default())),
        [("Feature", "x", 0), ("Feature", "y", 0)]
    );
}

#[test]
fn a_quota_is_named_by_whom_it_is_for_in_whatever_order() {
    use m::alter_client_quotas_response::{EntityData, EntryData};
    let part = |entity_type: &str, name: Option<&str>| {
        build!(EntityData { entity_type: text(entity_type), entity_name: name.map(text) })
    };
    let entry = |error_code, entity| build!(EntryData { error_code, entity });
    let changes = record(
        build!(m::AlterClientQuotasRequest { entries: vec![quota(Some("u")), quota(None)] }),
        build!(m::AlterClientQuotasResponse {
            entries: vec![
                entry(0, vec![part("client-id", None), part("user", None)]),
                entry(42, vec![part("user", Some("u")), part("client-id", None)]),
            ]
        }),
    );
    assert_eq!(
        told(&changes),
        [
            ("ClientQuota", "client-id=<default>,user=u", 42),
            ("ClientQuota", "client-id=<default>,user=<default>", 0)
        ]
    );
    assert_eq!(changes[0].what["quotas"][0]["value"], 1024.0);
}

#[test]
fn offsets_are_changes_of_their_group() {
    use m::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
    let topic = |name: &str, partition_index, error_code| {
        let partition = build!(OffsetDeleteResponsePartition { partition_index, error_code });
        build!(OffsetDeleteResponseTopic { name: text(name), partitions: vec![partition] })
    };
    let request = || requests().into_iter().find(|request| request.api() == Api::OffsetDelete).unwrap();
    let response =
        |error_code, topics| build!(m::OffsetDeleteResponse { error_code: error_code, topics: topics });
    let changes = record(request(), response(0, vec![topic("a", 3, 86)]));
    assert_eq!(told(&changes), [("Group", "g", 86)]);
    let failed = &changes[0].what["failed"][0];
    assert_eq!((&failed["topic"], &failed["partition"]), (&"a".into(), &3.into()));
    assert_eq!(told(&record(request(), response(69, Vec::new()))), [("Group", "g", 69)]);
    assert_eq!(told(&record(request(), response(0, vec![topic("a", 3, 0)]))), [("Group", "g", 0)]);
}
