//! Fetching, acknowledging and sessions.

use std::time::Duration;

use schloss_wire::messages::ShareFetchRequest;
use schloss_wire::messages::delete_topics_request::DeleteTopicsRequest;
use schloss_wire::messages::share_fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use schloss_wire::{ErrorCode, Response, StrBytes, build};
use tokio::time::Instant;

use super::member::{ACCEPT, GROUP, Member, NEWEST, OK, REJECT, RELEASE, RENEW, TOPIC, given, house, set};
use crate::reply::now_ms;
use crate::testing::{House, batch, batch_at, keyed};
use crate::tests::produce::produce;

#[tokio::test]
async fn each_record_is_with_one_until_it_is_settled() {
    let house = house().await;
    for _ in 0..3 {
        produce(&house, TOPIC, 0, batch(10)).await;
    }
    let (mut a, mut b) = (Member::join(&house, "a").await, Member::join(&house, "b").await);
    let mut first = a.request();
    first.max_records = 15;
    let response = a.fetch_as(NEWEST, first).await;
    assert_eq!(response.acquisition_lock_timeout_ms, 30_000);
    assert_eq!(given(&response), [(0, 9, 1), (10, 19, 1)], "whole batches");
    assert_eq!(b.fetch().await, [(20, 29, 1)]);
    assert_eq!(a.fetch().await, []);
    assert_eq!(a.acknowledge(&[(0, 4, ACCEPT), (5, 9, RELEASE), (10, 19, REJECT)]).await, OK);
    assert_eq!(b.fetch_and_acknowledge(&[(20, 29, ACCEPT)]).await, (vec![(5, 9, 2)], OK));
    assert_eq!(b.acknowledge(&[(5, 9, ACCEPT)]).await, OK);
    produce(&house, TOPIC, 0, batch(1)).await;
    assert_eq!(a.fetch().await, [(30, 30, 1)]);
    assert_eq!(a.acknowledge(&[(5, 9, ACCEPT)]).await, OK, "that was done with before");
    assert_eq!(b.acknowledge(&[(30, 30, ACCEPT)]).await, ErrorCode::InvalidRecordState);
}

#[tokio::test]
async fn limits_hold_to_the_batch_or_to_the_record() {
    let house = house().await;
    for _ in 0..3 {
        produce(&house, TOPIC, 0, batch(10)).await;
    }
    let mut a = Member::join(&house, "a").await;
    let mut request = a.request();
    (request.max_records, request.share_acquire_mode) = (12, 1);
    let response = a.fetch_as(NEWEST, request).await;
    assert_eq!(given(&response), [(0, 9, 1), (10, 11, 1)]);
    assert_eq!(response.responses[0].partitions[0].records.len(), 2 * batch(10).len());
    let mut request = a.request();
    request.max_bytes = 1;
    assert_eq!(given(&a.fetch_as(NEWEST, request).await), [(12, 19, 1)], "one batch always comes");
    set(&house, "share.partition.max.record.locks", "100").await;
    produce(&house, TOPIC, 0, batch(200)).await;
    assert_eq!(a.fetch().await, [(20, 29, 1), (30, 99, 1)]);
    assert_eq!(a.fetch().await, []);
    assert_eq!(a.fetch_and_acknowledge(&[(0, 49, ACCEPT)]).await, (vec![(100, 149, 1)], OK));
    let mut request = a.request();
    request.max_records = 0;
    assert_eq!(given(&a.fetch_as(NEWEST, request).await), []);
}

#[tokio::test]
async fn a_fetch_waits_for_records_and_for_those_that_are_given_back() {
    let house = house().await;
    let (mut a, mut b) = (Member::join(&house, "a").await, Member::join(&house, "b").await);
    let begun = Instant::now();
    let mut patient = a.request();
    patient.max_wait_ms = 60_000;
    let (response, _) = tokio::join!(a.fetch_as(NEWEST, patient), produce(&house, TOPIC, 0, batch(2)));
    assert_eq!(given(&response), [(0, 1, 1)]);
    let mut patient = b.request();
    patient.max_wait_ms = 60_000;
    let (response, code) = tokio::join!(b.fetch_as(NEWEST, patient), a.acknowledge(&[(0, 1, RELEASE)]));
    assert_eq!((given(&response), code), (vec![(0, 1, 2)], OK));
    let mut patient = a.request();
    patient.max_wait_ms = 20;
    assert_eq!(given(&a.fetch_as(NEWEST, patient).await), []);
    let mut hasty = a.request();
    (hasty.max_wait_ms, hasty.min_bytes) = (60_000, 0);
    assert_eq!(given(&a.fetch_as(NEWEST, hasty).await), []);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// Lets time pass for the broker.
async fn skip(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_lock_ends_or_is_renewed() {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(2)).await;
    let (mut a, mut b) = (Member::join(&house, "a").await, Member::join(&house, "b").await);
    assert_eq!(a.fetch().await, [(0, 1, 1)]);
    skip(20).await;
    assert_eq!(a.acknowledge(&[(1, 1, RENEW)]).await, OK);
    assert_eq!(b.fetch().await, []);
    skip(10).await;
    assert_eq!(b.fetch().await, [(0, 0, 2)]);
    assert_eq!(a.acknowledge(&[(0, 0, ACCEPT)]).await, ErrorCode::InvalidRecordState, "too late");
    skip(20).await;
    assert_eq!(b.fetch().await, [(1, 1, 2)]);
}

#[tokio::test]
async fn a_fetch_waits_for_the_end_of_a_lock() {
    let house = House::with(|config| config.shares.record_lock = Duration::from_millis(200));
    house.topic(TOPIC, 1, &[]).await;
    set(&house, "share.auto.offset.reset", "earliest").await;
    produce(&house, TOPIC, 0, batch(1)).await;
    let (mut a, mut b) = (Member::join(&house, "a").await, Member::join(&house, "b").await);
    assert_eq!(a.fetch().await, [(0, 0, 1)]);
    let mut patient = b.request();
    patient.max_wait_ms = 60_000;
    let begun = Instant::now();
    assert_eq!(given(&b.fetch_as(NEWEST, patient).await), [(0, 0, 2)]);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn what_a_member_has_goes_back_when_it_ends_its_session_or_its_connection() {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(9)).await;
    let (mut a, mut b) = (Member::join(&house, "a").await, Member::join(&house, "b").await);
    assert_eq!(a.fetch().await, [(0, 8, 1)]);
    assert_eq!(b.fetch().await, []);
    drop(a);
    assert_eq!(b.fetch().await, [(0, 8, 1)]);
    let mut last = b.acknowledgement(&[(0, 3, ACCEPT)]);
    last.share_session_epoch = -1;
    assert_eq!(b.acknowledge_as(NEWEST, last.clone()).await.error_code, 0);
    let gone = b.acknowledge_as(NEWEST, last).await.error_code;
    assert_eq!(gone, ErrorCode::ShareSessionNotFound.code());
    let mut c = Member::join(&house, "c").await;
    assert_eq!(c.fetch().await, [(4, 8, 1)]);
    // A fetch may end a session too, and gets nothing then.
    let mut last = c.request();
    last.share_session_epoch = -1;
    assert!(c.fetch_as(NEWEST, last).await.responses.is_empty());
    let mut d = Member::join(&house, "d").await;
    assert_eq!(d.fetch().await, [(4, 8, 1)]);
}

#[tokio::test]
async fn a_session_is_continued_in_its_epoch_only() {
    let house = house().await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.acknowledge(&[(0, 0, ACCEPT)]).await, ErrorCode::InvalidShareSessionEpoch, "none is open");
    a.epoch = 5;
    assert_eq!(a.acknowledge(&[(0, 0, ACCEPT)]).await, ErrorCode::ShareSessionNotFound);
    a.epoch = 0;
    assert_eq!(a.fetch().await, []);
    a.epoch = 2;
    let request = a.request();
    let code = a.fetch_as(NEWEST, request).await.error_code;
    assert_eq!(code, ErrorCode::InvalidShareSessionEpoch.code());
    assert_eq!(a.acknowledge(&[(0, 0, ACCEPT)]).await, ErrorCode::InvalidShareSessionEpoch);
    a.epoch = 0;
    assert_eq!(a.fetch().await, []);
    assert_eq!(a.fetch().await, []);
}

#[tokio::test]
async fn partitions_are_added_to_a_session_and_forgotten() {
    let house = house().await;
    let other = house.topic("other", 1, &[]).await;
    produce(&house, TOPIC, 0, batch(1)).await;
    produce(&house, "other", 0, batch(1)).await;
    let mut a = Member::join(&house, "a").await;
    let mut request = a.request();
    request.topics = Vec::new();
    assert!(a.fetch_as(NEWEST, request).await.responses.is_empty());
    let mut request = a.request();
    let parts = [0, 7].map(|partition_index| build!(FetchPartition { partition_index }));
    request.topics = vec![build!(FetchTopic { topic_id: other, partitions: parts.into() })];
    let response = a.fetch_as(NEWEST, request).await;
    assert_eq!((response.responses.len(), response.responses[0].topic_id), (1, other));
    let codes: Vec<_> = response.responses[0].partitions.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [0, ErrorCode::UnknownTopicOrPartition.code()]);
    let mut request = a.request();
    request.forgotten_topics_data = vec![build!(ForgottenTopic { topic_id: other, partitions: vec![0, 7] })];
    assert!(a.fetch_as(NEWEST, request).await.responses.is_empty());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(4)).await;
    let mut a = Member::join(&house, "a").await;
    let changes: [fn(&mut ShareFetchRequest); 4] = [
        |request| request.member_id = None,
        |request| request.group_id = None,
        |request| request.member_id = Some(StrBytes::from("m".repeat(2_000))),
        |request| request.is_renew_ack = true,
    ];
    for change in changes {
        let mut request = a.request();
        change(&mut request);
        let code = a.fetch_as(NEWEST, request).await.error_code;
        assert_eq!(code, ErrorCode::InvalidRequest.code());
    }
    let mut request = a.request();
    request.group_id = Some(StrBytes::from("nobody"));
    assert_eq!(a.fetch_as(NEWEST, request).await.error_code, ErrorCode::GroupIdNotFound.code());
    assert_eq!(a.fetch().await, [(0, 3, 1)]);
    assert_eq!(a.fetch_and_acknowledge(&[(0, 0, 9)]).await, (vec![], ErrorCode::InvalidRequest));
    assert_eq!(a.fetch_and_acknowledge(&[(0, 0, RENEW)]).await, (vec![], ErrorCode::InvalidRequest));
    assert_eq!(a.acknowledge(&[(3, 2, ACCEPT)]).await, ErrorCode::InvalidRequest);
    assert_eq!(a.acknowledge(&[(0, 3, ACCEPT)]).await, OK, "nothing of that changed anything");
}

#[tokio::test]
async fn every_version_is_answered() {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(4)).await;
    for version in [1, 2] {
        let mut a = Member::join(&house, &format!("a{version}")).await;
        let request = a.request();
        let offset = i64::from(version) - 1;
        assert_eq!(given(&a.fetch_as(version, request).await), [(offset, 3, 1)]);
        let request = a.acknowledgement(&[(offset, offset, ACCEPT)]);
        let response = a.acknowledge_as(version, request).await;
        assert_eq!((response.error_code, response.responses[0].partitions[0].error_code), (0, 0));
        assert_eq!(response.acquisition_lock_timeout_ms, if version == 1 { 0 } else { 30_000 });
    }
}

#[tokio::test]
async fn a_group_begins_where_its_settings_say() {
    let house = House::new();
    house.topic(TOPIC, 1, &[]).await;
    let now = now_ms();
    for age in [7_200_000, 1_800_000] {
        produce(&house, TOPIC, 0, batch_at(1, now - age)).await;
    }
    {
        let mut latest = Member::join(&house, "a").await;
        assert_eq!(latest.fetch().await, []);
        produce(&house, TOPIC, 0, batch(1)).await;
        assert_eq!(latest.fetch().await, [(2, 2, 1)]);
        latest.leave().await;
    }
    for (reset, expected) in [("by_duration:PT1H", 1), ("earliest", 0)] {
        house.broker.groups.delete(GROUP).await.unwrap();
        house.broker.shares.delete_group(GROUP).await.unwrap();
        set(&house, "share.auto.offset.reset", reset).await;
        let mut member = Member::join(&house, "b").await;
        assert_eq!(member.fetch().await[0].0, expected, "{reset}");
        member.leave().await;
    }
}

#[tokio::test]
async fn holes_of_compaction_are_nothing_to_wait_for() {
    let house = House::new();
    house.topic(TOPIC, 1, &[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")]).await;
    set(&house, "share.auto.offset.reset", "earliest").await;
    for _ in 0..3 {
        produce(&house, TOPIC, 0, keyed(&[("k", Some("v"))])).await;
    }
    let partition = house.broker.partitions.of(house.broker.metadata.snapshot().topic(TOPIC).unwrap().id);
    partition[0].1.log.roll().unwrap();
    house.broker.cleaner.turn(now_ms());
    let mut a = Member::join(&house, "a").await;
    let given = a.fetch().await;
    assert_eq!(given.last(), Some(&(2, 2, 1)), "{given:?}");
    assert_eq!(a.acknowledge(&given.iter().map(|one| (one.0, one.1, ACCEPT)).collect::<Vec<_>>()).await, OK);
    let progress = house.broker.shares.progress(GROUP);
    assert_eq!((progress.len(), progress[0].1.start), (1, 3));
}

#[tokio::test]
async fn a_topic_that_is_deleted_takes_its_state_along() {
    let house = house().await;
    produce(&house, TOPIC, 0, batch(1)).await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(0, 0, 1)]);
    assert_eq!(house.broker.shares.progress(GROUP).len(), 1);
    let Response::DeleteTopics(response) =
        house.ask(5, build!(DeleteTopicsRequest { topic_names: vec![StrBytes::from(TOPIC)] })).await
    else {
        panic!();
    };
    assert_eq!(response.responses[0].error_code, 0);
    assert!(house.broker.shares.progress(GROUP).is_empty());
}
