//! The APIs of Streams groups.

use schloss_wire::build;
use schloss_wire::messages as m;
use schloss_wire::messages::streams_group_describe_response as described;
use schloss_wire::messages::streams_group_heartbeat_request as asked;
use schloss_wire::messages::streams_group_heartbeat_response as told;

use crate::house::{House, Outcome, body, text};

const MISSING_INTERNAL_TOPICS: i8 = 3;

/// A member that joins with the topology `source` -> `repartition` -> `sink`, with state in `changelog`.
fn join() -> m::StreamsGroupHeartbeatRequest {
    let topic = |name| vec![build!(asked::TopicInfo { name: text(name) })];
    let subtopology = build!(asked::Subtopology {
        source_topics: vec![text("source")],
        repartition_sink_topics: vec![text("sink")],
        repartition_source_topics: topic("repartition"),
        state_changelog_topics: topic("changelog"),
    });
    build!(m::StreamsGroupHeartbeatRequest {
        group_id: text("g"),
        member_id: text("m"),
        topology: Some(build!(asked::Topology { subtopologies: vec![subtopology] })),
        active_tasks: Some(Vec::new()),
    })
}

fn heartbeat(member_epoch: i32) -> m::StreamsGroupHeartbeatRequest {
    build!(m::StreamsGroupHeartbeatRequest { group_id: text("g"), member_id: text("m"), member_epoch })
}

fn answer(outcome: &Outcome) -> &m::StreamsGroupHeartbeatResponse {
    body!(&outcome.response, Response::StreamsGroupHeartbeat)
}

/// May describe all of the topology, but create nothing of it.
fn describer() -> House {
    House::new().allow("read group g").allow("describe topic *")
}

#[test]
fn a_streams_member_needs_read_on_its_group_and_describe_on_every_topic_of_its_topology() {
    for version in 0..=1 {
        let outcome = House::new().allow("all topic *").ask(join(), version);
        assert!(outcome.is_refused());
        assert_eq!((answer(&outcome).error_code, outcome.decided().len()), (30, 1));
        for topic in ["source", "sink", "repartition", "changelog"] {
            let rule = format!("describe topic {topic}");
            let house = describer().allow("create cluster kafka-cluster").deny(&rule);
            let outcome = house.ask(join(), version);
            assert!(outcome.is_refused(), "{topic}");
            assert_eq!(answer(&outcome).error_code, 29, "{topic}");
            assert!(outcome.decided().contains(&format!("deny {rule}")));
        }
        assert!(describer().ask(heartbeat(7), version).is_whole(), "a member is asked for its group alone");
        assert!(describer().ask(heartbeat(-1), version).is_whole(), "and may leave it");
    }
}

#[test]
fn a_topology_with_a_reserved_topic_is_refused_to_everybody() {
    let mut request = join();
    request.topology.as_mut().unwrap().subtopologies[0].source_topics = vec![text("__schloss_metadata")];
    let outcome = House::new().super_user().ask(request, 0);
    assert_eq!((answer(&outcome).error_code, outcome.is_refused()), (29, true));
}

#[test]
fn internal_topics_are_created_only_for_a_member_that_may_create_them() {
    let by_name = || describer().allow("create topic changelog").allow("create topic repartition");
    for house in [describer().allow("create cluster kafka-cluster"), by_name()] {
        assert!(house.ask(join(), 0).is_whole());
    }
    // What is there needs not be created.
    assert!(describer().topic(1, "changelog").topic(2, "repartition").ask(join(), 0).is_whole());

    for version in 0..=1 {
        let outcome = describer().ask(join(), version);
        assert!(outcome.is_refused(), "no engine may see it");
        let response = answer(&outcome);
        assert_eq!((response.error_code, response.member_epoch, response.member_id.as_str()), (0, 0, "m"));
        assert!(response.heartbeat_interval_ms >= 1000, "or it comes back at once");
        let [status] = &response.status.as_ref().unwrap()[..] else { panic!("{response:?}") };
        assert_eq!(status.status_code, MISSING_INTERNAL_TOPICS);
        let words = "Unauthorized to CREATE on topics repartition, changelog.";
        assert_eq!(status.status_detail.as_str(), words);
        let tasks = [&response.active_tasks, &response.standby_tasks, &response.warmup_tasks];
        assert!(tasks.iter().all(|tasks| tasks.as_ref().is_some_and(Vec::is_empty)), "it has none to run");
        assert!(outcome.decided().contains(&"deny create topic changelog".to_owned()));
    }
    let outcome = describer().topic(1, "repartition").deny("create cluster kafka-cluster").ask(join(), 0);
    let status = &answer(&outcome).status.as_ref().unwrap()[0];
    assert_eq!(status.status_detail.as_str(), "Unauthorized to CREATE on topics changelog.");
}

#[test]
fn a_status_that_would_name_too_many_topics_counts_them() {
    let mut request = join();
    let topics = (0..1000).map(|n| build!(asked::TopicInfo { name: text(&format!("{n:0>100}")) }));
    request.topology.as_mut().unwrap().subtopologies[0].state_changelog_topics = topics.collect();
    let outcome = describer().ask(request, 0);
    let status = &answer(&outcome).status.as_ref().unwrap()[0];
    let words = "Unauthorized to CREATE on topics of the topology (1001 of them).";
    assert_eq!(status.status_detail.as_str(), words);
}

#[test]
fn a_member_that_was_held_back_joins_again_after_an_interval() {
    let mut acknowledges = heartbeat(0);
    acknowledges.active_tasks = Some(Vec::new());
    let outcome = describer().ask(acknowledges, 0);
    assert!(outcome.is_refused());
    let response = answer(&outcome);
    assert_eq!((response.error_code, response.member_epoch), (0, 0));
    // The same status as before and no tasks: to a client, nothing has changed.
    assert_eq!(response.status.as_ref().unwrap()[0].status_code, MISSING_INTERNAL_TOPICS);
    assert_eq!(
        (&response.active_tasks, &response.standby_tasks, &response.warmup_tasks),
        (&None, &None, &None)
    );

    let outcome = describer().ask(heartbeat(0), 0);
    assert!(outcome.is_refused());
    assert_eq!(answer(&outcome).error_code, 110, "it begins anew, with its topology");
}

#[test]
fn a_member_learns_of_no_topic_that_it_may_not_describe() {
    let house = House::new().allow("read group g").allow("describe topic mine");
    let outcome = house.ask_engine(heartbeat(7), 0, |_| {
        let partitions = || {
            let names = ["mine", "yours", "__schloss_metadata"];
            names.map(|name| build!(told::TopicPartition { topic: text(name) })).into()
        };
        let endpoint = build!(told::EndpointToPartitions {
            active_partitions: partitions(),
            standby_partitions: partitions(),
        });
        build!(m::StreamsGroupHeartbeatResponse { partitions_by_user_endpoint: Some(vec![endpoint]) }).into()
    });
    let endpoint = &answer(&outcome).partitions_by_user_endpoint.as_ref().unwrap()[0];
    for partitions in [&endpoint.active_partitions, &endpoint.standby_partitions] {
        assert_eq!(partitions.iter().map(|p| p.topic.as_str()).collect::<Vec<_>>(), ["mine"]);
    }
}

fn described_group(
    name: &str,
    change: impl FnOnce(&mut described::Subtopology),
) -> described::DescribedGroup {
    let mut subtopology = build!(described::Subtopology { source_topics: vec![text("mine")] });
    change(&mut subtopology);
    let topology = build!(described::Topology { subtopologies: Some(vec![subtopology]) });
    build!(described::DescribedGroup {
        group_id: text(name),
        topology: Some(topology),
        members: vec![described::Member::default()],
        authorized_operations: 8,
    })
}

#[test]
fn streams_groups_are_described_to_those_who_may_describe_all_of_their_topics() {
    let info = || vec![build!(described::TopicInfo { name: text("yours") })];
    let house = House::new().allow("describe group *").deny("describe group z").allow("describe topic mine");
    for version in 0..=1 {
        let request = build!(m::StreamsGroupDescribeRequest {
            group_ids: ["a", "b", "c", "d", "e", "f", "z"].map(text).into(),
            include_authorized_operations: true,
        });
        let outcome = house.ask_engine(request, version, |_| {
            let mut unready = described_group("f", |_| {});
            unready.topology.as_mut().unwrap().subtopologies = None;
            let groups = vec![
                described_group("a", |_| {}),
                described_group("b", |s| s.source_topics.push(text("yours"))),
                described_group("c", |s| s.repartition_sink_topics.push(text("yours"))),
                described_group("d", |s| s.repartition_source_topics = info()),
                described_group("e", |s| s.state_changelog_topics = info()),
                unready,
            ];
            build!(m::StreamsGroupDescribeResponse { groups }).into()
        });
        assert!(outcome.is_part());
        let groups = body!(outcome.response, Response::StreamsGroupDescribe).groups;
        let told: Vec<_> = groups
            .iter()
            .map(|g| (g.group_id.as_str(), g.error_code, g.members.len(), g.topology.is_some()))
            .collect();
        assert_eq!(
            told,
            [
                ("a", 0, 1, true),
                ("b", 29, 0, false),
                ("c", 29, 0, false),
                ("d", 29, 0, false),
                ("e", 29, 0, false),
                ("f", 0, 1, true),
                ("z", 30, 0, false),
            ]
        );
        assert_eq!((groups[0].authorized_operations, groups[1].authorized_operations), (1 << 8, i32::MIN));
        let words = "The described group uses topics that the client is not authorized to describe.";
        assert_eq!(groups[1].error_message.as_deref(), Some(words));
    }
}

#[test]
fn what_an_application_says_of_its_topology_counts_too() {
    let house = House::new().allow("describe group a").allow("describe topic mine");
    let node = || build!(described::TopologyDescriptionNode { source_topics: vec![text("mine")] });
    let told = |change: fn(&mut described::TopologyDescription)| {
        let subtopology = build!(described::TopologyDescriptionSubtopology { nodes: vec![node()] });
        let store = build!(described::TopologyDescriptionGlobalStore { source: node(), processor: node() });
        let mut description = build!(described::TopologyDescription {
            subtopologies: vec![subtopology],
            global_stores: vec![store],
        });
        change(&mut description);
        let request = build!(m::StreamsGroupDescribeRequest { group_ids: vec![text("a")] });
        let outcome = house.ask_engine(request, 1, |_| {
            let mut group = described_group("a", |_| {});
            group.topology_description = Some(description);
            group.topology_description_status = 3;
            build!(m::StreamsGroupDescribeResponse { groups: vec![group] }).into()
        });
        body!(outcome.response, Response::StreamsGroupDescribe).groups[0].error_code
    };
    assert_eq!(told(|_| {}), 0);
    assert_eq!(told(|d| d.subtopologies[0].nodes[0].sink_topic = Some(text("yours"))), 29);
    assert_eq!(told(|d| d.global_stores[0].source.source_topics.push(text("yours"))), 29);
}
