//! The APIs of transactions.

use std::collections::BTreeSet;

use schloss_wire::messages as m;
use schloss_wire::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use schloss_wire::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use schloss_wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use schloss_wire::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use schloss_wire::{Request, Response, Uuid, build};

use crate::every_api::sample;
use crate::house::{House, Outcome, body, id, text};

fn topics(names: &[&str]) -> Vec<AddPartitionsToTxnTopic> {
    let topic = |name: &&str| build!(AddPartitionsToTxnTopic { name: text(name), partitions: vec![1, 2] });
    names.iter().map(topic).collect()
}

fn add(names: &[&str]) -> m::AddPartitionsToTxnRequest {
    build!(m::AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: text("x"),
        v3_and_below_topics: topics(names),
    })
}

/// Topic, and the error of each partition.
fn results(topics: &[AddPartitionsToTxnTopicResult]) -> Vec<(&str, Vec<(i32, i16)>)> {
    let result = |topic: &AddPartitionsToTxnTopicResult| -> Vec<(i32, i16)> {
        let partitions = topic.results_by_partition.iter();
        partitions.map(|p| (p.partition_index, p.partition_error_code)).collect()
    };
    topics.iter().map(|topic| (topic.name.as_str(), result(topic))).collect()
}

fn added(outcome: &Outcome) -> Vec<(&str, Vec<(i32, i16)>)> {
    let response = body!(&outcome.response, Response::AddPartitionsToTxn);
    results(&response.results_by_topic_v3_and_below)
}

#[test]
fn of_a_transaction_all_topics_are_added_or_none() {
    let house = House::new().allow("write transactional-id x").allow("write topic mine").topic(1, "mine");
    for version in 0..=3 {
        let outcome = House::new().allow("write topic mine").ask(add(&["mine"]), version);
        assert!(outcome.is_refused());
        assert_eq!(added(&outcome), [("mine", vec![(1, 53), (2, 53)])]);
        assert_eq!(outcome.decided(), ["deny write transactional-id x"], "topics are not looked at");

        let outcome = house.ask(add(&["mine", "yours"]), version);
        assert!(outcome.is_refused(), "v{version}");
        let told = [("mine", vec![(1, 55), (2, 55)]), ("yours", vec![(1, 29), (2, 29)])];
        assert_eq!(added(&outcome), told);
        let decided = ["allow write transactional-id x", "allow write topic mine", "deny write topic yours"];
        assert_eq!(outcome.decided(), decided);

        let outcome = house.ask(add(&["mine"]), version);
        assert!(outcome.is_whole() && outcome.unrepaired);
    }
    let outcome =
        House::new().super_user().topic(1, "mine").ask(add(&["__schloss_keys", "mine", "missing"]), 3);
    assert!(outcome.is_refused());
    let told = [
        ("__schloss_keys", vec![(1, 29), (2, 29)]),
        ("mine", vec![(1, 55), (2, 55)]),
        ("missing", vec![(1, 3), (2, 3)]),
    ];
    assert_eq!(added(&outcome), told);
}

#[test]
fn many_transactions_at_once_are_for_brokers() {
    let transaction = |name: &str, names: &[&str]| {
        build!(AddPartitionsToTxnTransaction { transactional_id: text(name), topics: topics(names) })
    };
    let ask = |house: &House, transactions: Vec<AddPartitionsToTxnTransaction>, version: i16| {
        let request = build!(m::AddPartitionsToTxnRequest { transactions });
        house.ask_engine(request, version, |request| {
            let request = body!(request, Request::AddPartitionsToTxn);
            let result = |asked: &AddPartitionsToTxnTransaction| {
                build!(AddPartitionsToTxnResult { transactional_id: asked.transactional_id.clone() })
            };
            let results_by_transaction = request.transactions.iter().map(result).collect();
            build!(m::AddPartitionsToTxnResponse { results_by_transaction }).into()
        })
    };
    let client = House::new().allow("write transactional-id *").allow("write topic *");
    let broker = House::new().allow("cluster-action cluster kafka-cluster").topic(1, "t");
    for version in 4..=5 {
        let outcome = ask(&client, vec![transaction("x", &["t"])], version);
        assert!(outcome.is_refused());
        let response = body!(&outcome.response, Response::AddPartitionsToTxn);
        assert_eq!((response.error_code, response.results_by_transaction.len()), (31, 0));

        let outcome = ask(&broker, vec![transaction("x", &["t"])], version);
        assert!(outcome.is_whole() && outcome.unrepaired);

        let mixed = vec![transaction("y", &["t", "__schloss_keys"]), transaction("x", &["t"])];
        let outcome = ask(&broker, mixed, version);
        assert!(outcome.is_part());
        let response = body!(&outcome.response, Response::AddPartitionsToTxn);
        let told: Vec<_> = response
            .results_by_transaction
            .iter()
            .map(|result| (result.transactional_id.as_str(), results(&result.topic_results)))
            .collect();
        let refused = vec![("t", vec![(1, 55), (2, 55)]), ("__schloss_keys", vec![(1, 29), (2, 29)])];
        assert_eq!(told, [("x", vec![]), ("y", refused)]);
        assert!(ask(&broker, vec![transaction("y", &["__schloss_keys"])], version).is_refused());
    }
}

#[test]
fn offsets_join_a_transaction_with_write_on_it_and_read_on_the_group() {
    let code = |outcome: Outcome| body!(outcome.response, Response::AddOffsetsToTxn).error_code;
    for version in 0..=4 {
        let ask = |house: House| house.ask(sample(schloss_wire::Api::AddOffsetsToTxn), version);
        let outcome = ask(House::new().allow("describe transactional-id x").allow("read group g"));
        assert!(outcome.is_refused());
        assert_eq!(outcome.decided(), ["deny write transactional-id x"]);
        assert_eq!(code(outcome), 53);
        let outcome = ask(House::new().allow("write transactional-id x").allow("describe group g"));
        assert!(outcome.is_refused());
        assert_eq!(outcome.decided(), ["allow write transactional-id x", "deny read group g"]);
        assert_eq!(code(outcome), 30);
        let outcome = ask(House::new().allow("write transactional-id x").allow("read group g"));
        assert!(outcome.is_whole() && outcome.unrepaired);
    }
}

#[test]
fn a_transaction_is_ended_with_write_on_it() {
    for version in 0..=5 {
        let request = build!(m::EndTxnRequest { transactional_id: text("x"), committed: true });
        let outcome = House::new().allow("describe transactional-id x").ask(request.clone(), version);
        assert!(outcome.is_refused());
        let response = body!(&outcome.response, Response::EndTxn);
        assert_eq!((response.error_code, response.producer_id, response.producer_epoch), (53, -1, -1));
        let outcome = House::new().allow("write transactional-id x").ask(request, version);
        assert!(outcome.is_whole() && outcome.unrepaired);
    }
}

fn marker(producer_id: i64, names: &[&str]) -> WritableTxnMarker {
    let topic =
        |name: &&str| build!(WritableTxnMarkerTopic { name: text(name), partition_indexes: vec![1, 2] });
    build!(WritableTxnMarker { producer_id, topics: names.iter().map(topic).collect() })
}

fn mark(markers: Vec<WritableTxnMarker>) -> m::WriteTxnMarkersRequest {
    build!(m::WriteTxnMarkersRequest { markers })
}

/// Producer, topic, and the error of each partition.
fn marked(outcome: &Outcome) -> Vec<(i64, &str, Vec<i16>)> {
    let response = body!(&outcome.response, Response::WriteTxnMarkers);
    let producers: BTreeSet<i64> = response.markers.iter().map(|marker| marker.producer_id).collect();
    assert_eq!(producers.len(), response.markers.len(), "each producer is answered once");
    let parts = response.markers.iter().flat_map(|marker| {
        marker.topics.iter().map(|topic| {
            let codes = topic.partitions.iter().map(|p| p.error_code).collect();
            (marker.producer_id, topic.name.as_str(), codes)
        })
    });
    parts.collect()
}

#[test]
fn markers_are_written_by_administrators_and_brokers() {
    for version in 1..=2 {
        let request = mark(vec![marker(7, &["t", "u"]), marker(8, &["t"])]);
        let outcome = House::new().allow("write topic *").ask(request.clone(), version);
        assert!(outcome.is_refused());
        assert_eq!(outcome.decided(), ["deny cluster-action cluster kafka-cluster"]);
        let told = [(7, "t", vec![31, 31]), (7, "u", vec![31, 31]), (8, "t", vec![31, 31])];
        assert_eq!(marked(&outcome), told);
        for may in ["alter cluster kafka-cluster", "cluster-action cluster kafka-cluster"] {
            let outcome = House::new().allow(may).ask(request.clone(), version);
            assert!(outcome.is_whole() && outcome.unrepaired);
            assert_eq!(outcome.decided(), [format!("allow {may}")]);
        }
    }
}

#[test]
fn no_marker_is_written_to_a_reserved_topic() {
    let house = House::new().super_user();
    let request = mark(vec![marker(7, &["__schloss_keys", "t"]), marker(8, &["__schloss_audit"])]);
    let outcome = house.ask(request, 1);
    assert!(outcome.is_part());
    let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::WriteTxnMarkers);
    assert_eq!(admitted.markers.len(), 1);
    assert_eq!((admitted.markers[0].producer_id, admitted.markers[0].topics.len()), (7, 1));
    let told =
        [(7, "t", vec![0, 0]), (7, "__schloss_keys", vec![29, 29]), (8, "__schloss_audit", vec![29, 29])];
    assert_eq!(marked(&outcome), told);
    assert!(outcome.decided().contains(&"deny describe topic __schloss_keys".to_owned()));
    assert!(house.ask(mark(vec![marker(8, &["__schloss_audit"])]), 2).is_refused());
}

fn commit(topics: &[(&str, Uuid)]) -> m::TxnOffsetCommitRequest {
    let topics = topics.iter().map(|(name, topic_id)| {
        build!(TxnOffsetCommitRequestTopic {
            name: text(name),
            topic_id: *topic_id,
            partitions: vec![build!(TxnOffsetCommitRequestPartition { partition_index: 4 })],
        })
    });
    build!(m::TxnOffsetCommitRequest {
        transactional_id: text("x"),
        group_id: text("g"),
        topics: topics.collect(),
    })
}

fn committed(outcome: &Outcome) -> Vec<(&str, Uuid, i32, i16)> {
    let response = body!(&outcome.response, Response::TxnOffsetCommit);
    let parts = response.topics.iter().map(|topic| {
        let partition = &topic.partitions[0];
        (topic.name.as_str(), topic.topic_id, partition.partition_index, partition.error_code)
    });
    parts.collect()
}

#[test]
fn offsets_are_committed_in_a_transaction_with_write_on_it_then_the_group_then_each_topic() {
    let zero = Uuid::ZERO;
    let request = commit(&[("mine", zero), ("yours", zero)]);
    for version in 0..=5 {
        let house = House::new().allow("read group g").allow("read topic *");
        let outcome = house.ask(request.clone(), version);
        assert!(outcome.is_refused());
        assert_eq!(outcome.decided(), ["deny write transactional-id x"]);
        assert_eq!(committed(&outcome), [("mine", zero, 4, 53), ("yours", zero, 4, 53)]);

        let house = House::new().allow("write transactional-id x").allow("read topic *");
        let outcome = house.ask(request.clone(), version);
        assert!(outcome.is_refused());
        assert_eq!(outcome.decided(), ["allow write transactional-id x", "deny read group g"]);
        assert_eq!(committed(&outcome), [("mine", zero, 4, 30), ("yours", zero, 4, 30)]);

        let house = House::new().allow("write transactional-id x").allow("read group g");
        let house = house.allow("read topic mine").allow("describe topic yours");
        let outcome = house.ask(request.clone(), version);
        assert!(outcome.is_part());
        assert_eq!(committed(&outcome), [("mine", zero, 4, 0), ("yours", zero, 4, 29)]);
        let outcome = house.ask(commit(&[("mine", zero)]), version);
        assert!(outcome.is_whole() && outcome.unrepaired);
        assert!(house.ask(commit(&[("yours", zero)]), version).is_refused());
    }
}

#[test]
fn from_version_6_on_offsets_are_committed_in_a_transaction_by_topic_id() {
    let house = House::new().allow("write transactional-id x").allow("read group g").allow("read topic *");
    let house = house.deny("read topic yours").topic(1, "mine").topic(2, "yours").topic(3, "__schloss_keys");
    let request = commit(&[("", id(1)), ("", id(2)), ("", id(3)), ("", id(4)), ("", Uuid::ZERO)]);
    let outcome = house.ask(request, 6);
    assert!(outcome.is_part());
    let told = [
        ("", id(1), 4, 0),
        ("", id(2), 4, 29),
        ("", id(3), 4, 29),
        ("", id(4), 4, 100),
        ("", Uuid::ZERO, 4, 100),
    ];
    assert_eq!(committed(&outcome), told);
    assert!(house.ask(commit(&[("", id(1))]), 6).is_whole());
}

#[test]
fn producers_are_described_to_those_who_may_read_the_topic() {
    let describe = |names: &[&str]| {
        let topic = |name: &&str| {
            build!(m::describe_producers_request::TopicRequest {
                name: text(name),
                partition_indexes: vec![4],
            })
        };
        build!(m::DescribeProducersRequest { topics: names.iter().map(topic).collect() })
    };
    let house = House::new().allow("read topic mine").allow("describe topic yours");
    let outcome = house.ask(describe(&["yours", "mine", "__schloss_keys"]), 0);
    assert!(outcome.is_part());
    let response = body!(&outcome.response, Response::DescribeProducers);
    let told: Vec<_> = response
        .topics
        .iter()
        .map(|topic| {
            let p = &topic.partitions[0];
            (topic.name.as_str(), p.partition_index, p.error_code, p.error_message.as_deref())
        })
        .collect();
    let words = Some("Topic authorization failed.");
    let expected = [("mine", 4, 0, None), ("yours", 4, 29, words), ("__schloss_keys", 4, 29, words)];
    assert_eq!(told, expected);
    let outcome = house.ask(describe(&["mine"]), 0);
    assert!(outcome.is_whole() && outcome.unrepaired);
    assert!(house.ask(describe(&["yours"]), 0).is_refused());
}

#[test]
fn a_transaction_is_described_to_those_who_may_with_the_topics_that_they_may_see() {
    use m::describe_transactions_response::{TopicData, TransactionState};
    let engine = |request: &Request| -> Response {
        let request = body!(request, Request::DescribeTransactions);
        let topics = ["mine", "yours", "__schloss_keys"].map(|name| build!(TopicData { topic: text(name) }));
        let state = |name: &schloss_wire::StrBytes| {
            build!(TransactionState { transactional_id: name.clone(), topics: topics.to_vec() })
        };
        let transaction_states = request.transactional_ids.iter().map(state).collect();
        build!(m::DescribeTransactionsResponse { transaction_states }).into()
    };
    let ask = |house: House, ids: &[&str]| {
        let transactional_ids = ids.iter().map(|id| text(id)).collect();
        house.ask_engine(build!(m::DescribeTransactionsRequest { transactional_ids }), 0, engine)
    };
    let told = |outcome: &Outcome| -> Vec<(String, i16, Vec<String>)> {
        let response = body!(&outcome.response, Response::DescribeTransactions);
        let state = |state: &TransactionState| {
            let topics = state.topics.iter().map(|topic| topic.topic.as_str().to_owned()).collect();
            (state.transactional_id.as_str().to_owned(), state.error_code, topics)
        };
        response.transaction_states.iter().map(state).collect()
    };
    let seen = |name: &str, code, topics: &[&str]| {
        (name.to_owned(), code, topics.iter().map(|topic| (*topic).to_owned()).collect())
    };
    let house = || House::new().allow("write transactional-id x");
    let outcome = ask(house().allow("read topic mine"), &["z", "x"]);
    assert!(outcome.is_part());
    assert_eq!(told(&outcome), [seen("x", 0, &["mine"]), seen("z", 53, &[])]);
    let decided = ["deny describe transactional-id z", "allow describe transactional-id x"];
    assert_eq!(outcome.decided(), decided, "what is left out is no denial");
    let outcome = ask(house(), &["x"]);
    assert!(outcome.is_whole());
    assert_eq!(told(&outcome), [seen("x", 0, &[])]);
    assert!(ask(house(), &["z"]).is_refused());
    assert_eq!(told(&ask(House::new().super_user(), &["x"])), [seen("x", 0, &["mine", "yours"])]);
}

#[test]
fn listed_transactions_are_those_that_may_be_described() {
    use m::list_transactions_response::TransactionState;
    for version in 0..=2 {
        let listed = |house: House| -> Vec<String> {
            let request = build!(m::ListTransactionsRequest { transactional_id_pattern: None });
            let outcome = house.ask_engine(request, version, |_| {
                let state = |name: &str| build!(TransactionState { transactional_id: text(name) });
                build!(m::ListTransactionsResponse { transaction_states: vec![state("x"), state("z")] })
                    .into()
            });
            assert!(outcome.is_whole() && outcome.decisions.is_empty());
            let response = body!(outcome.response, Response::ListTransactions);
            response.transaction_states.iter().map(|s| s.transactional_id.as_str().to_owned()).collect()
        };
        assert_eq!(listed(House::new().allow("describe cluster kafka-cluster")), [""; 0]);
        assert_eq!(listed(House::new().allow("write transactional-id x")), ["x"]);
        assert_eq!(listed(House::new().super_user()), ["x", "z"]);
    }
}
