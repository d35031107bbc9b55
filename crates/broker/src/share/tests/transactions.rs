//! What becomes of records of transactions.

use schloss_wire::records::BatchHeader;

use super::member::{ACCEPT, GROUP, Member, OK, TOPIC, house, set};
use crate::control::Marker;
use crate::producers::TransactionVersion;
use crate::testing::{House, batch, transactional};
use crate::tests::produce::produce;

/// Writes two records of a transaction.
async fn begin(house: &House, producer_id: i64) {
    let records = transactional(2, producer_id, 0, 0);
    let header = BatchHeader::parse(&records).unwrap();
    let partition = partition(house);
    let written = partition.append(header, records, 0, TransactionVersion::V1, || Ok(())).unwrap();
    partition.log.wait_flushed(written.last_offset + 1).await.unwrap();
}

async fn end(house: &House, producer_id: i64, commit: bool) {
    let marker = Marker { producer_id, producer_epoch: 0, commit, coordinator_epoch: 0 };
    let partition = partition(house);
    let written = partition.end_transaction(&marker, TransactionVersion::V1, 0).unwrap();
    partition.log.wait_flushed(written.last_offset + 1).await.unwrap();
}

fn partition(house: &House) -> std::sync::Arc<crate::partition::Partition> {
    let id = house.broker.metadata.snapshot().topic(TOPIC).unwrap().id;
    house.broker.partitions.get(id, 0).unwrap()
}

/// Offsets 0 and 1 are aborted with their marker at 4, 2 and 3 are committed with theirs at 5; 6 is of no
/// transaction, 7 and 8 are of one that is open, and 9 comes after it.
async fn mixed() -> House {
    let house = house().await;
    begin(&house, 100).await;
    begin(&house, 200).await;
    end(&house, 100, false).await;
    end(&house, 200, true).await;
    produce(&house, TOPIC, 0, batch(1)).await;
    begin(&house, 300).await;
    produce(&house, TOPIC, 0, batch(1)).await;
    house
}

#[tokio::test]
async fn only_what_is_committed_comes_if_that_is_what_the_group_wants() {
    let house = mixed().await;
    set(&house, "share.isolation.level", "read_committed").await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(2, 3, 1), (6, 6, 1)]);
    assert_eq!(a.acknowledge(&[(2, 3, ACCEPT)]).await, OK);
    assert_eq!(a.fetch().await, [], "what comes after an open transaction waits for it");
    end(&house, 300, false).await;
    assert_eq!(a.fetch_and_acknowledge(&[(6, 6, ACCEPT)]).await, (vec![(9, 9, 1)], OK));
    assert_eq!(house.broker.shares.progress(GROUP)[0].1.start, 9);
}

#[tokio::test]
async fn a_committed_transaction_comes_when_it_is() {
    let house = mixed().await;
    set(&house, "share.isolation.level", "read_committed").await;
    let mut a = Member::join(&house, "a").await;
    a.fetch().await;
    let mut patient = a.request();
    patient.max_wait_ms = 60_000;
    let (response, ()) = tokio::join!(a.fetch_as(super::member::NEWEST, patient), end(&house, 300, true));
    assert_eq!(super::member::given(&response), [(7, 8, 1), (9, 9, 1)]);
}

#[tokio::test]
async fn otherwise_all_records_come_and_no_markers() {
    let house = mixed().await;
    let mut a = Member::join(&house, "a").await;
    assert_eq!(a.fetch().await, [(0, 1, 1), (2, 3, 1), (6, 6, 1), (7, 8, 1), (9, 9, 1)]);
}
