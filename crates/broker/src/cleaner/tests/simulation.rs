//! Whatever is written, ended and compacted in whatever order, readers see the same, and less of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;
use schloss_log::Retention;
use schloss_wire::records::{BatchHeader, Compression, RecordBatch};

use super::filter::{Content, batch};
use super::memory::{Batch, MemoryLog};
use crate::cleaner::log::CleanableLog as _;
use crate::cleaner::policy::Policy;
use crate::cleaner::round::{Surroundings, compact};
use crate::cleaner::transactions::AbortedRecords;
use crate::control::Marker;
use crate::producers::ProducerStates;
use crate::records::{decode, encode};

const DELETE_RETENTION: i64 = 100;

#[derive(Clone, Debug)]
enum Step {
    /// Producers 1 and 2 write in transactions, 3 with sequences only, 0 is nobody.
    Write {
        producer: i64,
        records: Vec<(Option<u8>, Option<u8>)>,
        packed: bool,
    },
    End {
        producer: i64,
        commit: bool,
    },
    Roll,
    Compact {
        max_keys: usize,
        later_ms: i64,
    },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = prop_oneof![20 => (0u8..6).prop_map(Some), 1 => Just(None)];
    let record = (key, prop::option::weighted(0.75, any::<u8>()));
    let write = (0i64..4, prop::collection::vec(record, 1..5), any::<bool>());
    let step = prop_oneof![
        6 => write.prop_map(|(producer, records, packed)| Step::Write { producer, records, packed }),
        3 => (1i64..3, any::<bool>()).prop_map(|(producer, commit)| Step::End { producer, commit }),
        3 => Just(Step::Roll),
        2 => (1usize..8, 0i64..150).prop_map(|(max_keys, later_ms)| Step::Compact { max_keys, later_ms }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// Offset to key, value and timestamp.
type Records = BTreeMap<i64, (Option<Bytes>, Option<Bytes>, i64)>;
/// What a table made of a topic holds.
type Table = BTreeMap<Bytes, Bytes>;

struct Simulation {
    log: MemoryLog,
    states: RefCell<ProducerStates>,
    sequences: HashMap<i64, i32>,
    /// Everything that was ever written.
    written: Records,
    now_ms: i64,
}

impl Simulation {
    fn new() -> Self {
        Self {
            log: MemoryLog::new(),
            states: RefCell::default(),
            sequences: HashMap::new(),
            written: Records::new(),
            now_ms: 10_000,
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Write { producer, records, packed } => self.write(*producer, records, *packed),
            Step::End { producer, commit } => self.end(*producer, *commit),
            Step::Roll => self.log.roll(),
            Step::Compact { max_keys, later_ms } => {
                self.now_ms += later_ms;
                self.compact(*max_keys);
            }
            Step::Restart => self.restart(),
        }
    }

    fn write(&mut self, producer: i64, records: &[(Option<u8>, Option<u8>)], packed: bool) {
        let texts: Vec<(Option<String>, Option<String>)> = records
            .iter()
            .map(|(key, value)| (key.map(|key| key.to_string()), value.map(|value| value.to_string())))
            .collect();
        let contents: Vec<Content<'_>> =
            texts.iter().map(|(key, value)| (key.as_deref(), value.as_deref())).collect();
        let id = if producer == 0 { -1 } else { producer };
        let mut batch = batch(self.log.end(), id, (1..3).contains(&producer), &contents);
        if packed {
            batch.compression = Compression::Lz4;
        }
        if producer > 0 {
            let sequence = self.sequences.entry(producer).or_default();
            batch.base_sequence = *sequence;
            *sequence += batch.last_offset_delta + 1;
        }
        self.written.append(&mut contents_of(&batch));
        let bytes = encode(&batch).unwrap();
        let header = BatchHeader::parse(&bytes).unwrap();
        self.states.borrow_mut().appended(&header, self.now_ms);
        self.log.push(bytes);
    }

    fn end(&mut self, producer_id: i64, commit: bool) {
        if !self.states.borrow().is_in_transaction(producer_id, 0) {
            return;
        }
        let marker = Marker { producer_id, producer_epoch: 0, commit, coordinator_epoch: 0 };
        let (_, bytes) = marker.encode(self.now_ms).unwrap();
        let mut placed = bytes.to_vec();
        placed[..8].copy_from_slice(&self.log.end().to_be_bytes());
        let header = BatchHeader::parse(&placed).unwrap();
        let mut states = self.states.borrow_mut();
        let ended = states.ended(&header, self.now_ms).unwrap();
        if !commit {
            states.aborted(ended);
        }
        self.log.push(placed.into());
    }

    fn stable(&self) -> i64 {
        self.states.borrow_mut().last_stable_offset(self.log.end())
    }

    fn compact(&self, max_keys: usize) {
        let policy = Policy {
            retention: Retention::default(),
            compact: true,
            segment_bytes: 600,
            segment_ms: i64::MAX,
            delete_retention_ms: DELETE_RETENTION,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_dirty_ratio: 0.0,
        };
        let stable = self.stable();
        while let Some(dirty) = policy.dirty(&self.log.segments(), self.log.cleaned_to(), stable, self.now_ms)
        {
            let around = Surroundings {
                policy: &policy,
                aborted: AbortedRecords::new(&self.states.borrow().aborted_before(stable)),
                producers: self.states.borrow().last_records(),
                max_keys,
                now_ms: self.now_ms,
                pace: &|_| Ok(()),
                forget_markers: &|markers| self.states.borrow_mut().forget_aborted(markers),
            };
            let cleaned = compact(&self.log, &dirty, &around).unwrap();
            assert!(cleaned.to > dirty.start, "every round gets on");
            assert_eq!(cleaned.unreadable, 0);
        }
    }

    /// What a broker knows of producers after a start.
    fn rebuilt(&self) -> ProducerStates {
        let mut states = ProducerStates::default();
        for (header, bytes) in self.log.batches() {
            if !header.is_control() {
                states.appended(&header, header.max_timestamp);
            } else if let Some(ended) = states.ended(&header, header.max_timestamp)
                && Marker::decode(bytes).is_none_or(|marker| !marker.commit)
            {
                states.aborted(ended);
            }
        }
        states
    }

    fn restart(&mut self) {
        self.states = RefCell::new(self.rebuilt());
    }

    /// What a consumer of committed records makes of the log (`CompletedFetch` of the Java client).
    fn table(&self) -> Table {
        let stable = self.stable();
        let aborted = self.states.borrow_mut().aborted_within(0, 0, stable);
        let mut aborted: Vec<_> = aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect();
        aborted.sort_unstable_by_key(|(_, first)| *first);
        let mut aborted: VecDeque<_> = aborted.into();
        let mut ongoing = HashSet::new();
        let mut table = Table::new();
        for (header, bytes) in self.log.batches() {
            if header.base_offset >= stable {
                break;
            }
            while let Some((producer, _)) = aborted.pop_front_if(|(_, first)| *first <= header.last_offset())
            {
                ongoing.insert(producer);
            }
            if header.is_control() {
                if Marker::decode(bytes).is_some_and(|marker| !marker.commit) {
                    ongoing.remove(&header.producer_id);
                }
            } else if !(header.is_transactional() && ongoing.contains(&header.producer_id)) {
                apply(&mut table, &bytes);
            }
        }
        table
    }

    fn check(&self) {
        let batches = self.log.batches();
        // Nothing is made up, and nothing has moved.
        for (offset, record) in all_records(&batches) {
            assert_eq!(self.written.get(&offset), Some(&record), "{offset}");
        }
        // Each segment ends where the next one begins.
        let segments = self.log.segments();
        assert!(segments.is_sorted_by(|one, next| one.end_offset == next.base_offset), "{segments:?}");
        // A restart knows what was known.
        let (rebuilt, known) = (self.rebuilt(), self.states.borrow());
        assert_eq!(rebuilt.open_transactions(), known.open_transactions());
        let sequences = |states: &ProducerStates| -> Vec<(i64, i16, i32)> {
            states.view().iter().map(|view| (view.id, view.epoch, view.last_sequence)).collect()
        };
        assert_eq!(sequences(&rebuilt), sequences(&known));
    }

    /// Of each key one record is left in what is compacted, and no aborted one.
    fn check_compacted(&self) {
        let cleaned_to = self.log.cleaned_to();
        let mut keys = HashSet::new();
        for (offset, (key, ..)) in all_records(&self.log.batches()) {
            if offset < cleaned_to {
                assert!(keys.insert(key.clone()), "{key:?} is still there twice, at {offset}");
                assert!(key.is_some(), "a record without a key at {offset}");
            }
        }
        assert!(keys.len() <= 6);
    }
}

fn contents_of(batch: &RecordBatch) -> Records {
    let content = |record: &schloss_wire::records::Record| {
        let timestamp = batch.base_timestamp + record.timestamp_delta;
        let offset = batch.base_offset + i64::from(record.offset_delta);
        (offset, (record.key.clone(), record.value.clone(), timestamp))
    };
    batch.records.iter().map(content).collect()
}

fn all_records(batches: &[Batch]) -> Records {
    let data = batches.iter().filter(|(header, _)| !header.is_control());
    data.flat_map(|(_, bytes)| contents_of(&decode(bytes).unwrap())).collect()
}

fn apply(table: &mut Table, bytes: &Bytes) {
    for record in decode(bytes).unwrap().records {
        match (record.key, record.value) {
            (Some(key), Some(value)) => {
                table.insert(key, value);
            }
            (Some(key), None) => {
                table.remove(&key);
            }
            (None, _) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn readers_see_the_same_table_before_and_after(steps in steps()) {
        let mut simulation = Simulation::new();
        for step in &steps {
            let before = simulation.table();
            simulation.run(step);
            if matches!(step, Step::Compact { .. } | Step::Restart | Step::Roll) {
                prop_assert_eq!(simulation.table(), before, "after {:?}", step);
            }
            if matches!(step, Step::Compact { .. }) {
                simulation.check_compacted();
            }
            simulation.check();
        }
    }

    #[test]
    fn delete_markers_and_markers_of_transactions_go_in_the_end(steps in steps()) {
        let mut simulation = Simulation::new();
        for step in &steps {
            simulation.run(step);
        }
        for producer in [1, 2] {
            simulation.end(producer, true);
        }
        let expected = simulation.table();
        // Rounds with something new in them: that is when the rest is looked at again.
        for _ in 0..4 {
            simulation.write(0, &[(Some(9), Some(9))], false);
            simulation.log.roll();
            simulation.now_ms += DELETE_RETENTION;
            simulation.compact(100);
        }
        let mut table = simulation.table();
        prop_assert_eq!(table.remove(&b"9"[..]), Some(Bytes::from_static(b"9")));
        prop_assert_eq!(&table, &expected);
        let batches = simulation.log.batches();
        prop_assert_eq!(all_records(&batches).len(), expected.len() + 1, "what stays is the table");
        let data = |producer| batches.iter().any(|(header, _)| header.producer_id == producer && !header.is_control());
        for (header, bytes) in &batches {
            prop_assert!(
                !header.is_control() || header.record_count == 0 || data(header.producer_id),
                "{:?} ends nothing", Marker::decode(bytes.clone())
            );
        }
    }
}
