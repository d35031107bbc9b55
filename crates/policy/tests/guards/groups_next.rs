//! The APIs of consumer groups of the new protocol, and of share groups, that are about members.

use schloss_wire::messages as m;
use schloss_wire::messages::consumer_group_describe_response as cd;
use schloss_wire::messages::consumer_group_heartbeat_response as ch;
use schloss_wire::messages::share_group_describe_response as sd;
use schloss_wire::messages::share_group_heartbeat_response as sh;
use schloss_wire::{Response, Uuid, build};

use crate::house::{House, Outcome, body, id, text};

fn subscribing(names: &[&str]) -> m::ConsumerGroupHeartbeatRequest {
    build!(m::ConsumerGroupHeartbeatRequest {
        group_id: text("g"),
        subscribed_topic_names: Some(names.iter().map(|name| text(name)).collect()),
    })
}

fn share_subscribing(names: &[&str]) -> m::ShareGroupHeartbeatRequest {
    build!(m::ShareGroupHeartbeatRequest {
        group_id: text("g"),
        subscribed_topic_names: Some(names.iter().map(|name| text(name)).collect()),
    })
}

fn heartbeat_code(outcome: &Outcome) -> i16 {
    match &outcome.response {
        Response::ConsumerGroupHeartbeat(response) => response.error_code,
        Response::ShareGroupHeartbeat(response) => response.error_code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_member_needs_read_on_its_group_and_describe_on_all_that_it_names() {
    let house = House::new().allow("read group g").allow("describe topic a").allow("read topic b");
    for version in 0..=1 {
        assert!(house.ask(subscribing(&["a", "b"]), version).is_whole());
        let outcome = house.ask(subscribing(&["a", "c", "b", "d"]), version);
        assert!(outcome.is_refused());
        assert_eq!(heartbeat_code(&outcome), 29);
        let denied = ["deny describe topic c", "deny describe topic d"];
        assert!(denied.iter().all(|line| outcome.decided().iter().any(|decided| decided == line)));
        let outcome = House::new().allow("all topic *").ask(subscribing(&["a"]), version);
        assert!(outcome.is_refused());
        assert_eq!((heartbeat_code(&outcome), outcome.decided().len()), (30, 1));
    }
    assert!(house.ask(share_subscribing(&["a", "b"]), 1).is_whole());
    assert_eq!(heartbeat_code(&house.ask(share_subscribing(&["a", "c"]), 1)), 29);
    let outcome = House::new().allow("all topic *").ask(share_subscribing(&["a"]), 1);
    assert_eq!((heartbeat_code(&outcome), outcome.is_refused()), (30, true));
}

#[test]
fn nobody_subscribes_to_a_reserved_topic() {
    let house = House::new().super_user();
    for outcome in [
        house.ask(subscribing(&["a", "__schloss_metadata"]), 1),
        house.ask(share_subscribing(&["a", "__schloss_metadata"]), 1),
    ] {
        assert_eq!((heartbeat_code(&outcome), outcome.is_refused()), (29, true));
    }
}

#[test]
fn an_assignment_holds_only_what_the_member_may_describe() {
    let house = House::new()
        .allow("read group g")
        .allow("describe topic mine")
        .topic(1, "mine")
        .topic(2, "yours")
        .topic(3, "__schloss_metadata");
    let super_user =
        House::new().super_user().topic(1, "mine").topic(2, "yours").topic(3, "__schloss_metadata");
    let ids = [1, 2, 3, 4].map(id);

    let by_regex = build!(m::ConsumerGroupHeartbeatRequest {
        group_id: text("g"),
        subscribed_topic_regex: Some(text(".*"))
    });
    let assigned = |house: &House| -> Vec<Uuid> {
        let outcome = house.ask_engine(by_regex.clone(), 1, |_| {
            let topic = |topic_id| build!(ch::TopicPartitions { topic_id, partitions: vec![0, 1] });
            let assignment = build!(ch::Assignment { topic_partitions: ids.map(topic).into() });
            build!(m::ConsumerGroupHeartbeatResponse { assignment: Some(assignment) }).into()
        });
        assert!(outcome.is_whole());
        let response = body!(outcome.response, Response::ConsumerGroupHeartbeat);
        response.assignment.unwrap().topic_partitions.iter().map(|topic| topic.topic_id).collect()
    };
    assert_eq!(assigned(&house), [id(1)]);
    assert_eq!(assigned(&super_user), [id(1), id(2)], "neither reserved nor unknown");

    let outcome = house.ask_engine(share_subscribing(&[]), 1, |_| {
        let topic = |topic_id| build!(sh::TopicPartitions { topic_id, partitions: vec![0, 1] });
        let assignment = build!(sh::Assignment { topic_partitions: ids.map(topic).into() });
        build!(m::ShareGroupHeartbeatResponse { assignment: Some(assignment) }).into()
    });
    let response = body!(outcome.response, Response::ShareGroupHeartbeat);
    let assigned: Vec<Uuid> =
        response.assignment.unwrap().topic_partitions.iter().map(|topic| topic.topic_id).collect();
    assert_eq!(assigned, [id(1)]);

    // No assignment means that it did not change, and stays none.
    let outcome = house.ask(subscribing(&["mine"]), 0);
    assert_eq!(body!(outcome.response, Response::ConsumerGroupHeartbeat).assignment, None);
}

fn consumer_group(name: &str, current: &[&str], target: &[&str]) -> cd::DescribedGroup {
    let assignment = |names: &[&str]| {
        let topic = |name: &&str| build!(cd::TopicPartitions { topic_name: text(name) });
        build!(cd::Assignment { topic_partitions: names.iter().map(topic).collect() })
    };
    let member = build!(cd::Member {
        assignment: assignment(current),
        target_assignment: assignment(target),
        subscribed_topic_names: vec![text("subscribed"), text("__schloss_metadata")],
    });
    // Whatever an engine says of operations is about its own caller.
    build!(cd::DescribedGroup { group_id: text(name), members: vec![member], authorized_operations: 0x7f8 })
}

#[test]
fn consumer_groups_are_described_to_those_who_may_describe_all_of_their_topics() {
    let house = House::new()
        .allow("describe group a")
        .allow("read group b")
        .allow("describe group c")
        .allow("describe topic mine");
    for version in 0..=1 {
        for asked in [false, true] {
            let request = build!(m::ConsumerGroupDescribeRequest {
                group_ids: ["a", "b", "c", "d"].map(text).into(),
                include_authorized_operations: asked,
            });
            let outcome = house.ask_engine(request, version, |request| {
                let request = body!(request, Request::ConsumerGroupDescribe);
                assert_eq!(request.group_ids, ["a", "b", "c"].map(text));
                let groups = vec![
                    consumer_group("a", &["mine", "__schloss_metadata"], &["__schloss_metadata", "mine"]),
                    consumer_group("b", &["mine"], &["mine", "yours"]),
                    consumer_group("c", &["yours"], &["mine"]),
                ];
                build!(m::ConsumerGroupDescribeResponse { groups }).into()
            });
            assert!(outcome.is_part());
            let told = outcome.decided();
            assert_eq!(told.iter().filter(|line| line.starts_with("deny")).count(), 1, "{told:?}");
            let groups = body!(outcome.response, Response::ConsumerGroupDescribe).groups;
            let codes: Vec<_> =
                groups.iter().map(|g| (g.group_id.as_str(), g.error_code, g.members.len())).collect();
            assert_eq!(codes, [("a", 0, 1), ("b", 29, 0), ("c", 29, 0), ("d", 30, 0)]);
            let words = "The group has described topic(s) that the client is not authorized to describe.";
            assert_eq!(groups[1].error_message.as_deref(), Some(words));
            assert_eq!(groups[3].error_message, None);
            let operations: Vec<_> = groups.iter().map(|g| g.authorized_operations).collect();
            let of_a = if asked { 1 << 8 } else { i32::MIN };
            assert_eq!(operations, [of_a, i32::MIN, i32::MIN, i32::MIN]);
            assert!(!format!("{groups:?}").contains("__schloss_"), "hidden in an honest group");
        }
    }
}

#[test]
fn an_engine_failure_about_a_group_is_told_as_it_is() {
    let house = House::new().allow("describe group a");
    let request = build!(m::ConsumerGroupDescribeRequest {
        group_ids: vec![text("a")],
        include_authorized_operations: true
    });
    let outcome = house.ask_engine(request, 1, |_| {
        let group =
            build!(cd::DescribedGroup { group_id: text("a"), error_code: 69, authorized_operations: 8 });
        build!(m::ConsumerGroupDescribeResponse { groups: vec![group] }).into()
    });
    let groups = body!(outcome.response, Response::ConsumerGroupDescribe).groups;
    assert_eq!((groups[0].error_code, groups[0].authorized_operations), (69, i32::MIN));
}

#[test]
fn share_groups_are_described_to_those_who_may_describe_all_of_their_topics() {
    let house = House::new().allow("describe group a").allow("describe group b").allow("describe topic mine");
    let group = |name: &str, topics: &[&str]| {
        let topic = |name: &&str| build!(sd::TopicPartitions { topic_name: text(name) });
        let assignment = build!(sd::Assignment { topic_partitions: topics.iter().map(topic).collect() });
        let subscribed_topic_names = vec![text("__schloss_metadata")];
        let member = build!(sd::Member { assignment, subscribed_topic_names });
        build!(sd::DescribedGroup { group_id: text(name), members: vec![member], authorized_operations: 8 })
    };
    let request = build!(m::ShareGroupDescribeRequest {
        group_ids: ["a", "b", "c"].map(text).into(),
        include_authorized_operations: true,
    });
    let outcome = house.ask_engine(request, 1, |_| {
        let groups = vec![group("a", &["mine", "__schloss_metadata"]), group("b", &["mine", "yours"])];
        build!(m::ShareGroupDescribeResponse { groups }).into()
    });
    let groups = body!(outcome.response, Response::ShareGroupDescribe).groups;
    let told: Vec<_> =
        groups.iter().map(|g| (g.error_code, g.members.len(), g.authorized_operations)).collect();
    assert_eq!(told, [(0, 1, 1 << 8), (29, 0, i32::MIN), (30, 0, i32::MIN)]);
    assert!(!format!("{groups:?}").contains("__schloss_"));
}
