//! What share groups fetch, acknowledge, and know of offsets.

use schloss_policy::DecisionCache;
use schloss_wire::messages as m;
use schloss_wire::messages::alter_share_group_offsets_request as alter;
use schloss_wire::messages::delete_share_group_offsets_request as delete;
use schloss_wire::messages::describe_share_group_offsets_request as describe;
use schloss_wire::messages::describe_share_group_offsets_response as described;
use schloss_wire::messages::share_acknowledge_request as acknowledge;
use schloss_wire::messages::share_fetch_request as fetch;
use schloss_wire::messages::share_fetch_response as fetched;
use schloss_wire::{Request, Response, build};

use crate::house::{House, Outcome, body, id, text};

const NOT_FOUND: i16 = 122;

/// A fetch of partition 5 of these topics; with acknowledgements for them, if asked.
fn share_fetch(epoch: i32, topics: &[u8], acknowledges: bool) -> m::ShareFetchRequest {
    let batch = build!(fetch::AcknowledgementBatch { last_offset: 9, acknowledge_types: vec![1] });
    let topics = topics.iter().map(|n| {
        let partition = build!(fetch::FetchPartition {
            partition_index: 5,
            acknowledgement_batches: if acknowledges { vec![batch.clone()] } else { Vec::new() },
        });
        build!(fetch::FetchTopic { topic_id: id(*n), partitions: vec![partition] })
    });
    build!(m::ShareFetchRequest {
        group_id: Some(text("g")),
        member_id: Some(text("m")),
        share_session_epoch: epoch,
        max_bytes: 1 << 20,
        topics: topics.collect(),
    })
}

#[test]
fn a_share_fetch_asks_for_no_more_than_may_wait_in_memory() {
    let mut request = share_fetch(0, &[1], false);
    request.max_bytes = 50 << 20;
    let outcome = reader().ask(request, 2);
    let Some((Request::ShareFetch(admitted), whole)) = outcome.admitted else { panic!() };
    assert_eq!((admitted.max_bytes, whole), (1 << 20, false));
}

/// An engine whose session fetches these topics.
fn records_of(topics: &[u8]) -> impl FnOnce(&Request) -> Response {
    let responses = topics.iter().map(|n| {
        let partition = build!(fetched::PartitionData {
            partition_index: 5,
            records: bytes::Bytes::from_static(b"secret"),
            acquired_records: vec![build!(fetched::AcquiredRecords { last_offset: 7 })],
        });
        build!(fetched::ShareFetchableTopicResponse { topic_id: id(*n), partitions: vec![partition] })
    });
    let response = build!(m::ShareFetchResponse { responses: responses.collect() });
    |_| response.into()
}

/// Topic, error of the fetch and of the acknowledgement, and whether there are records.
fn told(outcome: &Outcome) -> Vec<(u8, i16, i16, bool)> {
    let response = body!(&outcome.response, Response::ShareFetch);
    assert_eq!(response.error_code, 0);
    let parts = response.responses.iter().map(|topic| {
        let [partition] = &topic.partitions[..] else { panic!("{topic:?}") };
        assert_eq!(partition.partition_index, 5);
        assert_eq!(partition.records.is_empty(), partition.acquired_records.is_empty());
        let n = topic.topic_id.as_bytes()[0];
        (n, partition.error_code, partition.acknowledge_error_code, !partition.records.is_empty())
    });
    parts.collect()
}

fn top_error(outcome: &Outcome) -> i16 {
    assert!(outcome.is_refused());
    body!(&outcome.response, Response::ShareFetch).error_code
}

fn listed(outcome: &Outcome) -> Vec<u8> {
    let (request, _) = outcome.admitted.as_ref().expect("it was admitted");
    let topics = &body!(request, Request::ShareFetch).topics;
    topics.iter().map(|topic| topic.topic_id.as_bytes()[0]).collect()
}

/// READ on the group and on topic 1; there are topics 1 to 3.
fn reader() -> House {
    let house = House::new().allow("read group g").allow("read topic one").allow("describe topic two");
    house.topic(1, "one").topic(2, "two").topic(3, "__schloss_metadata")
}

#[test]
fn share_fetching_needs_the_group_first_and_then_each_topic() {
    for version in 1..=2 {
        let outcome = House::new().allow("read topic *").ask(share_fetch(0, &[1], false), version);
        assert_eq!(top_error(&outcome), 30);
        assert_eq!(outcome.decided(), ["deny read group g"]);

        assert!(reader().ask(share_fetch(0, &[1], false), version).is_whole());
        let outcome = reader().ask_engine(share_fetch(0, &[1, 2, 3, 4], false), version, records_of(&[1]));
        assert!(outcome.is_part());
        assert_eq!(listed(&outcome), [1]);
        assert_eq!(
            told(&outcome),
            [(1, 0, 0, true), (2, 29, 0, false), (3, 29, 0, false), (4, 100, 0, false)]
        );
        let denied = outcome.decided();
        assert!(denied.contains(&"deny read topic two".to_owned()), "{denied:?}");
    }
}

#[test]
fn a_session_is_opened_even_if_all_of_it_is_denied() {
    let mut cache = DecisionCache::default();
    let outcome = reader().ask_in(&mut cache, share_fetch(0, &[2], false), 2, records_of(&[]));
    assert!(outcome.is_part());
    assert_eq!((listed(&outcome), told(&outcome)), (vec![], vec![(2, 29, 0, false)]));
    let outcome = reader().ask_in(&mut cache, share_fetch(1, &[], false), 2, records_of(&[]));
    assert!(outcome.is_whole(), "the next request continues it");
    assert!(
        !outcome.decided().iter().any(|line| line.starts_with("deny")),
        "what was denied is no event again"
    );
}

#[test]
fn a_session_that_nobody_saw_opened_is_not_continued() {
    let house = House::new().super_user().topic(1, "one");
    assert_eq!(top_error(&house.ask(share_fetch(1, &[], false), 2)), NOT_FOUND);
    let mut cache = DecisionCache::default();
    house.ask_in(&mut cache, share_fetch(0, &[1], false), 2, records_of(&[1]));
    let mut others = share_fetch(1, &[], false);
    others.member_id = Some(text("somebody else"));
    assert_eq!(top_error(&house.ask_in(&mut cache, others, 2, records_of(&[1]))), NOT_FOUND);
    assert!(house.ask_in(&mut cache, share_fetch(1, &[], false), 2, records_of(&[1])).is_whole());
}

#[test]
fn a_closed_session_is_not_continued() {
    let mut cache = DecisionCache::default();
    reader().ask_in(&mut cache, share_fetch(0, &[1], false), 2, records_of(&[1]));
    assert!(reader().ask_in(&mut cache, share_fetch(-1, &[], false), 2, records_of(&[])).is_whole());
    let outcome = reader().ask_in(&mut cache, share_fetch(1, &[], false), 2, records_of(&[1]));
    assert_eq!(top_error(&outcome), NOT_FOUND);
    // Whether there is one to close, the engine knows.
    assert!(reader().ask(share_fetch(-1, &[], false), 2).is_whole());
}

#[test]
fn a_right_that_is_withdrawn_ends_the_session_that_lives_on_it() {
    let mut cache = DecisionCache::default();
    let both = || reader().allow("read topic two");
    let outcome = both().ask_in(&mut cache, share_fetch(0, &[1], false), 2, records_of(&[1]));
    assert!(outcome.is_whole());
    // Topics that later requests add count as well.
    let outcome = both().ask_in(&mut cache, share_fetch(1, &[2], false), 2, records_of(&[1, 2]));
    assert_eq!(told(&outcome), [(1, 0, 0, true), (2, 0, 0, true)]);
    let unrelated = || both().allow("read topic else");
    let outcome = unrelated().ask_in(&mut cache, share_fetch(2, &[], false), 2, records_of(&[1, 2]));
    assert!(outcome.is_whole(), "another change of ACLs disturbs nobody");
    assert!(outcome.decided().contains(&"allow read topic two".to_owned()), "what is fetched is recorded");

    let without = || unrelated().deny("read topic two");
    let outcome = without().ask_in(&mut cache, share_fetch(3, &[], false), 2, records_of(&[1, 2]));
    assert_eq!(top_error(&outcome), NOT_FOUND);
    assert!(outcome.decided().contains(&"deny read topic two".to_owned()));
    let outcome = without().ask_in(&mut cache, share_fetch(4, &[], false), 2, records_of(&[1, 2]));
    assert_eq!(top_error(&outcome), NOT_FOUND, "a caller that goes on all the same gets nowhere");
    let outcome = without().ask_in(&mut cache, share_fetch(0, &[1, 2], false), 2, records_of(&[1]));
    assert_eq!(told(&outcome), [(1, 0, 0, true), (2, 29, 0, false)]);
}

#[test]
fn a_right_that_is_granted_reopens_the_session_that_lacked_it() {
    let mut cache = DecisionCache::default();
    reader().ask_in(&mut cache, share_fetch(0, &[1, 2], false), 2, records_of(&[1]));
    let granted = || reader().allow("read topic two");
    let outcome = granted().ask_in(&mut cache, share_fetch(1, &[], false), 2, records_of(&[1]));
    assert_eq!(top_error(&outcome), NOT_FOUND);
    assert!(granted().ask_in(&mut cache, share_fetch(0, &[1, 2], false), 2, records_of(&[1, 2])).is_whole());

    // But not one of an older session, which is no part of the one that was opened since.
    let mut cache = DecisionCache::default();
    reader().ask_in(&mut cache, share_fetch(0, &[1, 2], false), 2, records_of(&[1]));
    reader().ask_in(&mut cache, share_fetch(0, &[1], false), 2, records_of(&[1]));
    assert!(granted().ask_in(&mut cache, share_fetch(1, &[], false), 2, records_of(&[1])).is_whole());

    // So does a topic of which the name was not known yet.
    let mut cache = DecisionCache::default();
    let late = || reader().allow("read topic four");
    let outcome = late().ask_in(&mut cache, share_fetch(0, &[1, 4], false), 2, records_of(&[1]));
    assert_eq!(told(&outcome), [(1, 0, 0, true), (4, 100, 0, false)]);
    assert!(late().ask_in(&mut cache, share_fetch(1, &[], false), 2, records_of(&[1])).is_whole());
    let outcome = late().topic(4, "four").ask_in(&mut cache, share_fetch(2, &[], false), 2, records_of(&[1]));
    assert_eq!(top_error(&outcome), NOT_FOUND);
}

#[test]
fn no_answer_carries_records_that_the_caller_may_not_read() {
    let outcome = reader().ask_engine(share_fetch(0, &[1], false), 2, records_of(&[1, 2, 3, 4]));
    assert!(outcome.is_whole());
    assert_eq!(told(&outcome), [(1, 0, 0, true), (2, 29, 0, false), (3, 29, 0, false), (4, 100, 0, false)]);
    let super_user = House::new().super_user().topic(3, "__schloss_metadata");
    let outcome = super_user.ask_engine(share_fetch(0, &[], false), 2, records_of(&[3]));
    assert_eq!(told(&outcome), [(3, 29, 0, false)]);
}

#[test]
fn acknowledgements_that_come_along_are_denied_with_their_topic() {
    let mut cache = DecisionCache::default();
    reader().ask_in(&mut cache, share_fetch(0, &[1], false), 2, records_of(&[]));
    let outcome = reader().ask_in(&mut cache, share_fetch(1, &[1, 2, 4], true), 2, records_of(&[1]));
    assert_eq!(listed(&outcome), [1]);
    assert_eq!(told(&outcome), [(1, 0, 0, true), (2, 29, 29, false), (4, 100, 100, false)]);
    let outcome = reader().ask_in(&mut cache, share_fetch(-1, &[2], true), 2, records_of(&[]));
    assert_eq!(told(&outcome), [(2, 0, 29, false)], "a request that closes fetches nothing");
    let mut cache = DecisionCache::default();
    let outcome = reader().ask_in(&mut cache, share_fetch(0, &[2], false), 2, |_| {
        build!(m::ShareFetchResponse { error_code: 133 }).into()
    });
    let response = body!(outcome.response, Response::ShareFetch);
    assert_eq!((response.error_code, response.responses.len()), (133, 0));
}

fn share_acknowledge(epoch: i32, topics: &[u8]) -> m::ShareAcknowledgeRequest {
    let topics = topics.iter().map(|n| {
        let partition = build!(acknowledge::AcknowledgePartition { partition_index: 5 });
        build!(acknowledge::AcknowledgeTopic { topic_id: id(*n), partitions: vec![partition] })
    });
    build!(m::ShareAcknowledgeRequest {
        group_id: Some(text("g")),
        member_id: Some(text("m")),
        share_session_epoch: epoch,
        topics: topics.collect(),
    })
}

#[test]
fn acknowledging_needs_the_group_first_and_then_each_topic() {
    let codes = |outcome: &Outcome| -> Vec<(u8, i16)> {
        let responses = &body!(&outcome.response, Response::ShareAcknowledge).responses;
        let code = |topic: &m::share_acknowledge_response::ShareAcknowledgeTopicResponse| {
            assert_eq!(topic.partitions[0].partition_index, 5);
            (topic.topic_id.as_bytes()[0], topic.partitions[0].error_code)
        };
        responses.iter().map(code).collect()
    };
    for version in 1..=2 {
        let outcome = House::new().allow("read topic *").ask(share_acknowledge(3, &[1]), version);
        assert!(outcome.is_refused());
        assert_eq!(body!(outcome.response, Response::ShareAcknowledge).error_code, 30);

        let outcome = reader().ask(share_acknowledge(3, &[1]), version);
        assert!(outcome.is_whole() && outcome.unrepaired);
        let outcome = reader().ask(share_acknowledge(3, &[1, 2, 3, 4]), version);
        let (request, whole) = outcome.admitted.as_ref().unwrap();
        assert!(!whole);
        assert_eq!(body!(request, Request::ShareAcknowledge).topics.len(), 1);
        assert_eq!(codes(&outcome), [(2, 29), (3, 29), (4, 100)]);
        let outcome = reader().ask(share_acknowledge(-1, &[2]), version);
        assert!(outcome.is_part(), "the session moves on, or closes, all the same");
        assert_eq!(codes(&outcome), [(2, 29)]);
    }
}

fn offsets_of(group: &str, topics: Option<&[&str]>) -> describe::DescribeShareGroupOffsetsRequestGroup {
    let topic = |name: &&str| {
        build!(describe::DescribeShareGroupOffsetsRequestTopic {
            topic_name: text(name),
            partitions: vec![4],
        })
    };
    let topics = topics.map(|names| names.iter().map(topic).collect());
    build!(describe::DescribeShareGroupOffsetsRequestGroup { group_id: text(group), topics })
}

#[test]
fn share_offsets_need_describe_on_the_group_and_each_topic() {
    let house = House::new()
        .allow("describe group g")
        .allow("describe group all")
        .allow("read group gone")
        .allow("describe topic mine");
    let answered = |group: &str, code: i16, topics: &[&str]| {
        let topic = |name: &&str| {
            let partition =
                build!(described::DescribeShareGroupOffsetsResponsePartition { partition_index: 4 });
            build!(described::DescribeShareGroupOffsetsResponseTopic {
                topic_name: text(name),
                topic_id: id(1),
                partitions: vec![partition],
            })
        };
        build!(described::DescribeShareGroupOffsetsResponseGroup {
            group_id: text(group),
            error_code: code,
            topics: topics.iter().map(topic).collect(),
        })
    };
    for version in 0..=1 {
        let named =
            build!(m::DescribeShareGroupOffsetsRequest { groups: vec![offsets_of("g", Some(&["mine"]))] });
        let outcome = house.ask(named, version);
        assert!(outcome.is_whole() && outcome.unrepaired);
        let all = build!(m::DescribeShareGroupOffsetsRequest { groups: vec![offsets_of("all", None)] });
        let outcome = house.ask_engine(all, version, |_| {
            let groups = vec![answered("all", 0, &["yours", "mine"])];
            build!(m::DescribeShareGroupOffsetsResponse { groups }).into()
        });
        assert!(outcome.is_whole());
        let groups = body!(outcome.response, Response::DescribeShareGroupOffsets).groups;
        assert_eq!(groups, [answered("all", 0, &["mine"])]);
        let groups = vec![
            offsets_of("g", Some(&["mine", "yours", "__schloss_metadata"])),
            offsets_of("all", None),
            offsets_of("gone", Some(&["yours"])),
            offsets_of("denied", None),
        ];
        let outcome =
            house.ask_engine(build!(m::DescribeShareGroupOffsetsRequest { groups }), version, |request| {
                let groups = &body!(request, Request::DescribeShareGroupOffsets).groups;
                assert_eq!(
                    groups[..],
                    [
                        offsets_of("g", Some(&["mine"])),
                        offsets_of("all", None),
                        offsets_of("gone", Some(&[])),
                    ]
                );
                let groups = vec![
                    answered("g", 0, &["mine"]),
                    answered("all", 0, &["mine", "yours", "__schloss_metadata"]),
                    answered("gone", 69, &[]),
                ];
                build!(m::DescribeShareGroupOffsetsResponse { groups }).into()
            });
        assert!(outcome.is_part());
        let groups = body!(outcome.response, Response::DescribeShareGroupOffsets).groups;
        let told: Vec<_> = groups
            .iter()
            .map(|group| {
                let topics = group.topics.iter();
                let topics: Vec<_> =
                    topics.map(|t| (t.topic_name.as_str(), t.partitions[0].error_code)).collect();
                (group.group_id.as_str(), group.error_code, topics)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("g", 0, vec![("mine", 0), ("yours", 29), ("__schloss_metadata", 29)]),
                ("all", 0, vec![("mine", 0)]),
                ("gone", 69, vec![]),
                ("denied", 30, vec![]),
            ]
        );
        let denied = &groups[0].topics[1].partitions[0];
        assert_eq!((denied.partition_index, denied.start_offset), (4, -1));
        assert_eq!(denied.error_message.as_deref(), Some("Topic authorization failed."));
    }
}

#[test]
fn naming_a_group_twice_shows_no_more_of_it() {
    let house = House::new().allow("describe group g").allow("describe topic mine");
    let groups = vec![offsets_of("g", None), offsets_of("g", Some(&["yours"]))];
    let outcome = house.ask_engine(build!(m::DescribeShareGroupOffsetsRequest { groups }), 1, |_| {
        let topic = build!(described::DescribeShareGroupOffsetsResponseTopic { topic_name: text("secret") });
        let group = build!(described::DescribeShareGroupOffsetsResponseGroup {
            group_id: text("g"),
            topics: vec![topic],
        });
        build!(m::DescribeShareGroupOffsetsResponse { groups: vec![group.clone(), group] }).into()
    });
    assert!(!format!("{:?}", outcome.response).contains("secret"));
}

#[test]
fn altering_share_offsets_needs_read_on_the_group_and_each_topic() {
    let request = |names: &[&str]| {
        let topics = names.iter().map(|name| {
            let partition = build!(alter::AlterShareGroupOffsetsRequestPartition { partition_index: 4 });
            build!(alter::AlterShareGroupOffsetsRequestTopic {
                topic_name: text(name),
                partitions: vec![partition],
            })
        });
        build!(m::AlterShareGroupOffsetsRequest { group_id: text("g"), topics: topics.collect() })
    };
    let outcome = House::new().allow("delete group g").allow("read topic *").ask(request(&["mine"]), 0);
    assert!(outcome.is_refused());
    let response = body!(outcome.response, Response::AlterShareGroupOffsets);
    assert_eq!(
        (response.error_code, response.error_message.as_deref()),
        (30, Some("Group authorization failed."))
    );

    let house = House::new().allow("read group g").allow("read topic mine").allow("alter topic yours");
    let outcome = house.ask(request(&["mine"]), 0);
    assert!(outcome.is_whole() && outcome.unrepaired);
    let outcome = house.ask(request(&["mine", "yours"]), 0);
    assert!(outcome.is_part());
    let responses = body!(outcome.response, Response::AlterShareGroupOffsets).responses;
    let partition = &responses[0].partitions[0];
    assert_eq!((responses.len(), responses[0].topic_name.as_str()), (1, "yours"));
    assert_eq!((partition.partition_index, partition.error_code), (4, 29));
    assert_eq!(partition.error_message.as_deref(), Some("Topic authorization failed."));
    assert!(house.ask(request(&["yours"]), 0).is_refused());
    assert!(House::new().super_user().ask(request(&["__schloss_metadata"]), 0).is_refused());

    let outcome = house.ask_engine(request(&["mine", "yours"]), 0, |_| {
        build!(m::AlterShareGroupOffsetsResponse { error_code: 68 }).into()
    });
    let response = body!(outcome.response, Response::AlterShareGroupOffsets);
    assert_eq!((response.error_code, response.responses.len()), (68, 0), "the group failed as a whole");
}

#[test]
fn deleting_share_offsets_needs_delete_on_the_group_and_read_on_each_topic() {
    let request = |names: &[&str]| {
        let topic =
            |name: &&str| build!(delete::DeleteShareGroupOffsetsRequestTopic { topic_name: text(name) });
        let topics = names.iter().map(topic).collect();
        build!(m::DeleteShareGroupOffsetsRequest { group_id: text("g"), topics })
    };
    let outcome = House::new().allow("read group g").allow("read topic *").ask(request(&["mine"]), 0);
    assert!(outcome.is_refused());
    assert_eq!(body!(outcome.response, Response::DeleteShareGroupOffsets).error_code, 30);

    let house = House::new().allow("delete group g").allow("read topic mine").allow("delete topic yours");
    let outcome = house.ask(request(&["mine"]), 0);
    assert!(outcome.is_whole() && outcome.unrepaired);
    let outcome = house.ask(request(&["mine", "yours"]), 0);
    assert!(outcome.is_part());
    let responses = body!(outcome.response, Response::DeleteShareGroupOffsets).responses;
    assert_eq!((responses[0].topic_name.as_str(), responses[0].error_code), ("yours", 29));
    assert_eq!(responses[0].error_message.as_deref(), Some("Topic authorization failed."));
    assert!(House::new().super_user().ask(request(&["__schloss_metadata"]), 0).is_refused());
}
