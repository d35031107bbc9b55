//! DeleteRecords, OffsetForLeaderEpoch, OffsetDelete.

use schloss_wire::messages as m;
use schloss_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use schloss_wire::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use schloss_wire::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use schloss_wire::{Request, build};

use crate::house::{House, Outcome, body, text};

fn deletion(names: &[&str]) -> m::DeleteRecordsRequest {
    let topics = names.iter().map(|name| {
        let partitions = [3, 4].map(|index| build!(DeleteRecordsPartition { partition_index: index }));
        build!(DeleteRecordsTopic { name: text(name), partitions: partitions.into() })
    });
    build!(m::DeleteRecordsRequest { topics: topics.collect() })
}

/// Topic, partition, low watermark, error.
fn deleted(outcome: &Outcome) -> Vec<(&str, i32, i64, i16)> {
    let response = body!(&outcome.response, Response::DeleteRecords);
    let parts = response.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|p| (topic.name.as_str(), p.partition_index, p.low_watermark, p.error_code))
    });
    parts.collect()
}

#[test]
fn records_are_deleted_with_delete_on_each_topic() {
    let house = House::new().allow("delete topic mine").allow("write topic yours");
    for version in 0..=2 {
        let outcome = house.ask(deletion(&["yours", "mine"]), version);
        assert!(outcome.is_part());
        assert_eq!(outcome.decided(), ["deny delete topic yours", "allow delete topic mine"]);
        let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::DeleteRecords);
        assert_eq!(admitted.topics.len(), 1);
        let told = deleted(&outcome);
        assert_eq!((told[0].0, told[0].3), ("mine", 0));
        assert_eq!(told[2..], [("yours", 3, -1, 29), ("yours", 4, -1, 29)]);

        let outcome = house.ask(deletion(&["yours"]), version);
        assert!(outcome.is_refused());
        assert_eq!(deleted(&outcome), [("yours", 3, -1, 29), ("yours", 4, -1, 29)]);
        let outcome = house.ask(deletion(&["mine"]), version);
        assert!(outcome.is_whole() && outcome.unrepaired);
    }
    let outcome = House::new().super_user().ask(deletion(&["__schloss_audit"]), 2);
    assert!(outcome.is_refused());
}

fn epochs(names: &[&str]) -> m::OffsetForLeaderEpochRequest {
    let topics = names.iter().map(|name| {
        let partition = build!(OffsetForLeaderPartition { partition: 3, leader_epoch: 7 });
        build!(OffsetForLeaderTopic { topic: text(name), partitions: vec![partition] })
    });
    build!(m::OffsetForLeaderEpochRequest { topics: topics.collect() })
}

/// Topic, partition, epoch, end offset, error.
fn ends(outcome: &Outcome) -> Vec<(&str, i32, i32, i64, i16)> {
    let response = body!(&outcome.response, Response::OffsetForLeaderEpoch);
    let parts = response.topics.iter().map(|topic| {
        let p = &topic.partitions[0];
        (topic.topic.as_str(), p.partition, p.leader_epoch, p.end_offset, p.error_code)
    });
    parts.collect()
}

#[test]
fn the_ends_of_epochs_are_told_to_followers_and_to_those_who_may_describe_the_topic() {
    let consumer = House::new().allow("read topic mine");
    let follower = House::new().allow("cluster-action cluster kafka-cluster");
    for version in 2..=4 {
        let outcome = consumer.ask(epochs(&["yours", "mine"]), version);
        assert!(outcome.is_part());
        assert_eq!(outcome.decided(), ["deny describe topic yours", "allow describe topic mine"]);
        assert_eq!(ends(&outcome), [("mine", 3, -1, -1, 0), ("yours", 3, -1, -1, 29)]);
        assert!(consumer.ask(epochs(&["yours"]), version).is_refused());
        let outcome = consumer.ask(epochs(&["mine"]), version);
        assert!(outcome.is_whole() && outcome.unrepaired);

        let outcome = follower.ask(epochs(&["yours", "mine"]), version);
        assert!(outcome.is_whole() && outcome.unrepaired);
        assert_eq!(outcome.decided(), ["allow cluster-action cluster kafka-cluster"]);
        let outcome = follower.ask(epochs(&["__schloss_audit", "mine"]), version);
        assert!(outcome.is_part());
        assert_eq!(ends(&outcome), [("mine", 3, -1, -1, 0), ("__schloss_audit", 3, -1, -1, 29)]);
        let decided = ["allow cluster-action cluster kafka-cluster", "deny describe topic __schloss_audit"];
        assert_eq!(outcome.decided(), decided);
    }
}

fn forget(names: &[&str]) -> m::OffsetDeleteRequest {
    let topics = names.iter().map(|name| {
        let partition = build!(OffsetDeleteRequestPartition { partition_index: 3 });
        build!(OffsetDeleteRequestTopic { name: text(name), partitions: vec![partition] })
    });
    build!(m::OffsetDeleteRequest { group_id: text("g"), topics: topics.collect() })
}

/// The error at the top; topic, partition, error.
fn forgotten(outcome: &Outcome) -> (i16, Vec<(&str, i32, i16)>) {
    let response = body!(&outcome.response, Response::OffsetDelete);
    let parts = response.topics.iter().map(|topic| {
        let p = &topic.partitions[0];
        (topic.name.as_str(), p.partition_index, p.error_code)
    });
    (response.error_code, parts.collect())
}

fn grant(request: &Request) -> schloss_wire::Response {
    let request = body!(request, Request::OffsetDelete);
    let topics = request.topics.iter().map(|topic| {
        let partition = build!(m::offset_delete_response::OffsetDeleteResponsePartition {
            partition_index: topic.partitions[0].partition_index,
        });
        build!(m::offset_delete_response::OffsetDeleteResponseTopic {
            name: topic.name.clone(),
            partitions: vec![partition],
        })
    });
    build!(m::OffsetDeleteResponse { topics: topics.collect() }).into()
}

#[test]
fn offsets_are_deleted_with_delete_on_the_group_and_read_on_each_topic() {
    let outcome = House::new().allow("read group g").allow("read topic *").ask(forget(&["mine"]), 0);
    assert!(outcome.is_refused());
    assert_eq!(forgotten(&outcome), (30, vec![]));
    assert_eq!(outcome.decided(), ["deny delete group g"], "topics are not looked at");

    let house = House::new().allow("delete group g").allow("read topic mine").allow("describe topic yours");
    let outcome = house.ask_engine(forget(&["yours", "mine"]), 0, grant);
    assert!(outcome.is_part());
    assert_eq!(forgotten(&outcome), (0, vec![("mine", 3, 0), ("yours", 3, 29)]));
    let outcome = house.ask(forget(&["yours", "__schloss_audit"]), 0);
    let Some((Request::OffsetDelete(left), false)) = &outcome.admitted else { panic!("{outcome:?}") };
    assert_eq!(left.topics.len(), 0, "the group alone is asked about");
    assert_eq!(forgotten(&outcome), (0, vec![("yours", 3, 29), ("__schloss_audit", 3, 29)]));
    let outcome = house.ask_engine(forget(&["mine"]), 0, grant);
    assert!(outcome.is_whole() && outcome.unrepaired);
}

#[test]
fn a_group_whose_offsets_can_not_be_deleted_says_nothing_about_topics() {
    let house = House::new().allow("delete group g").allow("read topic mine");
    let outcome = house.ask_engine(forget(&["yours", "mine"]), 0, |_| {
        build!(m::OffsetDeleteResponse { error_code: 69 }).into()
    });
    assert_eq!(forgotten(&outcome), (69, vec![]));
    let outcome = house
        .ask_engine(forget(&["yours"]), 0, |_| build!(m::OffsetDeleteResponse { error_code: 69 }).into());
    assert_eq!(forgotten(&outcome), (69, vec![]), "without a topic that may be read");
}
