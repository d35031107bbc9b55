//! Offsets that are committed in transactions.

use schloss_wire::messages::DeleteGroupsRequest;
use schloss_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};

use super::*;

async fn commit_outside(house: &House, partition: i32, offset: i64) {
    let partition =
        build!(OffsetCommitRequestPartition { partition_index: partition, committed_offset: offset });
    let topic = build!(OffsetCommitRequestTopic { name: StrBytes::from(TOPIC), partitions: vec![partition] });
    let request = build!(OffsetCommitRequest { group_id: StrBytes::from(GROUP), topics: vec![topic] });
    let Response::OffsetCommit(response) = house.ask(9, request).await else { panic!() };
    assert_eq!(response.topics[0].partitions[0].error_code, 0);
}

#[tokio::test]
async fn offsets_count_once_their_transaction_is_committed_and_never_if_it_is_aborted() {
    for age in AGES {
        let house = house().await;
        let mut producer = Producer::start(&house, age, "t").await;
        commit_outside(&house, 0, 1).await;
        assert_eq!(producer.hold(&house, 0, 10).await, OK);
        assert_eq!(group_offset(&house, 0, false).await, Ok(1));
        assert_eq!(group_offset(&house, 0, true).await, Err(ErrorCode::UnstableOffsetCommit));
        assert_eq!(group_offset(&house, 1, true).await, Ok(-1), "another partition is stable");
        assert_eq!(producer.end(&house, true).await, OK);
        assert_eq!(group_offset(&house, 0, true).await, Ok(10));
        assert_eq!(producer.hold(&house, 0, 20).await, OK);
        assert_eq!(producer.hold(&house, 1, 21).await, OK);
        assert_eq!(producer.end(&house, false).await, OK);
        assert_eq!(group_offset(&house, 0, true).await, Ok(10));
        assert_eq!(group_offset(&house, 1, true).await, Ok(-1));
        for house in [house.killed(), house.restart()] {
            assert_eq!(group_offset(&house, 0, true).await, Ok(10));
        }
    }
}

#[tokio::test]
async fn a_commit_from_outside_counts_if_it_is_the_later_one() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    assert_eq!(producer.hold(&house, 0, 10).await, OK);
    assert_eq!(producer.hold(&house, 1, 11).await, OK);
    commit_outside(&house, 0, 5).await;
    let killed = house.killed();
    for house in [&house, &killed] {
        assert_eq!(group_offset(house, 0, true).await, Ok(5), "whatever becomes of the transaction");
        assert_eq!(group_offset(house, 1, true).await, Err(ErrorCode::UnstableOffsetCommit));
    }
    producer.end(&house, true).await;
    assert_eq!((group_offset(&house, 0, true).await, group_offset(&house, 1, true).await), (Ok(5), Ok(11)));
}

#[tokio::test]
async fn older_producers_have_to_add_the_group_first() {
    let house = house().await;
    let producer = Producer::start(&house, Age::Old, "t").await;
    assert_eq!(producer.hold_only(&house, 0, 1).await, ErrorCode::TransactionAbortable);
    let mut older = producer.clone();
    older.age = Age::Old;
    assert_eq!(producer.add_offsets(&house).await, OK);
    assert_eq!(producer.hold_only(&house, 0, 1).await, OK);
    assert_eq!(producer.hold_only(&house, 9, 1).await, ErrorCode::UnknownTopicOrPartition);
}

#[tokio::test]
async fn only_members_of_the_generation_commit_for_a_group_with_members() {
    let house = house().await;
    let producer = Producer::start(&house, Age::New, "t").await;
    let claim = |generation, member: &str| {
        let partition = build!(TxnOffsetCommitRequestPartition { committed_offset: 3 });
        let topic =
            build!(TxnOffsetCommitRequestTopic { name: StrBytes::from(TOPIC), partitions: vec![partition] });
        build!(TxnOffsetCommitRequest {
            transactional_id: StrBytes::from("t"),
            group_id: StrBytes::from(GROUP),
            producer_id: producer.producer_id,
            producer_epoch: producer.epoch,
            generation_id_or_member_epoch: generation,
            member_id: StrBytes::from(member),
            group_instance_id: None,
            topics: vec![topic],
        })
    };
    let ask = async |request: TxnOffsetCommitRequest| {
        let Response::TxnOffsetCommit(response) = house.ask(5, request).await else { panic!() };
        ErrorCode::from_code(response.topics[0].partitions[0].error_code).unwrap()
    };
    assert_eq!(ask(claim(1, "m")).await, ErrorCode::IllegalGeneration, "there is no such group");
    let member = house.broker.groups.clone();
    let joined = member
        .join(
            GROUP,
            crate::groups::Join {
                member_id: "".into(),
                fresh_id: "m".into(),
                instance_id: None,
                client_id: "client".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout: std::time::Duration::from_secs(10),
                rebalance_timeout: std::time::Duration::from_secs(10),
                protocol_type: "consumer".into(),
                protocols: vec![crate::groups::Protocol { name: "range".into(), metadata: Bytes::new() }],
                id_required: false,
                can_skip_assignment: false,
            },
        )
        .await
        .unwrap();
    assert_eq!(ask(claim(joined.generation, "m")).await, OK);
    assert_eq!(ask(claim(joined.generation + 1, "m")).await, ErrorCode::IllegalGeneration);
    assert_eq!(ask(claim(joined.generation, "stranger")).await, ErrorCode::UnknownMemberId);
    assert_eq!(ask(claim(-1, "stranger")).await, ErrorCode::UnknownMemberId);
    assert_eq!(ask(claim(-1, "")).await, OK, "producers that don't say who they are");
}

#[tokio::test]
async fn a_group_that_is_deleted_takes_the_offsets_along_that_transactions_hold() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    assert_eq!(producer.hold(&house, 0, 10).await, OK);
    let request = build!(DeleteGroupsRequest { groups_names: vec![StrBytes::from(GROUP)] });
    let Response::DeleteGroups(response) = house.ask(2, request).await else { panic!() };
    assert_eq!(response.results[0].error_code, 0);
    let killed = house.killed();
    assert_eq!(group_offset(&killed, 0, true).await, Ok(-1));
    assert_eq!(producer.end(&house, true).await, OK);
    assert_eq!(group_offset(&house, 0, true).await, Ok(-1));
}

#[tokio::test]
async fn offsets_that_are_held_survive_the_rewriting_of_their_journal() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    commit_outside(&house, 1, 4).await;
    assert_eq!(producer.hold(&house, 0, 10).await, OK);
    house.broker.groups.compact_for_tests().await;
    house.broker.transactions.compact_for_tests();
    let house = house.restart();
    assert_eq!(group_offset(&house, 0, true).await, Err(ErrorCode::UnstableOffsetCommit));
    assert_eq!(producer.end(&house, true).await, OK);
    assert_eq!((group_offset(&house, 0, true).await, group_offset(&house, 1, true).await), (Ok(10), Ok(4)));
}
