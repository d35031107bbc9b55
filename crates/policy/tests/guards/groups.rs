//! The APIs of consumer groups, and FindCoordinator.

use schloss_wire::messages as m;
use schloss_wire::messages::describe_groups_response::DescribedGroup;
use schloss_wire::messages::list_groups_response::ListedGroup;
use schloss_wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use schloss_wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use schloss_wire::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use schloss_wire::{Api, Uuid, build};

use crate::every_api::sample;
use crate::house::{House, Outcome, body, id, text};

#[test]
fn a_member_needs_read_on_its_group_and_is_refused_at_the_top() {
    let reader = House::new().allow("read group g");
    let describer = House::new().allow("describe group g").allow("read group other");
    for api in [Api::JoinGroup, Api::Heartbeat, Api::LeaveGroup, Api::SyncGroup] {
        for version in api.range().min..=api.range().max {
            assert!(reader.ask(sample(api), version).is_whole(), "{} v{version}", api.name());
            let outcome = describer.ask(sample(api), version);
            assert!(outcome.is_refused());
            assert_eq!(outcome.decided(), ["deny read group g"]);
            let code = match outcome.response {
                schloss_wire::Response::JoinGroup(response) => {
                    assert_eq!(response.generation_id, -1);
                    assert_eq!(response.protocol_name.is_none(), version >= 7);
                    response.error_code
                }
                schloss_wire::Response::Heartbeat(response) => response.error_code,
                schloss_wire::Response::LeaveGroup(response) => response.error_code,
                schloss_wire::Response::SyncGroup(response) => response.error_code,
                other => panic!("{other:?}"),
            };
            assert_eq!(code, 30, "{} v{version}", api.name());
        }
    }
}

fn commit(topics: &[(&str, Uuid)]) -> m::OffsetCommitRequest {
    let topics = topics.iter().map(|(name, topic_id)| {
        build!(OffsetCommitRequestTopic {
            name: text(name),
            topic_id: *topic_id,
            partitions: vec![build!(OffsetCommitRequestPartition { partition_index: 4 })],
        })
    });
    build!(m::OffsetCommitRequest { group_id: text("g"), topics: topics.collect() })
}

fn committed(outcome: &Outcome) -> Vec<(&str, Uuid, i32, i16)> {
    let response = body!(&outcome.response, Response::OffsetCommit);
    let parts = response.topics.iter().map(|topic| {
        let partition = &topic.partitions[0];
        (topic.name.as_str(), topic.topic_id, partition.partition_index, partition.error_code)
    });
    parts.collect()
}

#[test]
fn committing_needs_the_group_first_and_then_each_topic() {
    let zero = Uuid::ZERO;
    let request = commit(&[("mine", zero), ("yours", zero)]);
    let outcome = House::new().allow("read topic *").ask(request.clone(), 8);
    assert!(outcome.is_refused());
    assert_eq!(committed(&outcome), [("mine", zero, 4, 30), ("yours", zero, 4, 30)]);
    assert_eq!(outcome.decided(), ["deny read group g"], "topics are not looked at");

    let house = House::new().allow("read group g").allow("read topic mine").allow("describe topic yours");
    let outcome = house.ask(request, 8);
    assert!(outcome.is_part());
    assert_eq!(committed(&outcome), [("mine", zero, 4, 0), ("yours", zero, 4, 29)]);
    assert!(house.ask(commit(&[("mine", zero)]), 2).is_whole());
    assert!(house.ask(commit(&[("yours", zero)]), 8).is_refused());
}

#[test]
fn from_version_10_on_offsets_are_committed_by_topic_id() {
    let house =
        House::new().allow("read group g").allow("read topic mine").topic(1, "mine").topic(2, "yours");
    let outcome = house.ask(commit(&[("", id(1)), ("", id(2)), ("", id(3))]), 10);
    assert_eq!(committed(&outcome), [("", id(1), 4, 0), ("", id(2), 4, 29), ("", id(3), 4, 100)]);
    assert!(house.ask(commit(&[("", id(1))]), 10).is_whole());
}

fn fetch_one(topics: Option<&[&str]>) -> m::OffsetFetchRequest {
    let topics = topics.map(|names| {
        let topic =
            |name: &&str| build!(OffsetFetchRequestTopic { name: text(name), partition_indexes: vec![4] });
        names.iter().map(topic).collect()
    });
    build!(m::OffsetFetchRequest { group_id: text("g"), topics })
}

#[test]
fn offsets_of_one_group_need_describe_on_the_group_and_each_topic() {
    for version in 1..=7 {
        let outcome = House::new().allow("describe topic *").ask(fetch_one(Some(&["mine"])), version);
        assert!(outcome.is_refused());
        let response = body!(outcome.response, Response::OffsetFetch);
        if version == 1 {
            assert_eq!(response.topics[0].partitions[0].error_code, 30, "where there is no top-level error");
        } else {
            assert_eq!((response.error_code, response.topics.len()), (30, 0), "v{version}");
        }

        let house = House::new().allow("describe group g").allow("read topic mine");
        let outcome = house.ask_engine(fetch_one(Some(&["mine", "yours"])), version, |request| {
            let request = body!(request, Request::OffsetFetch);
            let topics = request.topics.iter().flatten();
            let topics = topics.map(|t| build!(OffsetFetchResponseTopic { name: t.name.clone() })).collect();
            build!(m::OffsetFetchResponse { topics }).into()
        });
        assert!(outcome.is_part());
        let response = body!(&outcome.response, Response::OffsetFetch);
        assert_eq!((response.error_code, response.topics[0].name.as_str()), (0, "mine"));
        let denied = &response.topics[1];
        let partition = &denied.partitions[0];
        assert_eq!((denied.name.as_str(), partition.partition_index, partition.error_code), ("yours", 4, 29));
        assert_eq!((partition.committed_offset, partition.metadata.as_deref()), (-1, Some("")));
        assert!(house.ask(fetch_one(Some(&["mine"])), version).is_whole());
    }
}

#[test]
fn offsets_of_all_topics_are_those_of_topics_that_may_be_described() {
    let house = House::new().allow("describe group g").allow("describe topic mine");
    let outcome = house.ask_engine(fetch_one(None), 5, |_| {
        let topics = ["mine", "yours"].map(|name| build!(OffsetFetchResponseTopic { name: text(name) }));
        build!(m::OffsetFetchResponse { topics: topics.into() }).into()
    });
    assert!(outcome.is_whole());
    let names: Vec<_> =
        body!(&outcome.response, Response::OffsetFetch).topics.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["mine"]);

    let ids = |house: &House, version: i16, answered: &[(&str, u8)]| -> Vec<Uuid> {
        let group = build!(OffsetFetchRequestGroup { group_id: text("g"), topics: None });
        let request = build!(m::OffsetFetchRequest { groups: vec![group] });
        let outcome = house.ask_engine(request, version, |_| {
            let topics = answered
                .iter()
                .map(|(name, n)| build!(OffsetFetchResponseTopics { name: text(name), topic_id: id(*n) }));
            let group = build!(OffsetFetchResponseGroup { group_id: text("g"), topics: topics.collect() });
            build!(m::OffsetFetchResponse { groups: vec![group] }).into()
        });
        assert!(outcome.is_whole() && !outcome.unrepaired);
        let response = body!(outcome.response, Response::OffsetFetch);
        response.groups[0].topics.iter().map(|topic| topic.topic_id).collect()
    };
    assert_eq!(ids(&house, 9, &[("mine", 1), ("yours", 2), ("", 1)]), [id(1)]);
    // From version 10 on answers carry ids and no names.
    let answered = [("", 1), ("", 2), ("", 3), ("", 4), ("", 0)];
    let house = house.topic(1, "mine").topic(2, "yours").topic(3, "__schloss_audit");
    assert_eq!(ids(&house, 10, &answered), [id(1)], "what has no name is left out");
    let house = house.allow("describe topic *").deny("describe topic mine");
    assert_eq!(ids(&house, 10, &answered), [id(2)], "a rule for all is none for a topic that is denied");
}

fn group(name: &str, topics: &[(&str, Uuid)]) -> OffsetFetchRequestGroup {
    let topics = topics.iter().map(|(name, topic_id)| {
        build!(OffsetFetchRequestTopics { name: text(name), topic_id: *topic_id, partition_indexes: vec![4] })
    });
    build!(OffsetFetchRequestGroup { group_id: text(name), topics: Some(topics.collect()) })
}

/// Group, error of the group, and topic with error of the first partition.
type FetchedGroup = (String, i16, Vec<(String, Uuid, Option<i16>)>);

fn fetched_groups(outcome: Outcome) -> Vec<FetchedGroup> {
    let response = body!(outcome.response, Response::OffsetFetch);
    let groups = response.groups.iter().map(|group| {
        let topics = group.topics.iter().map(|topic| {
            let code = topic.partitions.first().map(|partition| partition.error_code);
            (topic.name.as_str().to_owned(), topic.topic_id, code)
        });
        (group.group_id.as_str().to_owned(), group.error_code, topics.collect())
    });
    groups.collect()
}

#[test]
fn of_several_groups_each_is_refused_for_itself() {
    let zero = Uuid::ZERO;
    let house = House::new()
        .allow("describe group g")
        .allow("describe group h")
        .allow("describe topic mine")
        .topic(1, "mine")
        .topic(2, "yours");
    let engine = |request: &schloss_wire::Request| {
        let request = body!(request, Request::OffsetFetch);
        let groups = request.groups.iter().map(|group| {
            let topics = group.topics.iter().flatten().map(|topic| {
                build!(OffsetFetchResponseTopics { name: topic.name.clone(), topic_id: topic.topic_id })
            });
            build!(OffsetFetchResponseGroup { group_id: group.group_id.clone(), topics: topics.collect() })
        });
        build!(m::OffsetFetchResponse { groups: groups.collect() }).into()
    };
    let named = build!(m::OffsetFetchRequest {
        groups: vec![
            group("g", &[("mine", zero), ("yours", zero)]),
            group("h", &[("yours", zero)]),
            group("secret", &[("mine", zero)]),
        ],
    });
    let outcome = house.ask_engine(named, 8, engine);
    assert!(outcome.is_part());
    let topic = |name: &str, code| (name.to_owned(), zero, code);
    assert_eq!(
        fetched_groups(outcome),
        [
            ("g".to_owned(), 0, vec![topic("mine", None), topic("yours", Some(29))]),
            ("secret".to_owned(), 30, vec![]),
            ("h".to_owned(), 0, vec![topic("yours", Some(29))]),
        ]
    );

    let by_id =
        build!(m::OffsetFetchRequest { groups: vec![group("g", &[("", id(1)), ("", id(2)), ("", id(3))])] });
    let topics = [(id(1), None), (id(2), Some(29)), (id(3), Some(100))];
    let topics = topics.map(|(topic, code)| (String::new(), topic, code)).to_vec();
    assert_eq!(fetched_groups(house.ask_engine(by_id, 10, engine)), [("g".to_owned(), 0, topics)]);

    let allowed = build!(m::OffsetFetchRequest { groups: vec![group("g", &[("mine", zero)])] });
    let outcome = house.ask_engine(allowed, 9, engine);
    assert!(outcome.is_whole() && outcome.unrepaired);
}

#[test]
fn a_group_that_failed_as_a_whole_says_nothing_about_topics() {
    let zero = Uuid::ZERO;
    let house = House::new().allow("describe group g").allow("describe topic mine");
    let request =
        build!(m::OffsetFetchRequest { groups: vec![group("g", &[("mine", zero), ("yours", zero)])] });
    let outcome = house.ask_engine(request, 8, |_| {
        let group = build!(OffsetFetchResponseGroup { group_id: text("g"), error_code: 16 });
        build!(m::OffsetFetchResponse { groups: vec![group] }).into()
    });
    assert_eq!(fetched_groups(outcome), [("g".to_owned(), 16, vec![])]);
}

fn find(key_type: i8, keys: &[&str]) -> m::FindCoordinatorRequest {
    build!(m::FindCoordinatorRequest {
        key: text(keys[0]),
        key_type,
        coordinator_keys: keys.iter().map(|key| text(key)).collect(),
    })
}

#[test]
fn a_coordinator_is_told_to_those_who_may_describe_what_it_coordinates() {
    for (key_type, allowed, code) in [(0, "describe group k", 30), (1, "write transactional-id k", 53)] {
        let house = House::new().allow(allowed);
        for version in 1..=3 {
            let outcome = House::new().ask(find(key_type, &["k"]), version);
            assert!(outcome.is_refused());
            let response = body!(outcome.response, Response::FindCoordinator);
            assert_eq!((response.error_code, response.node_id, response.port), (code, -1, -1));
            assert!(response.error_message.as_deref().unwrap().ends_with("authorization failed."));
            assert!(house.ask(find(key_type, &["k"]), version).is_whole());
        }
        for version in 4..=6 {
            let outcome = house.ask(find(key_type, &["k", "other", "other"]), version);
            assert!(outcome.is_part());
            let response = body!(&outcome.response, Response::FindCoordinator);
            let told: Vec<_> = response.coordinators.iter().map(|c| (c.key.as_str(), c.error_code)).collect();
            assert_eq!(told, [("k", 0), ("other", code), ("other", code)]);
            assert_eq!(response.coordinators[1].node_id, -1);
            assert_eq!(response.coordinators[1].error_message.as_deref(), Some(""), "as Kafka leaves it");
            assert!(house.ask(find(key_type, &["k"]), version).is_whole());
        }
    }
}

#[test]
fn a_share_coordinator_is_for_brokers_and_other_key_types_are_invalid() {
    let outcome = House::new().allow("describe group *").ask(find(2, &["k"]), 6);
    assert!(outcome.is_refused());
    let told = &body!(outcome.response, Response::FindCoordinator).coordinators[0];
    assert_eq!((told.error_code, told.error_message.as_deref()), (31, Some("Cluster authorization failed.")));
    assert!(House::new().allow("cluster-action cluster kafka-cluster").ask(find(2, &["k"]), 6).is_whole());
    for (key_type, version) in [(2, 5), (3, 6), (-1, 6), (2, 3)] {
        let outcome = House::new().super_user().ask(find(key_type, &["k"]), version);
        assert!(outcome.is_refused(), "type {key_type} v{version}");
        let response = body!(outcome.response, Response::FindCoordinator);
        let code = if version < 4 { response.error_code } else { response.coordinators[0].error_code };
        assert_eq!(code, 42);
    }
}

#[test]
fn groups_are_described_each_to_whom_may_and_with_operations_only_if_asked() {
    let house = House::new().allow("read group mine");
    let engine = |request: &schloss_wire::Request| {
        let request = body!(request, Request::DescribeGroups);
        let groups = request
            .groups
            .iter()
            .map(|g| build!(DescribedGroup { group_id: g.clone(), authorized_operations: i32::MIN }));
        build!(m::DescribeGroupsResponse { groups: groups.collect() }).into()
    };
    let told = |outcome: Outcome| -> Vec<(String, i16, i32)> {
        let response = body!(outcome.response, Response::DescribeGroups);
        let group =
            |g: &DescribedGroup| (g.group_id.as_str().to_owned(), g.error_code, g.authorized_operations);
        response.groups.iter().map(group).collect()
    };
    for version in 0..=6 {
        let mut request = build!(m::DescribeGroupsRequest { groups: vec![text("yours"), text("mine")] });
        let outcome = house.ask_engine(request.clone(), version, engine);
        assert!(outcome.is_part());
        assert_eq!(told(outcome), [("mine".to_owned(), 0, i32::MIN), ("yours".to_owned(), 30, i32::MIN)]);
        request.include_authorized_operations = true;
        let bits = if version >= 3 { 1 << 3 | 1 << 8 } else { i32::MIN };
        let outcome = house.ask_engine(request, version, engine);
        assert_eq!(told(outcome), [("mine".to_owned(), 0, bits), ("yours".to_owned(), 30, i32::MIN)]);
    }
    let request = build!(m::DescribeGroupsRequest { groups: vec![text("mine")] });
    assert!(house.ask_engine(request, 5, engine).is_whole());
}

#[test]
fn listed_groups_are_those_that_may_be_described_unless_the_cluster_may() {
    let listed = |house: House| -> Vec<String> {
        let outcome = house.ask_engine(m::ListGroupsRequest::default(), 4, |_| {
            let groups = ["mine", "yours"].map(|name| build!(ListedGroup { group_id: text(name) }));
            build!(m::ListGroupsResponse { groups: groups.into() }).into()
        });
        assert!(outcome.is_whole() && outcome.decisions.is_empty());
        let response = body!(outcome.response, Response::ListGroups);
        response.groups.iter().map(|group| group.group_id.as_str().to_owned()).collect()
    };
    assert_eq!(listed(House::new()), [""; 0]);
    assert_eq!(listed(House::new().allow("read group mine")), ["mine"]);
    assert_eq!(listed(House::new().allow("describe cluster kafka-cluster")), ["mine", "yours"]);
}

#[test]
fn groups_are_deleted_each_by_whom_may() {
    let request =
        build!(m::DeleteGroupsRequest { groups_names: vec![text("yours"), text("mine"), text("yours")] });
    let house = House::new().allow("delete group mine").allow("read group yours");
    for version in 0..=3 {
        let outcome = house.ask(request.clone(), version);
        assert!(outcome.is_part());
        let response = body!(&outcome.response, Response::DeleteGroups);
        let told: Vec<_> = response.results.iter().map(|r| (r.group_id.as_str(), r.error_code)).collect();
        assert_eq!(told, [("mine", 0), ("yours", 30), ("yours", 30)]);
        let mine = build!(m::DeleteGroupsRequest { groups_names: vec![text("mine")] });
        assert!(house.ask(mine, version).is_whole());
    }
}
