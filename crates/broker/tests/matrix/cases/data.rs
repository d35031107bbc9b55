//! Records, offsets, and what tells of topics.

use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, Uuid, build};

use crate::case::{Case, Names, Shown};
use crate::records::batch;

/// The last versions that name topics by name.
const PRODUCE_NAMES: i16 = 12;
const FETCH_NAMES: i16 = 12;
/// The only versions that tell what may be done to the cluster.
const CLUSTER_OPERATIONS: i16 = 10;
/// DESCRIBE alone, as a bit.
const ONLY_DESCRIBE: Shown = Shown::Text("cluster_authorized_operations: 256");

/// A topic is named by name or by id, never by both.
fn called(names: &Names, label: &str, by_id: bool) -> (StrBytes, Uuid) {
    if by_id { (StrBytes::default(), names.id(label)) } else { (names.text(label), Uuid::ZERO) }
}

fn produce(names: &Names, labels: &[&str], by_id: bool) -> m::ProduceRequest {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let topic = |label: &&str| {
        let partition = build!(PartitionProduceData { index: 0, records: Some(batch(None)) });
        let (name, topic_id) = called(names, label, by_id);
        build!(TopicProduceData { name, topic_id, partition_data: vec![partition] })
    };
    let topic_data = labels.iter().map(topic).collect();
    build!(m::ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 10_000, topic_data })
}

fn fetch(names: &Names, labels: &[&str], by_id: bool) -> m::FetchRequest {
    use m::fetch_request::{FetchPartition, FetchTopic};
    let topic = |label: &&str| {
        let partition = build!(FetchPartition {
            partition: 0,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 1 << 20,
        });
        let (topic, topic_id) = called(names, label, by_id);
        build!(FetchTopic { topic, topic_id, partitions: vec![partition] })
    };
    let topics = labels.iter().map(topic).collect();
    build!(m::FetchRequest { replica_id: -1, max_bytes: 1 << 20, session_epoch: -1, topics })
}

fn follow(names: &Names) -> m::FetchRequest {
    let mut request = fetch(names, &["t"], true);
    request.replica_state.replica_id = 5;
    request
}

fn list_offsets(names: &Names) -> m::ListOffsetsRequest {
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let partition =
        build!(ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp: -1 });
    let topic = build!(ListOffsetsTopic { name: names.text("t"), partitions: vec![partition] });
    build!(m::ListOffsetsRequest { replica_id: -1, topics: vec![topic] })
}

fn metadata(names: &Names, labels: Option<&[&str]>) -> m::MetadataRequest {
    use m::metadata_request::MetadataRequestTopic;
    let topic = |label: &&str| build!(MetadataRequestTopic { name: Some(names.text(label)) });
    build!(m::MetadataRequest {
        topics: labels.map(|labels| labels.iter().map(topic).collect()),
        allow_auto_topic_creation: false,
    })
}

fn creating(names: &Names) -> m::MetadataRequest {
    let mut request = metadata(names, Some(&["new"]));
    request.allow_auto_topic_creation = true;
    request
}

fn epochs(names: &Names) -> m::OffsetForLeaderEpochRequest {
    use m::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    let partition =
        build!(OffsetForLeaderPartition { partition: 0, current_leader_epoch: -1, leader_epoch: 0 });
    let topic = build!(OffsetForLeaderTopic { topic: names.text("t"), partitions: vec![partition] });
    build!(m::OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] })
}

fn producers(names: &Names) -> m::DescribeProducersRequest {
    use m::describe_producers_request::TopicRequest;
    let topic = build!(TopicRequest { name: names.text("t"), partition_indexes: vec![0] });
    build!(m::DescribeProducersRequest { topics: vec![topic] })
}

fn partitions(names: &Names, labels: &[&str]) -> m::DescribeTopicPartitionsRequest {
    use m::describe_topic_partitions_request::TopicRequest;
    let topic = |label: &&str| build!(TopicRequest { name: names.text(label) });
    build!(m::DescribeTopicPartitionsRequest {
        topics: labels.iter().map(topic).collect(),
        response_partition_limit: 2000,
        cursor: None,
    })
}

fn deletion(names: &Names) -> m::DeleteRecordsRequest {
    use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let partition = build!(DeleteRecordsPartition { partition_index: 0, offset: 0 });
    let topic = build!(DeleteRecordsTopic { name: names.text("t"), partitions: vec![partition] });
    build!(m::DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000 })
}

pub(crate) fn cases() -> Vec<Case> {
    let of_partition = "topics[t].partitions[0] 29";
    let of_produce = "responses[t].partition_responses[0] 29";
    let of_fetch = "responses[t].partitions[0] 29";
    vec![
        Case::new(Api::Produce, "a topic by id", |names| produce(names, &["t"], true))
            .topics(&["t"])
            .needs("write topic t", of_produce),
        Case::new(Api::Produce, "a topic by name", |names| produce(names, &["t"], false))
            .version(PRODUCE_NAMES)
            .topics(&["t"])
            .needs("write topic t", of_produce),
        Case::new(Api::Produce, "two topics", |names| produce(names, &["t", "u"], true))
            .topics(&["t", "u"])
            .nothing(
                "responses[t].partition_responses[0] 29; responses[u].partition_responses[0] 29",
                &["write topic t", "write topic u"],
            )
            .needs("write topic t", of_produce)
            .in_part()
            .needs("write topic u", "responses[u].partition_responses[0] 29")
            .in_part(),
        Case::new(Api::Fetch, "a topic by id", |names| fetch(names, &["t"], true))
            .topics(&["t"])
            .needs("read topic t", of_fetch),
        Case::new(Api::Fetch, "a topic by name", |names| fetch(names, &["t"], false))
            .version(FETCH_NAMES)
            .topics(&["t"])
            .needs("read topic t", of_fetch),
        Case::new(Api::Fetch, "two topics", |names| fetch(names, &["t", "u"], true))
            .topics(&["t", "u"])
            .nothing(
                "responses[t].partitions[0] 29; responses[u].partitions[0] 29",
                &["read topic t", "read topic u"],
            )
            .needs("read topic t", of_fetch)
            .in_part()
            .needs("read topic u", "responses[u].partitions[0] 29")
            .in_part(),
        Case::new(Api::Fetch, "a follower", follow)
            .topics(&["t"])
            .needs("cluster-action cluster", of_fetch)
            // The broker knows of no followers.
            .allowed("responses[t].partitions[0] 6"),
        Case::new(Api::ListOffsets, "one topic", list_offsets)
            .topics(&["t"])
            .needs("describe topic t", of_partition),
        Case::new(Api::Metadata, "one topic", |names| metadata(names, Some(&["t"])))
            .topics(&["t"])
            .needs("describe topic t", "topics[t] 29")
            .in_part()
            .shows(Shown::Id("t")),
        Case::new(Api::Metadata, "all topics", |names| metadata(names, None))
            .topics(&["t"])
            .needs_silently("describe topic t", "")
            .shows(Shown::Name("t")),
        Case::new(Api::Metadata, "what may be done to the cluster", |names| {
            let mut request = metadata(names, Some(&[]));
            request.include_cluster_authorized_operations = true;
            request
        })
        .version(CLUSTER_OPERATIONS)
        .needs_silently("describe cluster", "")
        .shows(ONLY_DESCRIBE),
        // The broker creates none; what the gate lets through comes back as missing.
        Case::new(Api::Metadata, "a topic to be created, by its name", creating)
            .needs("describe topic new", "topics[new] 29")
            .in_part()
            .needs("create topic new", "topics[new] 29")
            .in_part()
            .allowed("topics[new] 3"),
        Case::new(Api::Metadata, "a topic to be created, by the cluster", creating)
            .needs("describe topic new", "topics[new] 29")
            .in_part()
            .needs("create cluster", "topics[new] 29")
            .recorded(&["create topic new"])
            .in_part()
            .allowed("topics[new] 3"),
        Case::new(Api::OffsetForLeaderEpoch, "a consumer", epochs)
            .topics(&["t"])
            .needs("describe topic t", of_partition),
        Case::new(Api::OffsetForLeaderEpoch, "a follower", epochs)
            .topics(&["t"])
            .needs("cluster-action cluster", of_partition)
            .recorded(&["describe topic t"]),
        Case::new(Api::DescribeProducers, "one topic", producers)
            .topics(&["t"])
            .needs("read topic t", of_partition),
        Case::new(Api::DescribeTopicPartitions, "one topic", |names| partitions(names, &["t"]))
            .topics(&["t"])
            .needs("describe topic t", "topics[t] 29")
            .shows(Shown::Id("t")),
        Case::new(Api::DescribeTopicPartitions, "all topics", |names| partitions(names, &[]))
            .topics(&["t"])
            .needs_silently("describe topic t", "")
            .shows(Shown::Name("t")),
        Case::new(Api::DeleteRecords, "one topic", deletion)
            .topics(&["t"])
            .needs("delete topic t", of_partition),
    ]
}
