//! What a topic's settings ask of the records themselves: their timestamps, their keys and their codec.
//!
//! Only topics with such settings pay for it; what the others get is not unpacked. Rules and error codes are
//! Kafka's (`LogValidator`).

use bytes::Bytes;
use schloss_metadata::Refusal;
use schloss_wire::ErrorCode;
use schloss_wire::records::{BatchHeader, Compression, Record, RecordBatch, TimestampType};

use crate::records::{codec, decode, encode};
use crate::reply::refusal;
use crate::settings::TopicSettings;

/// What stands for the timestamp of a record that has none.
const NO_TIMESTAMP: i64 = -1;

/// Checks the records of a batch that is whole, and gives them the topic's codec.
pub(crate) fn check_content(
    header: BatchHeader,
    batch: Bytes,
    settings: &TopicSettings<'_>,
    now_ms: i64,
) -> Result<(BatchHeader, Bytes), Refusal> {
    let wanted = settings.compression().filter(|wanted| codec(header.attributes) != Some(*wanted));
    let oldest = settings.oldest_timestamp_ms(now_ms);
    if wanted.is_none() && oldest.is_none() && !settings.is_compacted() {
        return Ok((header, batch));
    }
    let decoded = decode(&batch).map_err(|error| refusal(ErrorCode::InvalidRecord, error))?;
    check_records(&decoded)?;
    if settings.is_compacted() && decoded.records.iter().any(|record| record.key.is_none()) {
        return Err(refusal(ErrorCode::InvalidRecord, "a record of a compacted topic must have a key"));
    }
    if let Some(oldest) = oldest {
        check_age(&decoded, oldest, now_ms)?;
    }
    match wanted {
        Some(wanted) => recompress(decoded, wanted, settings),
        None => Ok((header, batch)),
    }
}

/// That the records are numbered one after the other.
fn check_records(batch: &RecordBatch) -> Result<(), Refusal> {
    let mut numbers = batch.records.iter().map(|record| record.offset_delta).zip(0..);
    if numbers.all(|(delta, number)| delta == number) {
        return Ok(());
    }
    Err(refusal(ErrorCode::InvalidRecord, "the offsets of the records in the batch are not consecutive"))
}

fn check_age(batch: &RecordBatch, oldest: i64, now_ms: i64) -> Result<(), Refusal> {
    let stamps = batch.records.iter().map(|record| timestamp(batch, record));
    match stamps.filter(|timestamp| *timestamp != NO_TIMESTAMP).find(|timestamp| *timestamp < oldest) {
        None => Ok(()),
        Some(timestamp) => Err(refusal(
            ErrorCode::InvalidTimestamp,
            format_args!(
                "timestamp {timestamp} is more than message.timestamp.before.max.ms ({} ms) before the broker's \
                 clock {now_ms}",
                now_ms.saturating_sub(oldest)
            ),
        )),
    }
}

fn timestamp(batch: &RecordBatch, record: &Record) -> i64 {
    batch.base_timestamp.saturating_add(record.timestamp_delta)
}

fn recompress(
    mut batch: RecordBatch,
    compression: Compression,
    settings: &TopicSettings<'_>,
) -> Result<(BatchHeader, Bytes), Refusal> {
    batch.compression = compression;
    if batch.timestamp_type == TimestampType::CreateTime {
        let stamps = batch.records.iter().map(|record| timestamp(&batch, record));
        batch.max_timestamp = stamps.max().unwrap_or(batch.max_timestamp);
    }
    let bytes = encode(&batch).map_err(|error| refusal(ErrorCode::MessageTooLarge, error))?;
    let limit = settings.max_message_bytes();
    if bytes.len() > limit {
        let (name, size) = (compression.name(), bytes.len());
        return Err(refusal(
            ErrorCode::MessageTooLarge,
            format_args!(
                "as {name} the record batch has {size} bytes, max.message.bytes of the topic allows {limit}"
            ),
        ));
    }
    let header = BatchHeader::parse(&bytes).map_err(|error| refusal(ErrorCode::InvalidRecord, error))?;
    Ok((header, bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schloss_wire::records::check_batch;

    use super::*;
    use crate::testing::{Patch as _, batch, config};

    const NOW: i64 = 10_000;

    fn checked(batch: Bytes, own: &[(&str, &str)]) -> Result<(BatchHeader, Bytes), Refusal> {
        let own: BTreeMap<_, _> = own.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let node = config();
        let header = check_batch(&batch).unwrap();
        check_content(header, batch, &TopicSettings::new(&own, &node), NOW)
    }

    fn compressed(count: i32, compression: Compression) -> Bytes {
        encode(&RecordBatch { compression, ..decode(&batch(count)).unwrap() }).unwrap()
    }

    #[test]
    fn a_batch_gets_the_topics_codec_and_stays_the_same_in_all_else() {
        use Compression::{Gzip, Lz4, None, Snappy, Zstd};
        for (name, to) in
            [("uncompressed", None), ("gzip", Gzip), ("snappy", Snappy), ("lz4", Lz4), ("zstd", Zstd)]
        {
            for from in [None, Gzip, Snappy, Lz4, Zstd] {
                let sent = compressed(200, from);
                let (header, stored) = checked(sent.clone(), &[("compression.type", name)]).unwrap();
                assert_eq!(check_batch(&stored), Ok(header));
                assert_eq!(codec(header.attributes), Some(to));
                assert_eq!(stored == sent, from == to, "{from:?} to {to:?}");
                let expected = RecordBatch { compression: to, ..decode(&sent).unwrap() };
                assert_eq!(decode(&stored).unwrap(), expected);
            }
        }
    }

    #[test]
    fn the_producers_codec_stays_where_the_topic_says_so() {
        let sent = compressed(3, Compression::Gzip);
        assert_eq!(checked(sent.clone(), &[("compression.type", "producer")]).unwrap().1, sent);
        assert_eq!(checked(sent.clone(), &[]).unwrap().1, sent);
    }

    #[test]
    fn what_is_too_large_once_it_is_unpacked_is_refused() {
        let sent = compressed(200, Compression::Zstd);
        let limit = (sent.len() + 1).to_string();
        let settings = [("compression.type", "uncompressed"), ("max.message.bytes", &limit)];
        let refused = checked(sent, &settings).unwrap_err();
        assert_eq!(refused.code, ErrorCode::MessageTooLarge);
        assert!(refused.message.contains("as uncompressed"), "{}", refused.message);
    }

    #[test]
    fn the_oldest_record_counts_and_not_the_newest() {
        // Stamped 1000 to 1009, so the first is 9000 ms old.
        for from in [Compression::None, Compression::Lz4] {
            let sent = compressed(10, from);
            assert!(checked(sent.clone(), &[("message.timestamp.before.max.ms", "9000")]).is_ok());
            let refused = checked(sent.clone(), &[("message.timestamp.before.max.ms", "8999")]).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidTimestamp);
            let stamped =
                [("message.timestamp.before.max.ms", "8"), ("message.timestamp.type", "LogAppendTime")];
            assert!(checked(sent, &stamped).is_ok(), "the producer's timestamps do not count there");
        }
        let unstamped = batch(1).patched(27, &(-1i64).to_be_bytes());
        assert!(checked(unstamped, &[("message.timestamp.before.max.ms", "0")]).is_ok());
    }

    #[test]
    fn records_of_compacted_topics_have_keys() {
        let mut decoded = decode(&batch(2)).unwrap();
        decoded.records[0].key = Some(Bytes::new());
        for policy in ["compact", "delete,compact"] {
            let refused = checked(encode(&decoded).unwrap(), &[("cleanup.policy", policy)]).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidRecord);
            assert!(refused.message.contains("key"), "{}", refused.message);
        }
        decoded.records[1].key = Some(Bytes::from_static(b"key"));
        let keyed = encode(&decoded).unwrap();
        assert_eq!(checked(keyed.clone(), &[("cleanup.policy", "compact")]).unwrap().1, keyed);
        assert!(checked(batch(2), &[("cleanup.policy", "delete")]).is_ok());
    }

    #[test]
    fn records_out_of_order_and_packed_garbage_are_invalid() {
        let settings = [("compression.type", "zstd")];
        let mut decoded = decode(&batch(2)).unwrap();
        decoded.records.swap(0, 1);
        assert_eq!(checked(encode(&decoded).unwrap(), &settings).unwrap_err().code, ErrorCode::InvalidRecord);
        for codec in 1..=3i16 {
            let garbage = batch(2).patched(21, &codec.to_be_bytes());
            assert_eq!(checked(garbage, &settings).unwrap_err().code, ErrorCode::InvalidRecord, "{codec}");
        }
    }
}
