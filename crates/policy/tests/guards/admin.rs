//! The APIs of administration, and InitProducerId.

use schloss_wire::messages as m;
use schloss_wire::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use schloss_wire::messages::create_topics_request::CreatableTopic;
use schloss_wire::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use schloss_wire::messages::delete_topics_request::DeleteTopicState;
use schloss_wire::messages::describe_configs_request::DescribeConfigsResource;
use schloss_wire::messages::incremental_alter_configs_request::AlterConfigsResource;
use schloss_wire::{Api, Response, Uuid, build};

use crate::every_api::sample;
use crate::house::{House, Outcome, body, id, text};

fn create(names: &[&str]) -> m::CreateTopicsRequest {
    let topics = names.iter().map(|name| build!(CreatableTopic { name: text(name) }));
    build!(m::CreateTopicsRequest { topics: topics.collect() })
}

fn created(outcome: &Outcome) -> Vec<(&str, i16, Option<&str>)> {
    let response = body!(&outcome.response, Response::CreateTopics);
    response.topics.iter().map(|t| (t.name.as_str(), t.error_code, t.error_message.as_deref())).collect()
}

#[test]
fn topics_are_created_with_create_on_the_cluster_or_on_each() {
    let denied = Some("Authorization failed.");
    for version in 2..=7 {
        let outcome = House::new().allow("write topic *").ask(create(&["t"]), version);
        assert!(outcome.is_refused());
        assert_eq!(created(&outcome), [("t", 29, denied)]);
        assert_eq!(outcome.decided(), ["deny create topic t"], "the try on the cluster is no denial");

        let house = House::new().allow("create topic mine");
        let outcome = house.ask(create(&["yours", "mine", "yours"]), version);
        assert!(outcome.is_part());
        assert_eq!(created(&outcome), [("mine", 0, None), ("yours", 29, denied), ("yours", 29, denied)]);
        assert!(house.ask(create(&["mine"]), version).is_whole());

        let outcome = House::new().allow("create cluster kafka-cluster").ask(create(&["any"]), version);
        assert!(outcome.is_whole());
        assert_eq!(outcome.decided(), ["allow create cluster kafka-cluster"]);
    }
}

#[test]
fn a_denied_topic_is_not_created_under_a_duplicate_of_its_name() {
    let outcome = House::new().allow("create topic mine").ask(create(&["yours", "mine", "mine", "yours"]), 7);
    let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::CreateTopics);
    assert!(admitted.topics.iter().all(|topic| topic.name.as_str() == "mine"));
}

#[test]
fn the_topic_of_kafkas_own_metadata_is_nobodys_to_create() {
    let outcome = House::new().super_user().ask(create(&["__cluster_metadata"]), 7);
    assert!(outcome.is_refused());
    assert_eq!(created(&outcome)[0].1, 42);
}

#[test]
fn settings_of_a_new_topic_are_told_to_those_who_may_describe_them() {
    let engine = |_: &schloss_wire::Request| -> Response {
        let topic = build!(CreatableTopicResult {
            name: text("t"),
            topic_id: id(1),
            num_partitions: 6,
            replication_factor: 1,
            configs: Some(vec![build!(CreatableTopicConfigs { name: text("secret.setting") })]),
        });
        build!(m::CreateTopicsResponse { topics: vec![topic] }).into()
    };
    let house = || House::new().allow("create topic t");
    for version in 5..=7 {
        let outcome = house().ask_engine(create(&["t"]), version, engine);
        assert!(outcome.is_whole());
        let response = body!(outcome.response, Response::CreateTopics);
        let topic = &response.topics[0];
        assert_eq!((topic.error_code, topic.topic_config_error_code), (0, 29));
        assert_eq!((topic.num_partitions, topic.replication_factor), (-1, -1));
        assert_eq!(topic.configs.as_deref(), Some(&[][..]));

        let outcome = house().allow("describe-configs topic t").ask_engine(create(&["t"]), version, engine);
        let response = body!(outcome.response, Response::CreateTopics);
        assert_eq!((response.topics[0].topic_config_error_code, response.topics[0].num_partitions), (0, 6));
    }
}

fn delete_names(names: &[&str]) -> m::DeleteTopicsRequest {
    build!(m::DeleteTopicsRequest { topic_names: names.iter().map(|name| text(name)).collect() })
}

fn delete_states(states: &[(Option<&str>, Uuid)]) -> m::DeleteTopicsRequest {
    let states = states
        .iter()
        .map(|(name, topic_id)| build!(DeleteTopicState { name: name.map(text), topic_id: *topic_id }));
    build!(m::DeleteTopicsRequest { topics: states.collect() })
}

fn deleted(outcome: &Outcome) -> Vec<(Option<&str>, Uuid, i16)> {
    let response = body!(&outcome.response, Response::DeleteTopics);
    response.responses.iter().map(|r| (r.name.as_deref(), r.topic_id, r.error_code)).collect()
}

#[test]
fn topics_are_deleted_with_delete_on_the_cluster_or_on_each() {
    let zero = Uuid::ZERO;
    let house = House::new().allow("delete topic mine");
    for version in 1..=6 {
        let request = |names: &[&str]| {
            if version < 6 {
                delete_names(names)
            } else {
                delete_states(&names.iter().map(|name| (Some(*name), zero)).collect::<Vec<_>>())
            }
        };
        let outcome = House::new().ask(request(&["t"]), version);
        assert!(outcome.is_refused());
        assert_eq!(deleted(&outcome), [(Some("t"), zero, 29)]);
        assert_eq!(outcome.decided(), ["deny delete topic t"]);

        let outcome = house.ask(request(&["yours", "mine", "yours"]), version);
        assert!(outcome.is_part());
        let expected = [(Some("mine"), zero, 0), (Some("yours"), zero, 29), (Some("yours"), zero, 29)];
        assert_eq!(deleted(&outcome), expected);
        assert!(house.ask(request(&["mine"]), version).is_whole());
        // ALL is the only way to DELETE on the cluster that can be written down.
        assert!(House::new().allow("all cluster kafka-cluster").ask(request(&["any"]), version).is_whole());
    }
}

#[test]
fn whether_a_topic_exists_is_told_to_those_who_may_describe_it() {
    let zero = Uuid::ZERO;
    let house = House::new().allow("describe topic seen");
    let outcome = house.ask(delete_names(&["seen", "unseen"]), 5);
    assert_eq!(deleted(&outcome), [(Some("seen"), zero, 3), (Some("unseen"), zero, 29)]);
    let existing = House::new().allow("describe topic seen").topic(1, "seen");
    assert_eq!(deleted(&existing.ask(delete_names(&["seen"]), 5)), [(Some("seen"), zero, 29)]);
    let blind = House::new().allow("delete topic t").deny("describe topic t");
    assert_eq!(deleted(&blind.ask(delete_names(&["t"]), 5)), [(Some("t"), zero, 29)]);
}

#[test]
fn an_id_is_deleted_by_whom_may_and_its_name_is_told_to_those_who_may_describe_it() {
    let house = House::new()
        .allow("delete topic mine")
        .allow("describe topic seen")
        .topic(1, "mine")
        .topic(2, "seen")
        .topic(3, "unseen");
    let ids: Vec<(Option<&str>, Uuid)> = [1, 2, 3, 4].map(|n| (None, id(n))).to_vec();
    let outcome = house.ask(delete_states(&ids), 6);
    assert!(outcome.is_part());
    let expected = [(None, id(1), 0), (Some("seen"), id(2), 29), (None, id(3), 29), (None, id(4), 100)];
    assert_eq!(deleted(&outcome), expected);
    assert!(house.ask(delete_states(&[(None, id(1))]), 6).is_whole());
    let unknown = House::new().super_user().ask(delete_states(&[(None, id(4))]), 6);
    assert_eq!(deleted(&unknown), [(None, id(4), 100)]);
}

#[test]
fn a_topic_that_is_named_and_numbered_or_neither_is_invalid_for_everybody() {
    for house in [House::new(), House::new().super_user().topic(1, "mine")] {
        let request = delete_states(&[(Some("yours"), id(1)), (None, Uuid::ZERO)]);
        let outcome = house.ask(request, 6);
        assert!(outcome.is_refused());
        assert_eq!(deleted(&outcome), [(None, Uuid::ZERO, 42), (Some("yours"), id(1), 42)]);
    }
}

fn init(transactional_id: Option<&str>) -> m::InitProducerIdRequest {
    build!(m::InitProducerIdRequest { transactional_id: transactional_id.map(text) })
}

fn init_code(outcome: &Outcome) -> i16 {
    let response = body!(&outcome.response, Response::InitProducerId);
    assert_eq!((response.producer_id, response.producer_epoch), (-1, -1));
    response.error_code
}

#[test]
fn an_idempotent_producer_needs_write_on_any_topic_or_idempotent_write() {
    for version in 0..=5 {
        let outcome = House::new().allow("read topic *").ask(init(None), version);
        assert!(outcome.is_refused());
        assert_eq!(init_code(&outcome), 31);
        assert_eq!(outcome.decided(), ["deny write topic *"]);
        assert!(House::new().allow("write topic t").ask(init(None), version).is_whole());
        let outcome = House::new().allow("idempotent-write cluster kafka-cluster").ask(init(None), version);
        assert!(outcome.is_whole());
        assert_eq!(outcome.decided(), ["allow idempotent-write cluster kafka-cluster"]);
        let denied = House::new().allow("write topic t").deny("write topic *");
        assert!(denied.ask(init(None), version).is_refused(), "a wildcard DENY dominates");
    }
}

#[test]
fn a_transactional_producer_needs_write_on_its_transactional_id() {
    let outcome = House::new().allow("write topic t").ask(init(Some("tx")), 5);
    assert!(outcome.is_refused());
    assert_eq!(init_code(&outcome), 53);
    let house = House::new().allow("write transactional-id tx");
    assert!(house.ask(init(Some("tx")), 5).is_whole());
    let mut request = init(Some("tx"));
    request.enable2_pc = true;
    assert_eq!(init_code(&house.ask(request.clone(), 6)), 53);
    let both = House::new().allow("write transactional-id tx").allow("two-phase-commit transactional-id tx");
    assert!(both.ask(request, 6).is_whole());
    assert!(House::new().ask(init(Some("")), 5).is_refused(), "an empty id is an id");
}

#[test]
fn acls_and_users_are_seen_with_describe_and_changed_with_alter_on_the_cluster() {
    let describer = House::new().allow("describe cluster kafka-cluster");
    let alterer = House::new().allow("alter cluster kafka-cluster");
    for (api, changes) in [
        (Api::DescribeAcls, false),
        (Api::CreateAcls, true),
        (Api::DeleteAcls, true),
        (Api::DescribeUserScramCredentials, false),
        (Api::AlterUserScramCredentials, true),
    ] {
        for version in api.range().min..=api.range().max {
            assert!(alterer.ask(sample(api), version).is_whole(), "ALTER implies DESCRIBE");
            assert_eq!(describer.ask(sample(api), version).is_whole(), !changes, "{}", api.name());
        }
    }
}

#[test]
fn quotas_are_seen_with_describe_configs_on_the_cluster() {
    let house = House::new().allow("describe-configs cluster kafka-cluster");
    for version in 0..=1 {
        assert!(house.ask(sample(Api::DescribeClientQuotas), version).is_whole());
        let response = body!(
            House::new().ask(sample(Api::DescribeClientQuotas), version).response,
            Response::DescribeClientQuotas
        );
        assert_eq!((response.error_code, response.entries), (31, None));
    }
}

#[test]
fn every_refused_creation_filter_and_user_has_its_own_result() {
    let creations = vec![m::create_acls_request::AclCreation::default(); 3];
    let outcome = House::new().ask(build!(m::CreateAclsRequest { creations }), 3);
    let results = body!(outcome.response, Response::CreateAcls).results;
    assert_eq!(results.iter().map(|r| r.error_code).collect::<Vec<_>>(), [31, 31, 31]);

    let filters = vec![m::delete_acls_request::DeleteAclsFilter::default(); 2];
    let outcome = House::new().ask(build!(m::DeleteAclsRequest { filters }), 3);
    let results = body!(outcome.response, Response::DeleteAcls).filter_results;
    assert_eq!(results.iter().map(|r| r.error_code).collect::<Vec<_>>(), [31, 31]);

    let deletion = |name: &str| build!(ScramCredentialDeletion { name: text(name), mechanism: 1 });
    let upsertion = |name: &str| build!(ScramCredentialUpsertion { name: text(name), mechanism: 2 });
    let request = build!(m::AlterUserScramCredentialsRequest {
        deletions: vec![deletion("u"), deletion("v")],
        upsertions: vec![upsertion("v"), upsertion("w")],
    });
    let results = body!(House::new().ask(request, 0).response, Response::AlterUserScramCredentials).results;
    let told: Vec<_> = results.iter().map(|r| (r.user.as_str(), r.error_code)).collect();
    assert_eq!(told, [("u", 31), ("v", 31), ("w", 31)]);

    let outcome = House::new().ask(sample(Api::DescribeUserScramCredentials), 0);
    let response = body!(outcome.response, Response::DescribeUserScramCredentials);
    assert_eq!((response.error_code, response.results[0].error_code), (31, 31));
    assert_eq!(response.results[0].user.as_str(), "", "as Kafka leaves it out");
    let everybody = build!(m::DescribeUserScramCredentialsRequest { users: None });
    let response = body!(House::new().ask(everybody, 0).response, Response::DescribeUserScramCredentials);
    assert_eq!(response.error_code, 31);

    let response = body!(House::new().ask(sample(Api::DescribeAcls), 3).response, Response::DescribeAcls);
    assert_eq!((response.error_code, response.resources.len()), (31, 0));
}

/// The types of configuration resources, with what they need and the error without it.
const CONFIGURED: [(i8, &str, &str, i16); 5] = [
    (2, "t", "topic t", 29),
    (32, "g", "group g", 30),
    (4, "1", "cluster kafka-cluster", 31),
    (8, "1", "cluster kafka-cluster", 31),
    (16, "metrics", "cluster kafka-cluster", 31),
];

#[test]
fn configurations_are_described_each_to_whom_may() {
    let resource = |(resource_type, name): (i8, &str)| {
        build!(DescribeConfigsResource { resource_type, resource_name: text(name) })
    };
    for (resource_type, name, needed, code) in CONFIGURED {
        let request = build!(m::DescribeConfigsRequest {
            resources: vec![resource((2, "open")), resource((resource_type, name))],
        });
        let house = || House::new().allow("describe-configs topic open");
        for version in 1..=4 {
            let outcome = house().ask(request.clone(), version);
            assert!(outcome.is_part());
            let results = body!(outcome.response, Response::DescribeConfigs).results;
            let told: Vec<_> =
                results.iter().map(|r| (r.resource_type, r.resource_name.as_str(), r.error_code)).collect();
            assert_eq!(told, [(2, "open", 0), (resource_type, name, code)]);
            assert!(results[1].error_message.as_deref().unwrap().ends_with("authorization failed."));
            let allowed = house().allow(&format!("describe-configs {needed}"));
            assert!(allowed.ask(request.clone(), version).is_whole(), "{needed}");
        }
    }
}

#[test]
fn configurations_are_altered_each_by_whom_may() {
    let resource = |(resource_type, name): (i8, &str)| {
        build!(AlterConfigsResource { resource_type, resource_name: text(name) })
    };
    for (resource_type, name, needed, code) in CONFIGURED {
        let request = build!(m::IncrementalAlterConfigsRequest {
            resources: vec![resource((resource_type, name)), resource((2, "open"))],
        });
        let house = || House::new().allow("alter-configs topic open").allow("describe-configs topic *");
        for version in 0..=1 {
            let outcome = house().ask(request.clone(), version);
            assert!(outcome.is_part());
            let results = body!(outcome.response, Response::IncrementalAlterConfigs).responses;
            let told: Vec<_> =
                results.iter().map(|r| (r.resource_type, r.resource_name.as_str(), r.error_code)).collect();
            assert_eq!(told, [(2, "open", 0), (resource_type, name, code)]);
            assert_eq!(results[1].error_message.is_some(), resource_type != 8, "loggers get no words");
            let allowed = house().allow(&format!("alter-configs {needed}"));
            assert!(allowed.ask(request.clone(), version).is_whole(), "{needed}");
        }
    }
}

#[test]
fn a_configuration_of_an_unknown_type_is_invalid_for_everybody() {
    for resource_type in [0, 1, 3, 5, 33, -1] {
        let described = build!(DescribeConfigsResource { resource_type, resource_name: text("t") });
        let request = build!(m::DescribeConfigsRequest { resources: vec![described] });
        let outcome = House::new().super_user().ask(request, 4);
        assert!(outcome.is_refused());
        assert_eq!(body!(outcome.response, Response::DescribeConfigs).results[0].error_code, 42);
        let altered = build!(AlterConfigsResource { resource_type, resource_name: text("t") });
        let request = build!(m::IncrementalAlterConfigsRequest { resources: vec![altered] });
        let outcome = House::new().super_user().ask(request, 1);
        assert!(outcome.is_refused());
        assert_eq!(body!(outcome.response, Response::IncrementalAlterConfigs).responses[0].error_code, 42);
    }
}

#[test]
fn partitions_are_added_with_alter_on_each_topic() {
    let topic = |name: &str| {
        build!(m::create_partitions_request::CreatePartitionsTopic { name: text(name), count: 9 })
    };
    let request = build!(m::CreatePartitionsRequest { topics: vec![topic("yours"), topic("mine")] });
    let house = House::new().allow("alter topic mine").allow("create topic yours");
    for version in 0..=3 {
        let outcome = house.ask(request.clone(), version);
        assert!(outcome.is_part());
        let results = body!(outcome.response, Response::CreatePartitions).results;
        let told: Vec<_> = results.iter().map(|r| (r.name.as_str(), r.error_code)).collect();
        assert_eq!(told, [("mine", 0), ("yours", 29)]);
        assert!(House::new().allow("alter topic *").ask(request.clone(), version).is_whole());
    }
}
