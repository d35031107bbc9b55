//! What a restart or a crash leaves to do.

use std::fs::OpenOptions;
use std::sync::Arc;

use super::*;
use crate::testing::FaultyDisk;

const JOURNAL: &str = "transactions/transactions.journal";

#[tokio::test]
async fn an_open_transaction_survives_and_goes_on() {
    for age in AGES {
        let house = house().await;
        let mut producer = Producer::start(&house, age, "t").await;
        producer.send(&house, 0, 2).await.unwrap();
        assert_eq!(producer.hold(&house, 0, 7).await, OK);
        let killed = house.killed();
        for house in [killed, house.restart()] {
            let mut producer = producer.clone();
            assert_eq!(stable(&house, 0).await, 0);
            assert_eq!(producer.send(&house, 0, 1).await, Ok(2), "{age:?}");
            assert_eq!(producer.end(&house, true).await, OK);
            assert_eq!(committed(&house, 0).await, [0, 1, 2]);
            assert_eq!(group_offset(&house, 0, true).await, Ok(7));
        }
    }
}

#[tokio::test]
async fn what_was_aborted_stays_aborted_and_what_was_committed_stays_committed() {
    for age in AGES {
        let house = house().await;
        let mut producer = Producer::start(&house, age, "t").await;
        for commit in [true, false, true, false] {
            producer.send(&house, 0, 1).await.unwrap();
            assert_eq!(producer.end(&house, commit).await, OK);
        }
        let killed = house.killed();
        for house in [killed, house.restart()] {
            assert_eq!(committed(&house, 0).await, [0, 4]);
            assert_eq!(stable(&house, 0).await, 8);
        }
    }
}

/// The crash comes when `kept` of the writes to the coordinator's journal are on disk.
fn crash(house: &House, disk: &Arc<FaultyDisk>, kept: usize) -> House {
    let end = disk.ends_of_writes(&house.path().join(JOURNAL))[kept - 1];
    house.killed_on(&Arc::default(), |copy| {
        let journal = OpenOptions::new().write(true).open(copy.join(JOURNAL)).unwrap();
        journal.set_len(end).unwrap();
    })
}

async fn faulty() -> (House, Arc<FaultyDisk>) {
    let disk = Arc::new(FaultyDisk::default());
    let house = House::on_faulty(&disk);
    house.topic(TOPIC, 2, &[]).await;
    (house, disk)
}

#[tokio::test]
async fn an_end_that_is_decided_is_completed_after_the_crash() {
    for (age, commit) in AGES.into_iter().flat_map(|age| [(age, true), (age, false)]) {
        let (house, disk) = faulty().await;
        let mut producer = Producer::start(&house, age, "t").await;
        producer.send(&house, 0, 1).await.unwrap();
        producer.hold(&house, 0, 7).await;
        let before = house.killed_on(&Arc::default(), |_| ());
        assert_eq!(producer.end(&house, commit).await, OK);
        let writes = disk.ends_of_writes(&house.path().join(JOURNAL));
        // The journal of after the decision beside logs of before.
        let whole = std::fs::read(house.path().join(JOURNAL)).unwrap();
        let decided = usize::try_from(writes[writes.len() - 2]).unwrap();
        let crashed = before.restart_after(|path| {
            std::fs::write(path.join(JOURNAL), &whole[..decided]).unwrap();
        });
        while stable(&crashed, 0).await == 0 {
            tokio::task::yield_now().await;
        }
        let expected: &[i64] = if commit { &[0] } else { &[] };
        assert_eq!(committed(&crashed, 0).await, expected);
        let mut next = producer.clone();
        assert_eq!(next.init(&crashed).await, OK);
        assert_eq!(group_offset(&crashed, 0, true).await, Ok(if commit { 7 } else { -1 }));
        assert_eq!(next.send(&crashed, 0, 1).await, Ok(2));
    }
}

#[tokio::test]
async fn a_partition_and_a_group_that_the_journal_lost_are_found_again() {
    let (house, disk) = faulty().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    // One entry was written for the id, one for each place that joined.
    producer.send(&house, 0, 1).await.unwrap();
    producer.send(&house, 1, 1).await.unwrap();
    producer.hold(&house, 0, 7).await;
    assert_eq!(disk.ends_of_writes(&house.path().join(JOURNAL)).len(), 4);
    for kept in 1..=4 {
        let crashed = crash(&house, &disk, kept);
        let mut producer = producer.clone();
        assert_eq!(producer.end(&crashed, true).await, OK, "{kept} entries");
        assert_eq!((committed(&crashed, 0).await, committed(&crashed, 1).await), (vec![0], vec![0]));
        assert_eq!(group_offset(&crashed, 0, true).await, Ok(7));
    }
}

#[tokio::test]
async fn records_of_the_next_transaction_are_not_ended_with_the_last_one() {
    let (house, disk) = faulty().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    producer.send(&house, 0, 1).await.unwrap();
    producer.hold(&house, 0, 7).await;
    assert_eq!(producer.end(&house, true).await, OK);
    assert_eq!(producer.send(&house, 0, 1).await, Ok(2));
    producer.hold(&house, 0, 8).await;
    let writes = disk.ends_of_writes(&house.path().join(JOURNAL)).len();
    assert_eq!(writes, 7, "id, two places, end, completion, two places");
    for kept in 4..=writes {
        let crashed = crash(&house, &disk, kept);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(committed(&crashed, 0).await, [0], "{kept} entries");
        assert_eq!(stable(&crashed, 0).await, 2);
        assert_eq!(group_offset(&crashed, 0, false).await, Ok(7));
        assert_eq!(group_offset(&crashed, 0, true).await, Err(ErrorCode::UnstableOffsetCommit));
        let mut producer = producer.clone();
        assert_eq!(producer.end(&crashed, false).await, OK);
        assert_eq!(committed(&crashed, 0).await, [0]);
        assert_eq!(group_offset(&crashed, 0, true).await, Ok(7));
    }
}

#[tokio::test]
async fn what_no_transactional_id_answers_for_is_aborted() {
    let house = house().await;
    let mut producer = Producer::start(&house, Age::New, "t").await;
    producer.send(&house, 0, 1).await.unwrap();
    producer.hold(&house, 0, 7).await;
    let lost = house.restart_after(|path| std::fs::remove_file(path.join(JOURNAL)).unwrap());
    while stable(&lost, 0).await == 0 || group_offset(&lost, 0, true).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(committed(&lost, 0).await, [0; 0]);
    assert_eq!(group_offset(&lost, 0, true).await, Ok(-1));
}

#[tokio::test]
async fn the_journal_is_written_anew_while_transactions_go_on() {
    let house = House::with(|config| config.transactions.compact_above_bytes = 2_000);
    house.topic(TOPIC, 2, &[]).await;
    let mut one = Producer::start(&house, Age::New, "one").await;
    let mut other = Producer::start(&house, Age::Old, "other").await;
    let mut expected = Vec::new();
    for round in 0..40 {
        let commit = round % 3 != 0;
        let offset = one.send(&house, 0, 1).await.unwrap();
        other.send(&house, 1, 1).await.unwrap();
        assert_eq!(one.end(&house, commit).await, OK);
        assert_eq!(other.end(&house, commit).await, OK);
        expected.extend(commit.then_some(offset));
    }
    let size = |house: &House| std::fs::metadata(house.path().join(JOURNAL)).unwrap().len();
    while size(&house) > 8_000 {
        // It is written anew beside the requests; another one asks for it once more.
        assert_eq!(one.end(&house, false).await, OK);
        tokio::task::yield_now().await;
    }
    one.send(&house, 0, 1).await.unwrap();
    while house.broker.transactions.is_held_for_tests() {
        tokio::task::yield_now().await;
    }
    let house = house.restart();
    assert_eq!(committed(&house, 0).await, expected);
    assert_eq!(one.end(&house, false).await, OK);
    assert_eq!(other.send(&house, 1, 1).await.map(|_| ()), Ok(()));
}
