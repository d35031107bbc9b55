//! The APIs over the cluster itself: replicas, leaders, quotas, features, its quorum, telemetry.

use schloss_policy::RESERVED_TOPIC_PREFIX;
use schloss_wire::messages as m;
use schloss_wire::{Api, Request, Response, build};

use crate::every_api::sample;
use crate::house::{House, Outcome, body, text};

const RESERVED: &str = "__schloss_metadata";
const ALTER: &str = "alter cluster kafka-cluster";
const DESCRIBE: &str = "describe cluster kafka-cluster";

fn versions(api: Api) -> std::ops::RangeInclusive<i16> {
    api.range().min..=api.range().max
}

/// What reached the engine, as text.
fn admitted(outcome: &Outcome) -> String {
    format!("{:?}", outcome.admitted.as_ref().map(|(request, _)| request))
}

#[test]
fn each_needs_its_operation_on_the_cluster_and_passes_unrepaired_with_it() {
    for (api, needed, other) in [
        (Api::AlterReplicaLogDirs, "alter", "alter-configs"),
        (Api::DescribeLogDirs, "describe", "describe-configs"),
        (Api::ElectLeaders, "alter", "cluster-action"),
        (Api::AlterPartitionReassignments, "alter", "describe"),
        (Api::ListPartitionReassignments, "describe", "describe-configs"),
        (Api::AlterClientQuotas, "alter-configs", "alter"),
        (Api::DescribeQuorum, "describe", "describe-configs"),
        (Api::UpdateFeatures, "alter", "alter-configs"),
        (Api::UnregisterBroker, "alter", "cluster-action"),
        (Api::ListConfigResources, "describe-configs", "describe"),
        (Api::AddRaftVoter, "alter", "cluster-action"),
        (Api::RemoveRaftVoter, "alter", "cluster-action"),
    ] {
        for version in versions(api) {
            let outcome =
                House::new().allow(&format!("{other} cluster kafka-cluster")).ask(sample(api), version);
            assert!(outcome.is_refused(), "{} v{version} with {other}", api.name());
            assert_eq!(outcome.decided(), [format!("deny {needed} cluster kafka-cluster")]);
            let outcome =
                House::new().allow(&format!("{needed} cluster kafka-cluster")).ask(sample(api), version);
            assert!(outcome.is_whole(), "{} v{version} with {needed}", api.name());
            let needs_repair = api == Api::ListConfigResources && version > 0;
            assert_eq!(outcome.unrepaired, !needs_repair, "{} v{version}", api.name());
        }
    }
}

#[test]
fn a_denial_stands_where_kafka_puts_it() {
    let refused = |api: Api, version: i16| House::new().ask(sample(api), version).response;
    for version in versions(Api::AlterReplicaLogDirs) {
        let results =
            body!(refused(Api::AlterReplicaLogDirs, version), Response::AlterReplicaLogDirs).results;
        assert_eq!((&*results[0].topic_name, results[0].partitions[0].error_code), ("t", 31));
    }
    for version in versions(Api::DescribeLogDirs) {
        let response = body!(refused(Api::DescribeLogDirs, version), Response::DescribeLogDirs);
        assert_eq!((response.error_code, response.results.len()), (31, 0), "not encoded before version 3");
    }
    for version in versions(Api::ElectLeaders) {
        let response = body!(refused(Api::ElectLeaders, version), Response::ElectLeaders);
        assert_eq!(response.error_code, if version == 0 { 0 } else { 31 });
        let topic = &response.replica_election_results[0];
        assert_eq!((&*topic.topic, topic.partition_result[0].error_code), ("t", 31));
    }
    for version in versions(Api::AlterPartitionReassignments) {
        let response = refused(Api::AlterPartitionReassignments, version);
        let response = body!(response, Response::AlterPartitionReassignments);
        assert_eq!((response.error_code, response.responses[0].partitions[0].error_code), (31, 31));
    }
    let response = refused(Api::ListPartitionReassignments, 0);
    let response = body!(response, Response::ListPartitionReassignments);
    assert_eq!((response.error_code, &*response.topics[0].name), (31, "t"), "Kafka repeats the names");
    assert_eq!(response.error_message, None);
    for version in versions(Api::AlterClientQuotas) {
        let response = body!(refused(Api::AlterClientQuotas, version), Response::AlterClientQuotas);
        let entry = &response.entries[0];
        assert_eq!((entry.error_code, &*entry.entity[0].entity_type), (31, "user"));
        assert_eq!(entry.entity[0].entity_name.as_deref(), Some("u"));
        assert_eq!(entry.error_message.as_deref(), Some("Cluster authorization failed."));
    }
    for version in versions(Api::DescribeQuorum) {
        let response = body!(refused(Api::DescribeQuorum, version), Response::DescribeQuorum);
        assert_eq!((response.error_code, response.topics.len()), (31, 0));
    }
    for version in versions(Api::UpdateFeatures) {
        let response = body!(refused(Api::UpdateFeatures, version), Response::UpdateFeatures);
        assert_eq!((response.error_code, response.results.len()), (31, 0));
    }
}

#[test]
fn telemetry_is_open_to_everybody_and_passes_as_it_came() {
    for api in [Api::GetTelemetrySubscriptions, Api::PushTelemetry] {
        let outcome = House::new().ask(sample(api), 0);
        assert!(outcome.is_whole() && outcome.unrepaired && outcome.decisions.is_empty());
    }
}

/// The types of configuration resources, with what they need and the error without it.
const CONFIGURED: [(i8, &str, &str, i16); 4] = [
    (2, "t", "topic t", 29),
    (32, "g", "group g", 30),
    (4, "1", "cluster kafka-cluster", 31),
    (16, "metrics", "cluster kafka-cluster", 31),
];

#[test]
fn configurations_are_replaced_each_by_whom_may() {
    let resource = |(resource_type, name): (i8, &str)| {
        build!(m::alter_configs_request::AlterConfigsResource { resource_type, resource_name: text(name) })
    };
    for (resource_type, name, needed, code) in CONFIGURED {
        let request = build!(m::AlterConfigsRequest {
            resources: vec![resource((resource_type, name)), resource((2, "open"))],
        });
        let house = || House::new().allow("alter-configs topic open").allow("describe-configs topic *");
        for version in versions(Api::AlterConfigs) {
            let outcome = house().ask(request.clone(), version);
            assert!(outcome.is_part());
            let results = body!(outcome.response, Response::AlterConfigs).responses;
            let told: Vec<_> =
                results.iter().map(|r| (r.resource_type, r.resource_name.as_str(), r.error_code)).collect();
            assert_eq!(told, [(2, "open", 0), (resource_type, name, code)]);
            assert!(results[1].error_message.as_deref().unwrap().ends_with("authorization failed."));
            let outcome = house().allow(&format!("alter-configs {needed}")).ask(request.clone(), version);
            assert!(outcome.is_whole() && outcome.unrepaired, "{needed}");
        }
    }
    let request =
        build!(m::AlterConfigsRequest { resources: vec![resource((2, RESERVED)), resource((3, "x"))] });
    let outcome = House::new().super_user().ask(request, 2);
    assert!(outcome.is_refused());
    let codes = body!(outcome.response, Response::AlterConfigs)
        .responses
        .iter()
        .map(|r| r.error_code)
        .collect::<Vec<_>>();
    assert_eq!(codes, [29, 42]);
}

#[test]
fn replicas_of_reserved_topics_stay_in_their_directories() {
    let topic = |name: &str| {
        build!(m::alter_replica_log_dirs_request::AlterReplicaLogDirTopic {
            name: text(name),
            partitions: vec![0, 1],
        })
    };
    let dir = |path: &str, names: &[&str]| {
        build!(m::alter_replica_log_dirs_request::AlterReplicaLogDir {
            path: text(path),
            topics: names.iter().map(|name| topic(name)).collect(),
        })
    };
    let request = build!(m::AlterReplicaLogDirsRequest {
        dirs: vec![dir("/a", &[RESERVED]), dir("/b", &["t", RESERVED])],
    });
    for version in versions(Api::AlterReplicaLogDirs) {
        let outcome = House::new().super_user().ask(request.clone(), version);
        assert!(outcome.is_part());
        let left = &body!(&outcome.admitted.as_ref().unwrap().0, Request::AlterReplicaLogDirs).dirs;
        let left: Vec<_> = left.iter().map(|dir| (&*dir.path, dir.topics.len())).collect();
        assert_eq!(left, [("/b", 1)]);
        let results = &body!(&outcome.response, Response::AlterReplicaLogDirs).results;
        let told: Vec<_> = results
            .iter()
            .map(|topic| (&*topic.topic_name, topic.partitions.iter().map(|p| p.error_code).collect()))
            .collect();
        assert_eq!(told, [("t", vec![0, 0]), (RESERVED, vec![29, 29]), (RESERVED, vec![29, 29])]);
        assert!(outcome.decided().contains(&format!("deny describe topic {RESERVED}")));
    }
    let alone = build!(m::AlterReplicaLogDirsRequest { dirs: vec![dir("/a", &[RESERVED])] });
    assert!(House::new().super_user().ask(alone, 2).is_refused());
}

/// An engine with one directory that holds a topic and a reserved one, and heeds what is named.
fn log_dirs(request: &Request) -> Response {
    let asked = &body!(request, Request::DescribeLogDirs).topics;
    let is_asked = |name: &str| asked.as_ref().is_none_or(|list| list.iter().any(|t| &*t.topic == name));
    let names = ["t", RESERVED].into_iter().filter(|name| is_asked(name));
    let topics =
        names.map(|name| build!(m::describe_log_dirs_response::DescribeLogDirsTopic { name: text(name) }));
    let result = build!(m::describe_log_dirs_response::DescribeLogDirsResult {
        log_dir: text("/d"),
        topics: topics.collect(),
    });
    build!(m::DescribeLogDirsResponse { results: vec![result] }).into()
}

#[test]
fn reserved_topics_are_in_no_directory() {
    let named = |names: &[&str]| {
        names
            .iter()
            .map(|name| {
                build!(m::describe_log_dirs_request::DescribableLogDirTopic {
                    topic: text(name),
                    partitions: vec![0],
                })
            })
            .collect::<Vec<_>>()
    };
    let told = |outcome: &Outcome| {
        let results = &body!(&outcome.response, Response::DescribeLogDirs).results;
        results[0].topics.iter().map(|topic| topic.name.to_string()).collect::<Vec<_>>()
    };
    let house = House::new().allow(DESCRIBE);
    for version in versions(Api::DescribeLogDirs) {
        let outcome = house.ask_engine(build!(m::DescribeLogDirsRequest { topics: None }), version, log_dirs);
        assert!(outcome.is_whole());
        assert_eq!(told(&outcome), ["t"]);
        assert_eq!(outcome.decided().len(), 1, "what is left out of a listing is no denial");

        let mixed = build!(m::DescribeLogDirsRequest { topics: Some(named(&[RESERVED, "t"])) });
        let outcome = house.ask_engine(mixed, version, log_dirs);
        assert!(outcome.is_part() && !admitted(&outcome).contains(RESERVED));
        assert_eq!(told(&outcome), ["t"]);
        assert!(outcome.decided().contains(&format!("deny describe topic {RESERVED}")));

        let alone = build!(m::DescribeLogDirsRequest { topics: Some(named(&[RESERVED])) });
        let outcome = house.ask_engine(alone, version, log_dirs);
        assert_eq!(told(&outcome), [""; 0], "the directory is told, and that is all");
        let left = &body!(&outcome.admitted.as_ref().unwrap().0, Request::DescribeLogDirs).topics;
        assert_eq!(left.as_deref(), Some(&[][..]), "none must not become all");
    }
}

fn elect(election_type: i8, names: Option<&[&str]>) -> m::ElectLeadersRequest {
    let topic = |name: &&str| {
        build!(m::elect_leaders_request::TopicPartitions { topic: text(name), partitions: vec![0, 3] })
    };
    let topic_partitions = names.map(|names| names.iter().map(topic).collect());
    build!(m::ElectLeadersRequest { election_type, topic_partitions })
}

fn elected(outcome: &Outcome) -> Vec<(&str, Vec<(i32, i16)>)> {
    let results = &body!(&outcome.response, Response::ElectLeaders).replica_election_results;
    let codes = |topic: &m::elect_leaders_response::ReplicaElectionResult| {
        topic.partition_result.iter().map(|p| (p.partition_id, p.error_code)).collect()
    };
    results.iter().map(|topic| (&*topic.topic, codes(topic))).collect()
}

#[test]
fn reserved_topics_have_no_elections() {
    let house = House::new().allow(ALTER);
    for version in versions(Api::ElectLeaders) {
        for election_type in if version == 0 { 0..=0 } else { 0..=1 } {
            let outcome = house.ask(elect(election_type, Some(&[RESERVED, "t"])), version);
            assert!(outcome.is_part() && !admitted(&outcome).contains(RESERVED));
            assert_eq!(elected(&outcome), [("t", vec![(0, 0), (3, 0)]), (RESERVED, vec![(0, 29), (3, 29)])]);
            let outcome = house.ask(elect(election_type, Some(&[RESERVED])), version);
            assert!(outcome.is_refused());
            assert_eq!(elected(&outcome), [(RESERVED, vec![(0, 29), (3, 29)])]);
            assert_eq!(body!(&outcome.response, Response::ElectLeaders).error_code, 0);
        }
    }
}

#[test]
fn an_election_in_all_partitions_may_prefer_leaders_but_not_lose_records() {
    let everything = |_: &Request| -> Response {
        let result =
            |name: &str| build!(m::elect_leaders_response::ReplicaElectionResult { topic: text(name) });
        build!(m::ElectLeadersResponse { replica_election_results: vec![result(RESERVED), result("t")] })
            .into()
    };
    let house = House::new().super_user();
    for version in versions(Api::ElectLeaders) {
        let outcome = house.ask_engine(elect(0, None), version, everything);
        assert!(outcome.is_whole());
        assert_eq!(elected(&outcome), [("t", vec![])]);
    }
    for (version, election_type) in [(1, 1), (2, 1), (2, 7), (2, -1)] {
        let outcome = house.ask_engine(elect(election_type, None), version, everything);
        assert!(outcome.is_refused());
        assert_eq!(body!(&outcome.response, Response::ElectLeaders).error_code, 29);
        assert!(outcome.decided().contains(&format!("deny describe topic {RESERVED_TOPIC_PREFIX}")));
    }
    assert!(house.ask(elect(1, Some(&["t"])), 2).is_whole());
}

#[test]
fn reserved_topics_are_not_reassigned() {
    use m::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
    let request = |names: &[&str]| {
        let topic = |name: &&str| {
            build!(ReassignableTopic {
                name: text(name),
                partitions: vec![build!(ReassignablePartition { partition_index: 4, replicas: None })],
            })
        };
        build!(m::AlterPartitionReassignmentsRequest { topics: names.iter().map(topic).collect() })
    };
    let told = |outcome: &Outcome| {
        let response = body!(&outcome.response, Response::AlterPartitionReassignments);
        assert_eq!((response.error_code, &response.error_message), (0, &None));
        let line = |topic: &m::alter_partition_reassignments_response::ReassignableTopicResponse| {
            (topic.name.to_string(), topic.partitions[0].partition_index, topic.partitions[0].error_code)
        };
        response.responses.iter().map(line).collect::<Vec<_>>()
    };
    let house = House::new().allow(ALTER);
    for version in versions(Api::AlterPartitionReassignments) {
        let outcome = house.ask(request(&[RESERVED, "t"]), version);
        assert!(outcome.is_part() && !admitted(&outcome).contains(RESERVED));
        assert_eq!(told(&outcome), [("t".to_owned(), 4, 0), (RESERVED.to_owned(), 4, 29)]);
        let mut alone = request(&[RESERVED]);
        alone.allow_replication_factor_change = version == 0;
        let outcome = house.ask(alone, version);
        assert!(outcome.is_refused());
        assert_eq!(told(&outcome), [(RESERVED.to_owned(), 4, 29)]);
        let response = body!(&outcome.response, Response::AlterPartitionReassignments);
        assert_eq!(response.allow_replication_factor_change, version == 0, "Kafka repeats it");
    }
}

#[test]
fn reassignments_of_reserved_topics_are_not_listed() {
    use m::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
    use m::list_partition_reassignments_response::OngoingTopicReassignment;
    let engine = |_: &Request| -> Response {
        let topic = |name: &str| build!(OngoingTopicReassignment { name: text(name) });
        build!(m::ListPartitionReassignmentsResponse { topics: vec![topic(RESERVED), topic("t")] }).into()
    };
    let request = |names: Option<&[&str]>| {
        let topic = |name: &&str| build!(ListPartitionReassignmentsTopics { name: text(name) });
        let topics = names.map(|names| names.iter().map(topic).collect());
        build!(m::ListPartitionReassignmentsRequest { topics })
    };
    let house = House::new().allow(DESCRIBE);
    for (names, is_whole) in
        [(None, true), (Some(&[RESERVED, "t"][..]), false), (Some(&[RESERVED][..]), false)]
    {
        let outcome = house.ask_engine(request(names), 0, engine);
        assert_eq!((outcome.is_whole(), outcome.is_part()), (is_whole, !is_whole));
        let topics = &body!(&outcome.response, Response::ListPartitionReassignments).topics;
        assert_eq!(topics.iter().map(|topic| &*topic.name).collect::<Vec<_>>(), ["t"]);
        assert!(!admitted(&outcome).contains(RESERVED));
        let left = &body!(&outcome.admitted.as_ref().unwrap().0, Request::ListPartitionReassignments).topics;
        assert_eq!(left.is_none(), names.is_none(), "none must not become all");
    }
}

#[test]
fn the_quorum_of_a_reserved_topic_is_unknown_as_that_of_every_other() {
    use m::describe_quorum_request::{PartitionData, TopicData};
    let topic = |name: &str| {
        build!(TopicData {
            topic_name: text(name),
            partitions: vec![build!(PartitionData { partition_index: 2 })],
        })
    };
    let request =
        build!(m::DescribeQuorumRequest { topics: vec![topic("__cluster_metadata"), topic(RESERVED)] });
    for version in versions(Api::DescribeQuorum) {
        let outcome = House::new().super_user().ask(request.clone(), version);
        assert!(outcome.is_refused());
        let response = body!(outcome.response, Response::DescribeQuorum);
        let told: Vec<_> = response
            .topics
            .iter()
            .map(|topic| {
                (&*topic.topic_name, topic.partitions[0].partition_index, topic.partitions[0].error_code)
            })
            .collect();
        assert_eq!(told, [("__cluster_metadata", 2, 3), (RESERVED, 2, 3)]);
        assert_eq!(response.error_code, 0);
    }
}

#[test]
fn listed_resources_leave_reserved_topics_out() {
    use m::list_config_resources_response::ConfigResource;
    let engine = |_: &Request| -> Response {
        let resource = |resource_type: i8, name: &str| {
            build!(ConfigResource { resource_type, resource_name: text(name) })
        };
        let config_resources =
            vec![resource(2, "t"), resource(2, RESERVED), resource(32, RESERVED), resource(16, "m")];
        build!(m::ListConfigResourcesResponse { config_resources }).into()
    };
    let house = House::new().allow("describe-configs cluster kafka-cluster");
    for types in [vec![], vec![2], vec![32, 2]] {
        let request = build!(m::ListConfigResourcesRequest { resource_types: types });
        let outcome = house.ask_engine(request, 1, engine);
        assert!(outcome.is_whole());
        let listed = body!(outcome.response, Response::ListConfigResources).config_resources;
        let listed: Vec<_> = listed.iter().map(|r| (r.resource_type, &*r.resource_name)).collect();
        assert_eq!(listed, [(2, "t"), (32, RESERVED), (16, "m")], "a group may have any name");
    }
    let groups = build!(m::ListConfigResourcesRequest { resource_types: vec![16, 32] });
    assert!(house.ask(groups, 1).unrepaired, "no topic in the answer, nothing to repair");
}
