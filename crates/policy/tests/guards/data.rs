//! Produce, Fetch, ListOffsets.

use bytes::Bytes;
use schloss_wire::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use schloss_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use schloss_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use schloss_wire::messages::{FetchRequest, ListOffsetsRequest, ProduceRequest};
use schloss_wire::records::{Compression, Record, RecordBatch, RecordEncodeLimits, TimestampType};
use schloss_wire::{Uuid, build};

use crate::house::{House, Outcome, body, id, text};

fn batch(is_transactional: bool) -> Bytes {
    let record = Record {
        attributes: 0,
        timestamp_delta: 0,
        offset_delta: 0,
        key: None,
        value: Some(Bytes::from_static(b"value")),
        headers: Vec::new(),
    };
    RecordBatch {
        base_offset: 0,
        last_offset_delta: 0,
        partition_leader_epoch: -1,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
        is_transactional,
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: 1,
        max_timestamp: 1,
        producer_id: 7,
        producer_epoch: 0,
        base_sequence: 0,
        records: vec![record],
    }
    .encode_to_bytes(RecordEncodeLimits::default())
    .unwrap()
}

fn partition(index: i32, records: Bytes) -> PartitionProduceData {
    build!(PartitionProduceData { index, records: Some(records) })
}

fn produce(topics: &[(&str, Uuid)], records: &Bytes) -> ProduceRequest {
    let topics = topics.iter().map(|(name, topic_id)| {
        build!(TopicProduceData {
            name: text(name),
            topic_id: *topic_id,
            partition_data: vec![partition(0, records.clone()), partition(1, records.clone())],
        })
    });
    build!(ProduceRequest { acks: -1, transactional_id: None, topic_data: topics.collect() })
}

/// Topic, partition, error of every part of the answer, sorted.
fn produced(outcome: Outcome) -> Vec<(String, Uuid, i32, i16)> {
    let response = body!(outcome.response, Response::Produce);
    let mut parts: Vec<_> = response
        .responses
        .iter()
        .flat_map(|topic| {
            let name = topic.name.as_str().to_owned();
            topic
                .partition_responses
                .iter()
                .map(move |p| (name.clone(), topic.topic_id, p.index, p.error_code))
        })
        .collect();
    parts.sort();
    parts
}

fn named(parts: Vec<(String, Uuid, i32, i16)>) -> Vec<(String, i32, i16)> {
    parts.into_iter().map(|(name, _, index, code)| (name, index, code)).collect()
}

fn part(name: &str, index: i32, code: i16) -> (String, i32, i16) {
    (name.to_owned(), index, code)
}

#[test]
fn producing_without_write_is_refused_on_every_partition() {
    let outcome = House::new().allow("describe topic t").ask(produce(&[("t", Uuid::ZERO)], &batch(false)), 9);
    assert!(outcome.is_refused());
    assert_eq!(outcome.decided(), ["deny write topic t"]);
    let response = body!(&outcome.response, Response::Produce);
    let first = &response.responses[0].partition_responses[0];
    assert_eq!((first.base_offset, first.log_append_time_ms, first.log_start_offset), (-1, -1, -1));
    assert_eq!(named(produced(outcome)), [part("t", 0, 29), part("t", 1, 29)]);
}

#[test]
fn of_a_mixed_produce_only_the_denied_topic_is_refused() {
    let request =
        produce(&[("mine", Uuid::ZERO), ("yours", Uuid::ZERO), ("mine", Uuid::ZERO)], &batch(false));
    let outcome = House::new().allow("write topic mine").ask(request, 9);
    assert!(outcome.is_part());
    let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::Produce);
    assert!(admitted.topic_data.iter().all(|topic| topic.name.as_str() == "mine"));
    assert_eq!(admitted.topic_data.len(), 2);
    assert_eq!(outcome.decided(), ["allow write topic mine", "deny write topic yours"]);
    let expected = [
        part("mine", 0, 0),
        part("mine", 0, 0),
        part("mine", 1, 0),
        part("mine", 1, 0),
        part("yours", 0, 29),
        part("yours", 1, 29),
    ];
    assert_eq!(named(produced(outcome)), expected);
}

#[test]
fn a_denied_topic_that_is_named_twice_is_refused_twice() {
    let request =
        produce(&[("yours", Uuid::ZERO), ("mine", Uuid::ZERO), ("yours", Uuid::ZERO)], &batch(false));
    let outcome = House::new().allow("write topic mine").ask(request, 9);
    let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::Produce);
    assert_eq!(admitted.topic_data.len(), 1);
    assert_eq!(produced(outcome).iter().filter(|part| part.3 == 29).count(), 4);
}

#[test]
fn an_allowed_produce_goes_through_as_it_came() {
    let house = House::new().allow("write topic t").topic(1, "t");
    assert!(house.ask(produce(&[("t", Uuid::ZERO)], &batch(false)), 3).is_whole());
    assert!(house.ask(produce(&[("", id(1))], &batch(false)), 13).is_whole());
}

#[test]
fn from_version_13_on_topics_are_authorized_by_their_id() {
    let house = House::new().allow("write topic mine").topic(1, "mine").topic(2, "yours");
    let request = produce(&[("", id(1)), ("", id(2)), ("", id(3)), ("", Uuid::ZERO)], &batch(false));
    let outcome = house.ask(request, 13);
    assert!(!format!("{:?}", outcome.response).contains("yours"), "the answer reveals no name");
    let codes: Vec<(Uuid, i16)> = produced(outcome).iter().map(|part| (part.1, part.3)).collect();
    let zero = Uuid::ZERO;
    assert_eq!(
        codes,
        [
            (zero, 100),
            (zero, 100),
            (id(1), 0),
            (id(1), 0),
            (id(2), 29),
            (id(2), 29),
            (id(3), 100),
            (id(3), 100)
        ]
    );
}

#[test]
fn the_zero_id_is_nobodys_even_if_an_engine_thinks_otherwise() {
    let house = House::new().super_user().topic(0, "t");
    let outcome = house.ask(produce(&[("t", Uuid::ZERO)], &batch(false)), 13);
    assert!(outcome.is_refused() && produced(outcome).iter().all(|part| part.3 == 100));
}

#[test]
fn before_version_13_an_id_counts_for_nothing_and_after_it_a_name() {
    let house = House::new().allow("write topic mine").topic(1, "mine").topic(2, "yours");
    assert!(house.ask(produce(&[("yours", id(1))], &batch(false)), 12).is_refused());
    assert!(house.ask(produce(&[("mine", id(2))], &batch(false)), 13).is_refused());
}

#[test]
fn a_transactional_batch_needs_its_transactional_id_before_anything_else() {
    let mut request = produce(&[("t", Uuid::ZERO)], &batch(true));
    let writer = House::new().allow("write topic t");
    let outcome = writer.ask(request.clone(), 9);
    assert!(outcome.is_refused());
    assert_eq!(named(produced(outcome)), [part("t", 0, 53), part("t", 1, 53)], "without an id");

    request.transactional_id = Some(text("tx"));
    let outcome = writer.ask(request.clone(), 9);
    assert!(outcome.is_refused());
    assert_eq!(outcome.decided(), ["deny write transactional-id tx"]);
    assert_eq!(named(produced(outcome)), [part("t", 0, 53), part("t", 1, 53)]);

    assert!(
        House::new().allow("write topic t").allow("write transactional-id tx").ask(request, 9).is_whole()
    );
}

#[test]
fn one_transactional_partition_makes_the_request_transactional() {
    for index in 0..2 {
        let mut request = produce(&[("t", Uuid::ZERO)], &batch(false));
        request.topic_data[0].partition_data[index].records = Some(batch(true));
        let outcome = House::new().allow("write topic t").ask(request, 9);
        assert_eq!(named(produced(outcome)), [part("t", 0, 53), part("t", 1, 53)]);
    }
}

#[test]
fn a_transactional_batch_behind_another_is_found() {
    let mut records = batch(false).to_vec();
    records.extend_from_slice(&batch(true));
    let outcome = House::new().allow("write topic t").ask(produce(&[("t", Uuid::ZERO)], &records.into()), 9);
    assert!(outcome.is_refused());
    assert_eq!(named(produced(outcome)), [part("t", 0, 53), part("t", 1, 53)]);
}

#[test]
fn a_transactional_id_without_a_transactional_batch_needs_nothing_more() {
    let mut request = produce(&[("t", Uuid::ZERO)], &batch(false));
    request.transactional_id = Some(text("tx"));
    assert!(House::new().allow("write topic t").ask(request, 9).is_whole());
}

#[test]
fn batches_that_cannot_be_read_never_reach_the_engine() {
    let mut hidden = batch(false).to_vec();
    hidden.extend_from_slice(&batch(true)[..40]);
    let mut old = batch(false).to_vec();
    old[16] = 1;
    let mut negative = batch(true).to_vec();
    negative[8..12].copy_from_slice(&(-1i32).to_be_bytes());
    let mut huge = batch(true).to_vec();
    huge[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
    for (bytes, code) in [(hidden, 2), (old, 87), (negative, 2), (huge, 2), (b"garbage".to_vec(), 2)] {
        let mut request = produce(&[("t", Uuid::ZERO)], &batch(false));
        request.topic_data[0].partition_data[0].records = Some(bytes.into());
        let outcome = House::new().allow("write topic t").ask(request, 9);
        let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::Produce);
        assert_eq!(admitted.topic_data[0].partition_data.len(), 1);
        assert!(outcome.is_part());
        assert_eq!(named(produced(outcome)), [part("t", 0, code), part("t", 1, 0)]);
    }
    let unreadable = produce(&[("t", Uuid::ZERO)], &Bytes::from_static(b"garbage"));
    let denied = House::new().ask(unreadable.clone(), 9);
    assert_eq!(named(produced(denied)), [part("t", 0, 29), part("t", 1, 29)], "authorization comes first");
    assert!(House::new().allow("write topic t").ask(unreadable, 9).is_refused());
}

#[test]
fn every_truncation_and_every_flipped_header_bit_is_met_without_a_panic_or_a_weaker_check() {
    let house = House::new().allow("write topic t");
    let bytes = batch(true);
    for length in 1..bytes.len() {
        let outcome = house.ask(produce(&[("t", Uuid::ZERO)], &bytes.slice(..length)), 9);
        assert!(outcome.is_refused(), "{length} bytes of a transactional batch reached the engine");
    }
    for bit in 0..61 * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let outcome = house.ask(produce(&[("t", Uuid::ZERO)], &flipped.into()), 9);
        // Bit 4 of the attributes' low byte is the transactional flag itself.
        assert_eq!(outcome.is_refused(), bit != 22 * 8 + 4, "bit {bit}");
    }
}

fn fetch(topics: &[(&str, Uuid)]) -> FetchRequest {
    let topics = topics.iter().map(|(name, topic_id)| {
        build!(FetchTopic {
            topic: text(name),
            topic_id: *topic_id,
            partitions: vec![build!(FetchPartition { partition: 3 })],
        })
    });
    build!(FetchRequest { replica_id: -1, session_epoch: -1, topics: topics.collect() })
}

fn fetched(outcome: &Outcome) -> Vec<(&str, Uuid, i16)> {
    let response = body!(&outcome.response, Response::Fetch);
    let parts = response.responses.iter().flat_map(|topic| {
        topic.partitions.iter().map(|p| (topic.topic.as_str(), topic.topic_id, p.error_code))
    });
    parts.collect()
}

#[test]
fn fetching_without_read_is_refused_per_partition_with_empty_records() {
    let outcome = House::new().allow("describe topic t").ask(fetch(&[("t", Uuid::ZERO)]), 11);
    assert!(outcome.is_refused());
    assert_eq!(fetched(&outcome), [("t", Uuid::ZERO, 29)]);
    let response = body!(outcome.response, Response::Fetch);
    let partition = &response.responses[0].partitions[0];
    assert_eq!((response.error_code, partition.partition_index, partition.high_watermark), (0, 3, -1));
    assert_eq!(partition.records, Some(Bytes::new()), "null would break clients");
}

#[test]
fn of_a_mixed_fetch_only_the_denied_topic_is_refused() {
    let house = House::new().allow("read topic mine").topic(1, "mine").topic(2, "yours");
    let outcome = house.ask_engine(fetch(&[("mine", Uuid::ZERO), ("yours", Uuid::ZERO)]), 12, |request| {
        let request = body!(request, Request::Fetch);
        assert_eq!(request.topics.len(), 1);
        assert_eq!(request.max_bytes, 1 << 20, "the answer has to be read, so it is kept short");
        schloss_policy::refuse(&request.clone().into(), 12, schloss_wire::ErrorCode::None, None)
    });
    assert!(outcome.is_part());
    assert_eq!(fetched(&outcome), [("mine", Uuid::ZERO, 0), ("yours", Uuid::ZERO, 29)]);

    let outcome = house.ask(fetch(&[("", id(1)), ("", id(2)), ("", id(3))]), 13);
    assert_eq!(fetched(&outcome), [("", id(2), 29), ("", id(3), 100)], "this engine answers at the top");
    assert!(house.ask(fetch(&[("", id(1))]), 13).is_whole());
    assert!(house.ask(fetch(&[("mine", Uuid::ZERO)]), 4).is_whole());
}

#[test]
fn a_follower_without_cluster_action_gets_the_topic_error_on_every_partition() {
    let mut old = fetch(&[("t", Uuid::ZERO), ("u", Uuid::ZERO)]);
    old.replica_id = 0;
    let mut new = fetch(&[("", id(1)), ("", id(9))]);
    new.replica_state = build!(ReplicaState { replica_id: 5 });
    for (request, version) in [(old, 12), (new, 16)] {
        let reader = House::new().allow("read topic *").topic(1, "t");
        let outcome = reader.ask(request.clone(), version);
        assert!(outcome.is_refused(), "reading topics does not make a follower");
        assert_eq!(outcome.decided(), ["deny cluster-action cluster kafka-cluster"]);
        assert!(fetched(&outcome).iter().all(|part| part.2 == 29) && fetched(&outcome).len() == 2);
        let follower = House::new().allow("cluster-action cluster kafka-cluster").topic(1, "t").topic(9, "u");
        assert!(follower.ask(request, version).is_whole());
    }
}

#[test]
fn a_follower_does_not_fetch_reserved_topics() {
    let house = House::new().super_user().topic(1, "t").topic(2, "__schloss_keys");
    let mut old = fetch(&[("t", Uuid::ZERO), ("__schloss_keys", Uuid::ZERO)]);
    old.replica_id = 0;
    let outcome = house.ask(old, 12);
    assert!(outcome.is_part());
    assert_eq!(fetched(&outcome), [("t", Uuid::ZERO, 0), ("__schloss_keys", Uuid::ZERO, 29)]);
    let mut new = fetch(&[("", id(2)), ("", id(3))]);
    new.replica_state = build!(ReplicaState { replica_id: 5 });
    let outcome = house.ask(new, 17);
    assert!(outcome.is_refused());
    assert_eq!(
        fetched(&outcome),
        [("", id(2), 29), ("", id(3), 100)],
        "an unknown id could be a reserved one"
    );
}

#[test]
fn fetch_sessions_are_neither_opened_nor_continued() {
    let house = House::new().allow("read topic t");
    let mut request = fetch(&[("t", Uuid::ZERO)]);
    request.session_epoch = 0;
    let outcome = house.ask(request.clone(), 11);
    let Some((schloss_wire::Request::Fetch(admitted), whole)) = outcome.admitted else { panic!() };
    assert_eq!(admitted.max_bytes, request.max_bytes, "an answer that passes as bytes may be long");
    assert_eq!((admitted.session_id, admitted.session_epoch, whole), (0, -1, false), "the engine opens none");

    (request.session_id, request.session_epoch) = (77, 1);
    request.topics.clear();
    for version in [11, 17] {
        let outcome = house.ask(request.clone(), version);
        assert!(outcome.is_refused());
        assert_eq!(body!(outcome.response, Response::Fetch).error_code, 70);
    }
}

#[test]
fn listing_offsets_needs_describe_on_each_topic() {
    let topic = |name: &str| {
        build!(ListOffsetsTopic {
            name: text(name),
            partitions: vec![build!(ListOffsetsPartition { partition_index: 2 })],
        })
    };
    let request = build!(ListOffsetsRequest { topics: vec![topic("mine"), topic("yours")] });
    let outcome = House::new().allow("read topic mine").ask(request.clone(), 7);
    assert!(outcome.is_part());
    assert_eq!(outcome.decided(), ["allow describe topic mine", "deny describe topic yours"]);
    let response = body!(outcome.response, Response::ListOffsets);
    let parts: Vec<_> = response
        .topics
        .iter()
        .map(|t| {
            (t.name.as_str(), t.partitions[0].error_code, t.partitions[0].offset, t.partitions[0].timestamp)
        })
        .collect();
    assert_eq!((parts[0].0, parts[0].1), ("mine", 0));
    assert_eq!(parts[1], ("yours", 29, -1, -1));
    assert!(House::new().allow("describe topic *").ask(request, 1).is_whole());
}
