//! A log in memory, as a broker would keep it.

use bytes::{Bytes, BytesMut};
use schloss_identity::{Mechanism, ScramCredential};
use schloss_keys::SealingKey;
use schloss_metadata::{Record, SaltKeyRecord, State};
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};
use schloss_wire::records::{self, Compression, RecordBatch, RecordEncodeLimits, TimestampType};

use crate::absorb::Absorbed;
use crate::book::{Book, Producer};
use crate::change;
use crate::codec::Codec;
use crate::transactions::Assembler;

pub(crate) const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";

pub(crate) fn codec() -> Codec {
    Codec::new(&SealingKey::from_bytes(&[7; 32]), CLUSTER, "__schloss_metadata")
}

pub(crate) fn acl(user: &str) -> Acl {
    Acl {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        resource_name: "orders".to_owned(),
        principal: format!("User:{user}"),
        host: "*".to_owned(),
        operation: Operation::Read,
        permission: Permission::Deny,
    }
}

pub(crate) fn credential(iterations: u32) -> ScramCredential {
    let salt = b"0123456789abcdef".to_vec();
    ScramCredential::from_salted_password(Mechanism::ScramSha512, iterations, salt, &[7; 64]).unwrap()
}

/// The log of the topic, and the book of one who wrote all of it.
pub(crate) struct Log {
    pub(crate) codec: Codec,
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) book: Book,
    end: i64,
    epoch: i16,
}

impl Log {
    /// One that holds the first change.
    pub(crate) fn founded() -> Self {
        let mut log = Self { codec: codec(), batches: Vec::new(), book: Book::default(), end: 0, epoch: 0 };
        log.commit(&[Record::FakeSaltKey(SaltKeyRecord::generate())]);
        log
    }

    /// The records that a change takes, in a turn of its own.
    pub(crate) fn encode(&mut self, changes: &[Record]) -> (Producer, Vec<records::Record>) {
        self.epoch += 1;
        ((4, self.epoch), change::encode(&self.codec, &self.book, None, changes).unwrap())
    }

    /// Writes a change as a gateway does.
    pub(crate) fn commit(&mut self, changes: &[Record]) {
        let (producer, records) = self.encode(changes);
        let from = self.batches.len();
        self.append(producer, records);
        self.end(producer, true);
        let bytes = encoded(&self.batches[from..]);
        let outcomes = Assembler::default().read(&self.codec, 0, bytes, &mut { 0 }).unwrap();
        let mut absorbed = Absorbed::default();
        absorbed.add(&self.codec, &mut self.book, outcomes);
        assert!(absorbed.refused.is_empty(), "{:?}", absorbed.refused);
    }

    pub(crate) fn append(&mut self, (producer_id, producer_epoch): Producer, records: Vec<records::Record>) {
        self.push(producer_id, producer_epoch, false, records);
    }

    /// Ends a transaction with a marker.
    pub(crate) fn end(&mut self, (producer_id, producer_epoch): Producer, committed: bool) {
        let marker = records::Record {
            key: Some(Bytes::copy_from_slice(&[0, 0, 0, u8::from(committed)])),
            value: Some(Bytes::from_static(&[0; 6])),
            ..empty()
        };
        self.push(producer_id, producer_epoch, true, vec![marker]);
    }

    fn push(
        &mut self,
        producer_id: i64,
        producer_epoch: i16,
        is_control: bool,
        mut records: Vec<records::Record>,
    ) {
        let count = i32::try_from(records.len()).unwrap();
        for (delta, record) in (0..).zip(&mut records) {
            record.offset_delta = delta;
        }
        self.batches.push(RecordBatch {
            base_offset: self.end,
            last_offset_delta: count - 1,
            partition_leader_epoch: 0,
            compression: Compression::None,
            timestamp_type: TimestampType::CreateTime,
            is_transactional: producer_id >= 0,
            is_control,
            has_delete_horizon: false,
            base_timestamp: 1,
            max_timestamp: 1,
            producer_id,
            producer_epoch,
            base_sequence: if is_control { -1 } else { 0 },
            records,
        });
        self.end += i64::from(count);
    }

    /// Reads the log as a gateway does that starts.
    pub(crate) fn read(&self) -> (Book, Absorbed) {
        read(&self.codec, &self.batches)
    }
}

pub(crate) fn read(codec: &Codec, batches: &[RecordBatch]) -> (Book, Absorbed) {
    let (mut book, mut absorbed) = (Book::default(), Absorbed::default());
    let (mut assembler, mut position) = (Assembler::default(), 0);
    for batch in batches {
        let bytes = encoded(std::slice::from_ref(batch));
        let outcomes = assembler.read(codec, book.change(), bytes, &mut position).unwrap();
        absorbed.add(codec, &mut book, outcomes);
    }
    (book, absorbed)
}

pub(crate) fn encoded(batches: &[RecordBatch]) -> Bytes {
    let mut bytes = BytesMut::new();
    for batch in batches {
        batch.encode_into(&mut bytes, RecordEncodeLimits::default()).unwrap();
    }
    bytes.freeze()
}

pub(crate) fn empty() -> records::Record {
    records::Record {
        attributes: 0,
        timestamp_delta: 0,
        offset_delta: 0,
        key: None,
        value: None,
        headers: Vec::new(),
    }
}

/// All of a state as text: the fewest records that lead to it.
pub(crate) fn state(records: Vec<Record>) -> String {
    let founding = Record::ClusterId { id: CLUSTER.to_owned() };
    let state = State::new(std::iter::once(founding).chain(records), Vec::new()).unwrap();
    state.snapshot().records().map(|record| serde_json::to_string(&record).unwrap() + "\n").collect()
}
