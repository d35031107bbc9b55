//! Producers and their transactions.

use schloss_wire::messages as m;
use schloss_wire::{Api, Request, StrBytes, build};

use super::ADD_PARTITIONS_OF_CLIENTS;
use crate::case::{Case, Names, Shown};
use crate::records::batch;

fn init(id: Option<StrBytes>) -> m::InitProducerIdRequest {
    build!(m::InitProducerIdRequest {
        transactional_id: id,
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
    })
}

fn produce(names: &Names) -> m::ProduceRequest {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let partition = build!(PartitionProduceData { index: 0, records: Some(batch(Some(names.producer))) });
    let topic = build!(TopicProduceData { topic_id: names.id("t"), partition_data: vec![partition] });
    build!(m::ProduceRequest {
        transactional_id: Some(names.text("x")),
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![topic],
    })
}

fn add_partitions(names: &Names, labels: &[&str]) -> m::AddPartitionsToTxnRequest {
    use m::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
    let topic =
        |label: &&str| build!(AddPartitionsToTxnTopic { name: names.text(label), partitions: vec![0] });
    build!(m::AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: names.text("x"),
        v3_and_below_producer_id: names.producer.0,
        v3_and_below_producer_epoch: names.producer.1,
        v3_and_below_topics: labels.iter().map(topic).collect(),
    })
}

fn add_partitions_of_brokers(names: &Names) -> m::AddPartitionsToTxnRequest {
    use m::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
    let topic = build!(AddPartitionsToTxnTopic { name: names.text("t"), partitions: vec![0] });
    let transaction = build!(AddPartitionsToTxnTransaction {
        transactional_id: names.text("x"),
        producer_id: names.producer.0,
        producer_epoch: names.producer.1,
        topics: vec![topic],
    });
    build!(m::AddPartitionsToTxnRequest { transactions: vec![transaction] })
}

fn add_offsets(names: &Names) -> m::AddOffsetsToTxnRequest {
    build!(m::AddOffsetsToTxnRequest {
        transactional_id: names.text("x"),
        producer_id: names.producer.0,
        producer_epoch: names.producer.1,
        group_id: names.text("g"),
    })
}

fn commit_offsets(names: &Names) -> m::TxnOffsetCommitRequest {
    use m::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
    let partition = build!(TxnOffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: 5,
        committed_leader_epoch: -1,
        committed_metadata: None,
    });
    let topic = build!(TxnOffsetCommitRequestTopic { topic_id: names.id("t"), partitions: vec![partition] });
    build!(m::TxnOffsetCommitRequest {
        transactional_id: names.text("x"),
        group_id: names.text("g"),
        producer_id: names.producer.0,
        producer_epoch: names.producer.1,
        generation_id_or_member_epoch: -1,
        group_instance_id: None,
        topics: vec![topic],
    })
}

fn end(names: &Names) -> m::EndTxnRequest {
    build!(m::EndTxnRequest {
        transactional_id: names.text("x"),
        producer_id: names.producer.0,
        producer_epoch: names.producer.1,
        committed: true,
    })
}

fn markers(names: &Names) -> m::WriteTxnMarkersRequest {
    use m::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
    let topic = build!(WritableTxnMarkerTopic { name: names.text("t"), partition_indexes: vec![0] });
    let marker = build!(WritableTxnMarker { producer_id: 900_000, producer_epoch: 0, topics: vec![topic] });
    build!(m::WriteTxnMarkersRequest { markers: vec![marker] })
}

fn describe(names: &Names) -> m::DescribeTransactionsRequest {
    build!(m::DescribeTransactionsRequest { transactional_ids: vec![names.text("x")] })
}

fn list() -> m::ListTransactionsRequest {
    build!(m::ListTransactionsRequest { duration_filter: -1, transactional_id_pattern: None })
}

fn begun(names: &Names) -> Vec<Request> {
    vec![add_partitions(names, &["t"]).into()]
}

pub(crate) fn cases() -> Vec<Case> {
    [producers(), parts(), administration()].into_iter().flatten().collect()
}

fn producers() -> Vec<Case> {
    vec![
        Case::new(Api::InitProducerId, "of a transactional id", |names| init(Some(names.text("x"))))
            .needs("write transactional-id x", "53"),
        Case::new(Api::InitProducerId, "idempotent, by the cluster", |_| init(None))
            .needs("idempotent-write cluster", "31")
            .recorded(&["write topic *"]),
        Case::new(Api::InitProducerId, "idempotent, by any topic", |_| init(None))
            .needs("write topic t", "31")
            .recorded(&["write topic *"]),
        Case::new(Api::Produce, "in a transaction", produce)
            .topics(&["t"])
            .has_producer()
            .needs("write transactional-id x", "responses[t].partition_responses[0] 53")
            .needs("write topic t", "responses[t].partition_responses[0] 29"),
    ]
}

fn parts() -> Vec<Case> {
    const PART: &str = "results_by_topic_v3_and_below[t].results_by_partition[0].partition_error_code";
    const OTHER: &str = "results_by_topic_v3_and_below[u].results_by_partition[0].partition_error_code";
    // One that is denied keeps all of them out, and the others are told so.
    let all = |one: &str, other: &str| -> &'static str { format!("{PART} {one}; {OTHER} {other}").leak() };
    vec![
        Case::new(Api::AddPartitionsToTxn, "two topics of a client", |names| {
            add_partitions(names, &["t", "u"])
        })
        .version(ADD_PARTITIONS_OF_CLIENTS)
        .topics(&["t", "u"])
        .has_producer()
        .needs("write transactional-id x", all("53", "53"))
        .needs("write topic t", all("29", "55"))
        .needs("write topic u", all("55", "29")),
        Case::new(Api::AddPartitionsToTxn, "of a broker", add_partitions_of_brokers)
            .topics(&["t"])
            .has_producer()
            .needs("cluster-action cluster", "31"),
        Case::new(Api::AddOffsetsToTxn, "one group", add_offsets)
            .has_producer()
            .needs("write transactional-id x", "53")
            .needs("read group g", "30"),
        Case::new(Api::TxnOffsetCommit, "one topic", commit_offsets)
            .topics(&["t"])
            .has_producer()
            .prepares(|names| vec![add_offsets(names).into()])
            .needs("write transactional-id x", "topics[t].partitions[0] 53")
            .needs("read group g", "topics[t].partitions[0] 30")
            .needs("read topic t", "topics[t].partitions[0] 29"),
        Case::new(Api::EndTxn, "a commit", end)
            .topics(&["t"])
            .has_producer()
            .prepares(begun)
            .needs("write transactional-id x", "53"),
    ]
}

fn administration() -> Vec<Case> {
    let markers_of = |what| Case::new(Api::WriteTxnMarkers, what, markers).topics(&["t"]);
    let of_marker = "markers[900000].topics[t].partitions[0] 31";
    vec![
        markers_of("of a broker").needs("cluster-action cluster", of_marker),
        markers_of("of an administrator")
            .needs("alter cluster", of_marker)
            .recorded(&["cluster-action cluster"]),
        Case::new(Api::DescribeTransactions, "with a topic", describe)
            .topics(&["t"])
            .has_producer()
            .prepares(begun)
            .needs("describe transactional-id x", "transaction_states[x] 53")
            .needs_silently("describe topic t", "")
            .shows(Shown::Name("t")),
        Case::new(Api::ListTransactions, "all", |_| list())
            .has_producer()
            .needs_silently("describe transactional-id x", "")
            .shows(Shown::Name("x")),
    ]
}
