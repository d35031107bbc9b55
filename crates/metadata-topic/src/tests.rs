//! What a gateway makes of a log, whole, compacted and tampered with.

use std::collections::HashMap;

use proptest::prelude::*;
use schloss_identity::{Mechanism, TokenHmac};
use schloss_keys::SealingKey;
use schloss_metadata::{QuotaEntity, QuotaKey, QuotaName, Record, Token, TokenDigest};
use schloss_wire::Principal;
use schloss_wire::records::{self, Compression, RecordBatch};

use crate::absorb::Absorbed;
use crate::book::Book;
use crate::codec::{Codec, Fault};
use crate::testing::{CLUSTER, Log, acl, codec, credential, empty, encoded, read, state};
use crate::transactions::Assembler;

fn acls(absorbed: Absorbed) -> usize {
    state(absorbed.records).lines().filter(|line| line.starts_with("{\"acl\"")).count()
}

fn is_refused(absorbed: &Absorbed, word: &str) -> bool {
    absorbed.refused.len() == 1 && absorbed.refused[0].fault.to_string().contains(word)
}

/// Compaction as Kafka does it (`Cleaner.cleanInto`), on the first `upto` batches: the last word on each key
/// stays, deletions go if they may, and so do markers of transactions of which nothing is left.
fn compact(batches: &[RecordBatch], upto: usize, drop_tombstones: bool) -> Vec<RecordBatch> {
    let mut last = HashMap::new();
    let (dirty, rest) = batches.split_at(upto);
    let keyed = |batch: &RecordBatch| {
        let base = batch.base_offset;
        batch
            .records
            .iter()
            .map(move |record| (base + i64::from(record.offset_delta), record.key.clone()))
            .collect::<Vec<_>>()
    };
    for batch in dirty.iter().filter(|batch| !batch.is_control) {
        for (offset, key) in keyed(batch) {
            last.insert(key, offset);
        }
    }
    let mut kept: Vec<RecordBatch> = Vec::new();
    let mut has_data = false;
    for batch in dirty {
        let mut batch = batch.clone();
        if batch.is_control {
            if has_data {
                kept.push(batch);
            }
            has_data = false;
            continue;
        }
        let base = batch.base_offset;
        batch.records.retain(|record| {
            let is_last = last.get(&record.key) == Some(&(base + i64::from(record.offset_delta)));
            is_last && !(drop_tombstones && record.value.is_none())
        });
        if !batch.records.is_empty() {
            has_data = true;
            kept.push(batch);
        }
    }
    kept.extend_from_slice(rest);
    kept
}

#[derive(Clone, Debug)]
enum Step {
    Acl(u8),
    AclGone(u8),
    Scram(u8, u32),
    ScramGone(u8),
    Quota(u8, u8),
    QuotaGone(u8),
    Token(u8, u8),
    TokenGone(u8),
}

fn token(n: u8, hours: u8) -> Token {
    Token {
        owner: Principal::user("a"),
        requester: Principal::user("a"),
        renewers: Vec::new(),
        groups: Default::default(),
        issued_ms: 1,
        expiry_ms: 3_600_000 * i64::from(hours),
        max_ms: i64::MAX,
        digest: TokenDigest::from(&TokenHmac::new(&[n])),
        credentials: vec![credential(4096)],
    }
}

fn quota_entity(n: u8) -> QuotaEntity {
    QuotaEntity::User(if n == 0 { QuotaName::Default } else { QuotaName::Named(format!("u{n}")) })
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        (0..6_u8).prop_map(Step::Acl),
        (0..6_u8).prop_map(Step::AclGone),
        (0..4_u8, 4096..4100_u32).prop_map(|(user, iterations)| Step::Scram(user, iterations)),
        (0..4_u8).prop_map(Step::ScramGone),
        (0..4_u8, 1..4_u8).prop_map(|(user, rate)| Step::Quota(user, rate)),
        (0..4_u8).prop_map(Step::QuotaGone),
        (0..4_u8, 1..4_u8).prop_map(|(token, hours)| Step::Token(token, hours)),
        (0..4_u8).prop_map(Step::TokenGone),
    ];
    prop::collection::vec(prop::collection::vec(step, 1..5), 1..12)
}

fn record(step: &Step) -> Record {
    match step {
        Step::Acl(n) => Record::Acl(acl(&n.to_string())),
        Step::AclGone(n) => Record::AclDeleted(acl(&n.to_string())),
        Step::Scram(n, iterations) => {
            Record::Scram { user: format!("u{n}"), credential: credential(*iterations) }
        }
        Step::ScramGone(n) => {
            Record::ScramDeleted { user: format!("u{n}"), mechanism: Mechanism::ScramSha512 }
        }
        Step::Quota(n, rate) => Record::ClientQuotas {
            entity: quota_entity(*n),
            quotas: [(QuotaKey::RequestPercentage, f64::from(*rate))].into(),
        },
        Step::QuotaGone(n) => Record::ClientQuotasDeleted { entity: quota_entity(*n) },
        Step::Token(n, hours) => Record::Token { id: format!("t{n}"), token: token(*n, *hours) },
        Step::TokenGone(n) => Record::TokenDeleted { id: format!("t{n}") },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_log_leads_to_the_same_state(changes in steps(), cuts in prop::collection::vec((0.0..1.0, any::<bool>()), 0..3)) {
        let mut log = Log::founded();
        let mut plain = Vec::new();
        for change in &changes {
            let records: Vec<Record> = change.iter().map(record).collect();
            log.commit(&records);
            plain.extend(records);
        }
        let (book, absorbed) = log.read();
        prop_assert!(absorbed.refused.is_empty() && book.is_whole());
        let whole = state(absorbed.records.clone());
        let key = absorbed.records.iter().find(|record| matches!(record, Record::FakeSaltKey(_))).cloned();
        prop_assert_eq!(&whole, &state(key.into_iter().chain(plain).collect()));

        let mut batches = log.batches.clone();
        for (share, drop_tombstones) in cuts {
            // Whole transactions: a segment may end within one, but ours take one batch here.
            let upto = (batches.len() as f64 * share) as usize;
            batches = compact(&batches, upto, drop_tombstones);
            let (book, absorbed) = read(&log.codec, &batches);
            prop_assert!(absorbed.refused.is_empty(), "{:?}", absorbed.refused);
            prop_assert!(book.is_whole());
            prop_assert_eq!(state(absorbed.records), whole.clone());
        }
    }

    #[test]
    fn a_record_of_the_compacted_log_that_is_gone_is_missed(changes in steps(), which in any::<prop::sample::Index>()) {
        let mut log = Log::founded();
        for change in &changes {
            log.commit(&change.iter().map(record).collect::<Vec<_>>());
        }
        let mut batches = compact(&log.batches, log.batches.len(), true);
        let places: Vec<(usize, usize)> = batches.iter().enumerate()
            .filter(|(_, batch)| !batch.is_control)
            .flat_map(|(at, batch)| (0..batch.records.len()).map(move |record| (at, record)))
            .collect();
        let (at, index) = *which.get(&places);
        batches[at].records.remove(index);
        let (book, absorbed) = read(&log.codec, &batches);
        prop_assert!(absorbed.refused.is_empty());
        prop_assert!(!book.is_whole());
    }
}

#[test]
fn a_transaction_counts_with_its_commit_marker_and_as_a_whole() {
    let mut log = Log::founded();
    let (producer, mut records) = log.encode(&[Record::Acl(acl("a")), Record::Acl(acl("b"))]);
    // In two batches, with those of another transaction in between.
    let second = records.split_off(1);
    log.append(producer, records);
    // Of that one compaction has left nothing but the batch.
    log.append((9, 0), vec![empty()]);
    log.batches.last_mut().unwrap().records.clear();
    log.append(producer, second);
    let before = log.read();
    assert_eq!((before.0.change(), before.0.is_whole(), acls(before.1)), (1, true, 0));
    log.end((9, 0), true);
    assert_eq!(log.read().0.change(), 1);
    log.end(producer, true);
    let (book, absorbed) = log.read();
    assert!(book.is_whole() && book.has_committed(producer) && !book.has_committed((9, 0)));
    assert_eq!(acls(absorbed), 2);
}

#[test]
fn what_was_aborted_leaves_no_trace_and_its_number_is_used_again() {
    let mut log = Log::founded();
    let (producer, records) = log.encode(&[Record::Acl(acl("aborted"))]);
    log.append(producer, records);
    // A fence aborts with an epoch of its own.
    log.end((producer.0, producer.1 + 1), false);
    log.commit(&[Record::Acl(acl("a"))]);
    let (book, absorbed) = log.read();
    assert!(book.is_whole() && absorbed.refused.is_empty() && !book.has_committed(producer));
    assert!(!state(absorbed.records).contains("aborted"));

    // A marker that was lost must not let the next one of the same producer count for it.
    let mut log = Log::founded();
    let (producer, records) = log.encode(&[Record::Acl(acl("aborted"))]);
    log.append(producer, records);
    log.commit(&[Record::Acl(acl("a"))]);
    assert!(!state(log.read().1.records).contains("aborted"));
}

#[test]
fn an_answer_that_is_cut_anywhere_goes_on_with_the_next_one() {
    let mut log = Log::founded();
    log.commit(&[
        Record::Acl(acl("a")),
        Record::Scram { user: "a".to_owned(), credential: credential(4096) },
    ]);
    let bytes = encoded(&log.batches);
    for cut in 0..bytes.len() {
        let (mut assembler, mut position) = (Assembler::default(), 0);
        let (mut book, mut absorbed) = (Book::default(), Absorbed::default());
        let first = assembler.read(&log.codec, 0, bytes.slice(..cut), &mut position).unwrap();
        absorbed.add(&log.codec, &mut book, first);
        // The broker begins with the batch that holds the offset; what was read already is left out.
        absorbed.add(
            &log.codec,
            &mut book,
            assembler.read(&log.codec, 0, bytes.clone(), &mut position).unwrap(),
        );
        assert!(absorbed.refused.is_empty() && book.is_whole(), "cut at {cut}");
        assert_eq!(acls(absorbed), 1);
    }
}

/// Everything that somebody who may write to the topic can do with records.
#[test]
fn nothing_that_no_gateway_wrote_is_taken() {
    let mut log = Log::founded();
    log.commit(&[Record::Acl(acl("a")), Record::Acl(acl("b"))]);
    log.commit(&[Record::AclDeleted(acl("b"))]);
    let (said, gone) = (log.batches[2].records[1].clone(), log.batches[4].records[0].clone());
    assert!(gone.value.is_none() && said.key == gone.key);
    let of_a = log.batches[2].records[0].clone();

    let no_mark = records::Record { headers: Vec::new(), ..said.clone() };
    let two_marks =
        records::Record { headers: [said.headers.clone(), said.headers.clone()].concat(), ..said.clone() };
    let moved = records::Record { key: of_a.key.clone(), ..said.clone() };
    let emptied = records::Record { value: None, ..of_a.clone() };
    let changed = records::Record { value: Some("{}".into()), ..of_a.clone() };
    let swapped = records::Record { headers: gone.headers.clone(), ..said.clone() };
    let no_key = records::Record { key: None, ..said.clone() };
    let foreign = Codec::new(&SealingKey::from_bytes(&[8; 32]), CLUSTER, "__schloss_metadata");
    let foreign = foreign.write(&Record::Acl(acl("x")), 9).unwrap();
    let elsewhere = Codec::new(&SealingKey::from_bytes(&[7; 32]), CLUSTER, "__schloss_other");
    let elsewhere = elsewhere.write(&Record::Acl(acl("x")), 9).unwrap();
    let other_cluster = Codec::new(&SealingKey::from_bytes(&[7; 32]), "other", "__schloss_metadata");
    let other_cluster = other_cluster.write(&Record::Acl(acl("x")), 9).unwrap();
    for (record, word) in [
        (no_mark, "mark"),
        (two_marks, "mark"),
        (moved, "tag is wrong"),
        (emptied, "tag is wrong"),
        (changed, "tag is wrong"),
        (swapped, "tag is wrong"),
        (no_key, "no key"),
        (foreign, "the key of id"),
        (elsewhere, "tag is wrong"),
        (other_cluster, "tag is wrong"),
        (said.clone(), "copy of an earlier"),
        (gone, "copy of an earlier"),
        (empty(), "no key"),
    ] {
        let length = log.batches.len();
        log.append((9, 0), vec![record.clone()]);
        assert!(log.read().1.refused.is_empty(), "it is not committed yet");
        log.end((9, 0), true);
        let (book, absorbed) = log.read();
        assert!(is_refused(&absorbed, word), "{word}: {:?}", absorbed.refused);
        assert!(book.is_whole(), "the state is what gateways wrote all the same");
        assert_eq!(
            record.key.is_some(),
            book.disputed().keys().any(|key| Some(&key[..]) == record.key.as_deref())
        );
        assert_eq!(acls(absorbed), 1);
        log.batches.truncate(length);
    }

    // One bad record among good ones spoils them all; and a record outside of a transaction is none of ours.
    let (producer, mut records) = log.encode(&[Record::Acl(acl("c"))]);
    records.insert(1, of_a.clone());
    let length = log.batches.len();
    log.append(producer, records.clone());
    log.end(producer, true);
    let (book, absorbed) = log.read();
    assert!(is_refused(&absorbed, "copy") && book.disputed().len() == 3, "{:?}", absorbed.refused);
    log.batches.truncate(length);
    log.append((-1, -1), vec![records[0].clone()]);
    assert!(is_refused(&log.read().1, "in no transaction"));
}

/// Copies are told also where the change that they copy was not read yet when they were.
#[test]
fn a_copy_in_the_same_answer_as_its_original_is_told() {
    let mut log = Log::founded();
    log.commit(&[Record::Acl(acl("a"))]);
    let said = log.batches[2].records[0].clone();
    log.append((9, 0), vec![said]);
    log.end((9, 0), true);
    let (mut book, mut absorbed) = (Book::default(), Absorbed::default());
    let outcomes = Assembler::default().read(&log.codec, 0, encoded(&log.batches), &mut { 0 }).unwrap();
    absorbed.add(&log.codec, &mut book, outcomes);
    assert!(is_refused(&absorbed, "copy") && book.is_whole());
    assert_eq!(absorbed.standing(&book).count(), 1);
    assert_eq!(acls(absorbed), 1);
}

#[test]
fn however_much_is_forged_only_so_much_is_remembered() {
    let mut log = Log::founded();
    let junk = |n: usize| records::Record {
        key: Some(format!("{n}{}", "x".repeat(2000)).into()),
        value: Some("x".into()),
        ..empty()
    };
    for n in 0..1100 {
        log.append((-1, -1), vec![junk(3 * n), junk(3 * n + 1), junk(3 * n + 2)]);
    }
    log.append((9, 0), (0..4000).map(junk).collect());
    log.end((9, 0), true);
    log.commit(&[Record::Acl(acl("a"))]);
    let (book, absorbed) = log.read();
    assert_eq!((absorbed.refused.len(), book.disputed().len()), (1000, 1000));
    assert!(absorbed.refused.last().unwrap().more && absorbed.refused.iter().all(|r| r.keys.len() <= 16));
    assert!(book.is_whole());
    assert_eq!(acls(absorbed), 1);
}

#[test]
fn what_was_overwritten_is_said_again_with_the_next_change() {
    let mut log = Log::founded();
    log.commit(&[Record::Acl(acl("a")), Record::Acl(acl("b"))]);
    let snapshot = {
        let founding = Record::ClusterId { id: CLUSTER.to_owned() };
        let records = std::iter::once(founding).chain(log.read().1.records);
        schloss_metadata::State::new(records, Vec::new()).unwrap().snapshot()
    };
    let tombstone = records::Record { value: None, ..log.batches[2].records[0].clone() };
    let junk = records::Record { key: Some("junk".into()), value: Some("x".into()), ..empty() };
    log.append((9, 0), vec![tombstone, junk]);
    log.end((9, 0), true);
    // Compaction would lose the ACL and keep the junk: then it is missed.
    let lost = compact(&log.batches, log.batches.len(), false);
    assert!(!read(&log.codec, &lost).0.is_whole());

    let (mut book, absorbed) = log.read();
    assert_eq!((absorbed.refused.len(), book.disputed().len()), (1, 2));
    let healing = crate::change::encode(&log.codec, &book, Some(&snapshot), &[]).unwrap();
    assert_eq!(healing.len(), 3, "the ACL, a tombstone, the head");
    log.append((4, 100), healing);
    log.end((4, 100), true);
    (book, _) = log.read();
    assert!(book.disputed().is_empty() && book.is_whole());
    let compacted = compact(&log.batches, log.batches.len(), true);
    let (book, absorbed) = read(&log.codec, &compacted);
    assert!(book.is_whole() && absorbed.refused.is_empty());
    assert_eq!(acls(absorbed), 2);
    assert!(!String::from_utf8_lossy(&encoded(&compacted)).contains("junk"));
}

#[test]
fn a_record_of_a_newer_version_is_told_from_a_forged_one() {
    let codec = codec();
    let written = codec.write(&Record::Acl(acl("a")), 2).unwrap();
    let value = String::from_utf8(written.value.clone().unwrap().to_vec()).unwrap();
    let newer = [
        (written.key.clone().unwrap(), value.replace("\"v\":1", "\"v\":2")),
        (written.key.clone().unwrap(), value.replace("\"v\":1", "\"v\":1,\"until\":3")),
        (written.key.clone().unwrap(), value.replace("User:a", "User:b")),
        ("{\"role\":\"x\"}".into(), value),
    ];
    for (key, value) in newer {
        let record = codec.remarked(&key, 2, value.as_bytes());
        assert!(matches!(codec.read(&record), Err(Fault::Unreadable(_))), "{value}");
    }
}

#[test]
fn secrets_are_sealed_and_bound_to_their_key() {
    let codec = codec();
    let scram = |user: &str| Record::Scram { user: user.to_owned(), credential: credential(4096) };
    let written = codec.write(&scram("alice"), 2).unwrap();
    let value = written.value.clone().unwrap();
    assert!(!String::from_utf8_lossy(&value).contains("salt") && value.len() > 100);
    assert_eq!(codec.read(&written).unwrap().change, 2);
    // Even with a right tag it opens under its own key only.
    let bob = codec.write(&scram("bob"), 2).unwrap();
    let moved = codec.remarked(&bob.key.unwrap(), 2, &value);
    assert!(matches!(codec.read(&moved), Err(Fault::Forged(_))));
}

#[test]
fn bytes_that_are_no_log_are_an_error_and_a_bomb_is_refused() {
    let codec = codec();
    let read = |bytes: Vec<u8>| Assembler::default().read(&codec, 0, bytes.into(), &mut { 0 }).err();
    assert!(read(vec![0; 100]).is_some());
    assert!(read(vec![0xff; 100]).is_some());

    let mut log = Log::founded();
    let bomb = records::Record { key: Some("x".into()), value: Some(vec![0; 40 << 20].into()), ..empty() };
    log.append((9, 0), vec![bomb]);
    log.batches.last_mut().unwrap().compression = Compression::Zstd;
    log.end((9, 0), true);
    let (book, absorbed) = log.read();
    assert!(is_refused(&absorbed, "can't be read") && absorbed.refused[0].more, "{:?}", absorbed.refused);
    assert!(book.is_whole());
}
