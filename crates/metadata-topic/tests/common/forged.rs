//! Records that no gateway wrote.

use bytes::Bytes;
use schloss_client::{Producer, ProducerOptions, ProducerRecord};
use schloss_wire::records::Record;

pub(crate) fn plain(topic: &str, key: &'static [u8], value: Option<&'static [u8]>) -> ProducerRecord {
    ProducerRecord {
        topic: topic.to_owned(),
        key: Some(Bytes::from_static(key)),
        value: value.map(Bytes::from_static),
        ..ProducerRecord::default()
    }
}

/// A head without a mark.
pub(crate) fn head() -> Record {
    Record {
        attributes: 0,
        timestamp_delta: 0,
        offset_delta: 0,
        key: Some(Bytes::from_static(b"\"head\"")),
        value: Some(Bytes::from_static(b"forged")),
        headers: Vec::new(),
    }
}

/// What would take away the thing that a record is about.
pub(crate) fn tombstone(topic: &str, record: &Record) -> ProducerRecord {
    ProducerRecord { value: None, ..copy(topic, record) }
}

/// The same record once more, mark and all.
pub(crate) fn copy(topic: &str, record: &Record) -> ProducerRecord {
    let headers = record.headers.iter().map(|header| (header.key.to_string(), header.value.clone()));
    ProducerRecord {
        topic: topic.to_owned(),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: headers.collect(),
        ..ProducerRecord::default()
    }
}

pub(crate) fn is_about(record: &Record, text: &str) -> bool {
    record.key.as_ref().is_some_and(|key| String::from_utf8_lossy(key).contains(text))
}

pub(crate) async fn write(record: ProducerRecord) {
    let mut producer = Producer::new(super::cluster().await, ProducerOptions::default()).await.unwrap();
    producer.send_and_wait(record).await.unwrap();
}
