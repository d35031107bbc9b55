//! What a producer may send: the checks of one partition's records before they reach its log.
//!
//! Error codes are Kafka's (`ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`,
//! `LogValidator`).

use std::fmt::Display;

use bytes::Bytes;
use schloss_log::TimestampSource;
use schloss_metadata::Refusal;
use schloss_wire::ErrorCode;
use schloss_wire::records::{BatchError, BatchHeader, check_batch};

use crate::content::check_content;
use crate::reply::refusal;
use crate::settings::TopicSettings;

/// First version whose clients may send zstd, codec 4 (KIP-110).
const ZSTD_SINCE_VERSION: i16 = 7;
const CODEC_MASK: i16 = 0x07;
const ZSTD: i16 = 4;

fn not_a_batch(error: BatchError) -> Refusal {
    let code = match error {
        BatchError::BadLength(_) | BatchError::BadCrc { .. } => ErrorCode::CorruptMessage,
        BatchError::Truncated { .. } | BatchError::UnsupportedMagic(_) | BatchError::LyingCount { .. } => {
            ErrorCode::InvalidRecord
        }
        BatchError::UnknownCompression(_) => ErrorCode::UnsupportedCompressionType,
    };
    refusal(code, error)
}

/// Checks the records that a request of this version has for one partition: exactly one batch, whole, true to
/// its CRC and its counts, not too large, and nothing that clients may not write. What is returned is to be
/// stored: the batch that came, or the same in the topic's codec.
pub(crate) fn check_incoming(
    records: Option<Bytes>,
    version: i16,
    settings: &TopicSettings<'_>,
    now_ms: i64,
) -> Result<(BatchHeader, Bytes), Refusal> {
    let invalid = |message: &str| Err(refusal(ErrorCode::InvalidRecord, message));
    let records = records.unwrap_or_default();
    if records.is_empty() {
        return invalid("a produce request must have one record batch for each partition, this one has none");
    }
    let header = BatchHeader::parse(&records).map_err(not_a_batch)?;
    let limit = settings.max_message_bytes();
    if header.total_bytes > limit {
        let bytes = header.total_bytes;
        return Err(refusal(
            ErrorCode::MessageTooLarge,
            format_args!("the record batch has {bytes} bytes, max.message.bytes of the topic allows {limit}"),
        ));
    }
    if header.total_bytes < records.len() {
        return invalid("a produce request must have exactly one record batch for each partition");
    }
    check_batch(&records).map_err(not_a_batch)?;
    if header.is_control() {
        return invalid("clients are not allowed to write control records");
    }
    if header.is_transactional() && !header.is_idempotent() {
        return invalid("a batch of a transaction must have a producer id");
    }
    if header.is_idempotent() && (header.base_sequence < 0 || header.producer_epoch < 0) {
        return invalid("a batch with a producer id must have a sequence number and a producer epoch");
    }
    if version < ZSTD_SINCE_VERSION && header.attributes & CODEC_MASK == ZSTD {
        return Err(refusal(
            ErrorCode::UnsupportedCompressionType,
            format_args!("zstd needs a produce request of version {ZSTD_SINCE_VERSION} or later"),
        ));
    }
    check_timestamp(&header, settings, now_ms)?;
    check_content(header, records, settings, now_ms)
}

fn check_timestamp(header: &BatchHeader, settings: &TopicSettings<'_>, now_ms: i64) -> Result<(), Refusal> {
    if settings.timestamps() == TimestampSource::LogAppendTime {
        return Ok(());
    }
    let invalid = |message: &dyn Display| Err(refusal(ErrorCode::InvalidTimestamp, message));
    if header.is_log_append_time() {
        return invalid(&"producers can't set the timestamp type to LogAppendTime");
    }
    let lead = settings.max_timestamp_lead_ms();
    if header.max_timestamp.saturating_sub(now_ms) > lead {
        return invalid(&format_args!(
            "timestamp {} is more than message.timestamp.after.max.ms ({lead} ms) after the broker's clock {now_ms}",
            header.max_timestamp
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::{Patch as _, batch, config, idempotent};

    const NOW: i64 = 1_700_000_000_000;

    fn code(records: Option<Bytes>, version: i16) -> ErrorCode {
        let (none, node) = (BTreeMap::new(), config());
        match check_incoming(records, version, &TopicSettings::new(&none, &node), NOW) {
            Ok(_) => ErrorCode::None,
            Err(refusal) => refusal.code,
        }
    }

    #[test]
    fn one_good_batch_passes_and_stays_the_bytes_it_came_as() {
        let sent = batch(3);
        let (none, node) = (BTreeMap::new(), config());
        let settings = TopicSettings::new(&none, &node);
        let (header, bytes) = check_incoming(Some(sent.clone()), 9, &settings, NOW).unwrap();
        assert_eq!((header.record_count, bytes), (3, sent));
    }

    #[test]
    fn none_two_and_half_a_batch_are_invalid() {
        let one = batch(1);
        let two: Bytes = [&one[..], &one[..]].concat().into();
        let half = one.slice(..one.len() - 1);
        let trailing: Bytes = [&one[..], b"x"].concat().into();
        for records in [None, Some(Bytes::new()), Some(two), Some(half), Some(trailing)] {
            assert_eq!(code(records, 9), ErrorCode::InvalidRecord);
        }
    }

    #[test]
    fn damage_is_told_from_lies() {
        let mut flipped = batch(1).to_vec();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(code(Some(flipped.into()), 9), ErrorCode::CorruptMessage);
        let short_length = batch(1).patched(8, &7i32.to_be_bytes());
        assert_eq!(code(Some(short_length), 9), ErrorCode::CorruptMessage);
        let lying = batch(1).patched(57, &2i32.to_be_bytes());
        assert_eq!(code(Some(lying), 9), ErrorCode::InvalidRecord);
        let old = batch(1).patched(16, &[1]);
        assert_eq!(code(Some(old), 9), ErrorCode::InvalidRecord);
    }

    #[test]
    fn what_only_brokers_write_is_refused() {
        let with_attributes = |bits: i16| Some(batch(1).patched(21, &bits.to_be_bytes()));
        assert_eq!(code(with_attributes(0x20), 9), ErrorCode::InvalidRecord);
        assert_eq!(code(with_attributes(0x10), 9), ErrorCode::InvalidRecord, "a transaction of nobody");
        assert_eq!(code(with_attributes(0x08), 9), ErrorCode::InvalidTimestamp);
        assert_eq!(code(with_attributes(0x05), 9), ErrorCode::UnsupportedCompressionType);
        assert_eq!(code(with_attributes(0x04), 6), ErrorCode::UnsupportedCompressionType);
        assert_eq!(code(with_attributes(0x04), 7), ErrorCode::None);
    }

    #[test]
    fn a_producer_without_a_sequence_is_refused() {
        assert_eq!(code(Some(idempotent(1, 7, 0, 0)), 9), ErrorCode::None);
        assert_eq!(code(Some(idempotent(1, 7, 0, -1)), 9), ErrorCode::InvalidRecord);
        assert_eq!(code(Some(idempotent(1, 7, -1, 0)), 9), ErrorCode::InvalidRecord);
    }

    #[test]
    fn size_and_timestamp_are_held_to_the_topics_settings() {
        let own = BTreeMap::from([
            ("max.message.bytes".to_owned(), "100".to_owned()),
            ("message.timestamp.after.max.ms".to_owned(), "10".to_owned()),
        ]);
        let node = config();
        let settings = TopicSettings::new(&own, &node);
        let late = |by: i64| {
            let stamp = (NOW + by).to_be_bytes();
            check_incoming(Some(batch(1).patched(35, &stamp)), 9, &settings, NOW)
        };
        assert!(late(10).is_ok());
        assert_eq!(late(11).unwrap_err().code, ErrorCode::InvalidTimestamp);
        let large = check_incoming(Some(batch(30)), 9, &settings, NOW).unwrap_err();
        assert_eq!(large.code, ErrorCode::MessageTooLarge);
        assert!(large.message.contains("max.message.bytes"), "{}", large.message);
    }
}
