//! What clients are told when a log can't do its work.

use std::sync::atomic::{AtomicI64, Ordering};

use schloss_log::LogError;
use schloss_wire::ErrorCode;

use crate::reply::now_ms;

/// A full disk makes every request fail; saying so this often is enough, in milliseconds.
const REPORT_INTERVAL_MS: i64 = 1_000;

static LAST_REPORT_MS: AtomicI64 = AtomicI64::new(0);

/// The error code for a client. The error itself names files of this node, so it goes to the log, now and then.
pub(crate) fn code_of(error: &LogError) -> ErrorCode {
    match error {
        LogError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        // Told of by the log itself, once for each place.
        LogError::Corrupt { .. } => ErrorCode::CorruptMessage,
        LogError::Deleted { .. } => ErrorCode::UnknownTopicOrPartition,
        LogError::TooLarge { .. } => ErrorCode::RecordListTooLarge,
        error => {
            let (now, last) = (now_ms(), LAST_REPORT_MS.load(Ordering::Relaxed));
            let due = now.saturating_sub(last) >= REPORT_INTERVAL_MS || now < last;
            if due && LAST_REPORT_MS.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                tracing::error!(%error, "a partition's log can't do its work");
            }
            ErrorCode::KafkaStorageError
        }
    }
}
