//! Transactions, and producer ids.

use futures_util::FutureExt;
use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, Uuid, build};

use crate::case::{Case, Scenario, cluster_ways, each, scripts, ways, ways_on, with, yes_or_no};
use crate::records::batch;
use crate::side::{At, Side};

use super::LABELS;

const ID: &str = "tx{c}-{v}";
const GROUP: &str = "txg{c}-{v}";
const BROKER: At = At::Broker(1);
/// Last version of AddPartitionsToTxn that clients use.
const OF_CLIENTS: i16 = 3;
/// First versions that name topics by id.
const PRODUCE_IDS: i16 = 13;
const COMMIT_IDS: i16 = 6;

fn init(id: Option<StrBytes>) -> m::InitProducerIdRequest {
    build!(m::InitProducerIdRequest { transactional_id: id, transaction_timeout_ms: 60_000 })
}

fn add(
    side: &Side<'_>,
    (producer_id, producer_epoch): (i64, i16),
    labels: &[&str],
) -> m::AddPartitionsToTxnRequest {
    use m::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
    let topics = labels
        .iter()
        .map(|label| build!(AddPartitionsToTxnTopic { name: side.text(label), partitions: vec![0] }));
    build!(m::AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: side.kept(ID),
        v3_and_below_producer_id: producer_id,
        v3_and_below_producer_epoch: producer_epoch,
        v3_and_below_topics: topics.collect(),
    })
}

fn produce(side: &Side<'_>, producer: (i64, i16), labels: &[&str]) -> m::ProduceRequest {
    use m::produce_request::{PartitionProduceData, TopicProduceData};
    let by_id = side.version_of(Api::Produce) >= PRODUCE_IDS;
    let topics = labels.iter().map(|label| {
        let partition = build!(PartitionProduceData { index: 0, records: Some(batch(2, Some(producer))) });
        build!(TopicProduceData {
            name: if by_id { StrBytes::default() } else { side.text(label) },
            topic_id: if by_id { side.id(label) } else { Uuid::ZERO },
            partition_data: vec![partition],
        })
    });
    build!(m::ProduceRequest {
        transactional_id: Some(side.kept(ID)),
        acks: -1,
        timeout_ms: 10_000,
        topic_data: topics.collect(),
    })
}

fn commit(side: &Side<'_>, (producer_id, producer_epoch): (i64, i16)) -> m::TxnOffsetCommitRequest {
    use m::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
    let by_id = side.version_of(Api::TxnOffsetCommit) >= COMMIT_IDS;
    let topics = LABELS.map(|label| {
        let partition = build!(TxnOffsetCommitRequestPartition {
            partition_index: 0,
            committed_offset: 4,
            committed_metadata: None,
        });
        build!(TxnOffsetCommitRequestTopic {
            name: if by_id { StrBytes::default() } else { side.text(label) },
            topic_id: if by_id { side.id(label) } else { Uuid::ZERO },
            partitions: vec![partition],
        })
    });
    build!(m::TxnOffsetCommitRequest {
        transactional_id: side.kept(ID),
        group_id: side.kept(GROUP),
        producer_id,
        producer_epoch,
        generation_id_or_member_epoch: -1,
        topics: topics.to_vec(),
    })
}

/// The producer of the service, so that each step is asked for, whatever else is denied.
async fn producer(side: &Side<'_>) -> (i64, i16) {
    let made = side.service(At::Transactions, &init(Some(side.kept(ID)))).await;
    assert_eq!(made.error_code, 0, "{made:?}");
    (made.producer_id, made.producer_epoch)
}

async fn partitions(side: &mut Side<'_>) {
    let producer = producer(side).await;
    let request = add(side, producer, &["tx{c}-a", "tx{c}-b"]);
    side.ask("of topics there are", At::Transactions, &request).await;
    let request = add(side, producer, &LABELS);
    side.ask("with a missing one", At::Transactions, &request).await;
}

async fn offsets(side: &mut Side<'_>) {
    let (producer_id, producer_epoch) = producer(side).await;
    let request = build!(m::AddOffsetsToTxnRequest {
        transactional_id: side.kept(ID),
        producer_id,
        producer_epoch,
        group_id: side.kept(GROUP),
    });
    side.ask("", At::Transactions, &request).await;
    let request = commit(side, (producer_id, producer_epoch));
    side.ask("", At::Groups, &request).await;
    let request = build!(m::EndTxnRequest {
        transactional_id: side.kept(ID),
        producer_id,
        producer_epoch,
        committed: true,
    });
    side.ask("", At::Transactions, &request).await;
}

async fn records(side: &mut Side<'_>) {
    let producer = producer(side).await;
    let labels = ["tx{c}-a", "tx{c}-b"];
    let added = side.world.add_partitions(&add(side, producer, &labels)).await;
    assert!(added, "the service may add partitions");
    let request = produce(side, producer, &["tx{c}-a", "tx{c}-b", "missing"]);
    side.ask("", BROKER, &request).await;
    let request = build!(m::EndTxnRequest {
        transactional_id: side.kept(ID),
        producer_id: producer.0,
        producer_epoch: producer.1,
        committed: false,
    });
    side.ask("", At::Transactions, &request).await;
}

fn verification(side: &Side<'_>) -> m::AddPartitionsToTxnRequest {
    use m::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
    let topic = build!(AddPartitionsToTxnTopic { name: side.text("a"), partitions: vec![0] });
    let transaction = build!(AddPartitionsToTxnTransaction {
        transactional_id: side.kept("missing"),
        producer_id: 1,
        verify_only: true,
        topics: vec![topic],
    });
    build!(m::AddPartitionsToTxnRequest { transactions: vec![transaction] })
}

fn markers(side: &Side<'_>) -> m::WriteTxnMarkersRequest {
    use m::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
    let topics = ["marked{c}-{v}", "missing"]
        .map(|label| build!(WritableTxnMarkerTopic { name: side.text(label), partition_indexes: vec![0] }));
    let marker = build!(WritableTxnMarker { producer_id: 4242, producer_epoch: 0, topics: topics.to_vec() });
    build!(m::WriteTxnMarkersRequest { markers: vec![marker] })
}

/// Whether some topic may be written to, in the ways that decide it.
fn any_topic() -> Vec<Scenario> {
    let scenarios: [(&str, &[&str]); 9] = [
        ("nothing", &[]),
        ("one topic", &["allow write topic a"]),
        ("a prefix", &["allow write topic pre*"]),
        ("ALL on one", &["allow all topic missing"]),
        ("one that a DENY takes away", &["allow write topic a", "deny write topic a"]),
        ("one that a prefix takes away", &["allow write topic pre-a", "deny write topic pre*"]),
        ("a prefix that leaves something", &["allow write topic pre*", "deny write topic pre-a"]),
        ("all that are denied", &["allow write topic *", "deny all topic *"]),
        ("another operation", &["allow read topic *"]),
    ];
    scenarios
        .map(|(name, grants)| (name.to_owned(), grants.iter().map(|&grant| grant.to_owned()).collect()))
        .into()
}

fn both(
    first: Vec<Scenario>,
    first_needs: &[&str],
    second: Vec<Scenario>,
    second_needs: &[&str],
) -> Vec<Scenario> {
    [with(first, first_needs), with(second, second_needs)].concat()
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let ids = ways("write", "transactional-id");
    let named =
        each(Api::InitProducerId, "of an id", At::Transactions, ids, |side| init(Some(side.kept("init-a"))));
    cases.extend(named.into_iter().map(Case::alone));
    let named = yes_or_no("write", "transactional-id", ID);
    cases.extend(each(Api::InitProducerId, "of its own id", At::Transactions, named, |side| {
        init(Some(side.kept(ID)))
    }));
    let idempotent = [cluster_ways("idempotent-write"), any_topic()].concat();
    cases.extend(each(Api::InitProducerId, "without an id", BROKER, idempotent, |_| init(None)));

    let may_write = format!("allow write transactional-id {ID}");
    let own_topics: Vec<Scenario> = ways_on("write", "topic", "tx{c}-");
    let scenarios = both(
        [own_topics.clone(), ways("write", "topic")].concat(),
        &[&may_write],
        yes_or_no("write", "transactional-id", ID),
        &["allow write topic *"],
    );
    let added =
        scripts(Api::AddPartitionsToTxn, "by a client", scenarios, |side| partitions(side).boxed_local());
    cases.extend(added.into_iter().map(|case| case.topics(&["tx{c}-a", "tx{c}-b"]).versions(0..=OF_CLIENTS)));
    let brokers = each(
        Api::AddPartitionsToTxn,
        "by a broker",
        At::Transactions,
        cluster_ways("cluster-action"),
        verification,
    );
    cases.extend(brokers.into_iter().map(|case| case.versions(OF_CLIENTS + 1..=i16::MAX)));

    let may_read_group = format!("allow read group {GROUP}");
    for api in [Api::AddOffsetsToTxn, Api::TxnOffsetCommit, Api::EndTxn] {
        let mut scenarios = both(
            yes_or_no("write", "transactional-id", ID),
            &[&may_read_group, "allow read topic *"],
            yes_or_no("read", "group", GROUP),
            &[&may_write, "allow read topic *"],
        );
        if api == Api::TxnOffsetCommit {
            scenarios.extend(with(ways("read", "topic"), &[&may_write, &may_read_group]));
        }
        cases.extend(scripts(api, "offsets in a transaction", scenarios, |side| offsets(side).boxed_local()));
    }
    let scenarios =
        both(own_topics, &[&may_write], yes_or_no("write", "transactional-id", ID), &["allow write topic *"]);
    let written = scripts(Api::Produce, "in a transaction", scenarios, |side| records(side).boxed_local());
    cases.extend(written.into_iter().map(|case| case.topics(&["tx{c}-a", "tx{c}-b"])));

    for operation in ["alter", "cluster-action"] {
        let marked = each(Api::WriteTxnMarkers, operation, BROKER, cluster_ways(operation), markers);
        cases.extend(marked.into_iter().map(|case| case.topics(&["marked{c}-{v}"])));
    }
    cases
}
