//! Reading partitions for a fetch, and waiting for more than there is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select_all;
use schloss_wire::messages::fetch_response::{AbortedTransaction, PartitionData};
use schloss_wire::{ErrorCode, build};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::leader_epoch::check_leader_epoch;
use crate::partition::{LEADER_EPOCH, Partition};
use crate::producers::Aborted;
use crate::reading::{Budget, Reading};
use crate::reply::on_disk;

/// Partitions that are read for one answer without another thread, at most: reading more holds up other connections.
const MAX_READS_AT_ONCE: usize = 4;

/// What a consumer wants of one partition.
pub(crate) struct PartitionFetch {
    pub(crate) index: i32,
    /// The partition, or the error that its entry gets.
    pub(crate) partition: Result<Arc<Partition>, ErrorCode>,
    pub(crate) offset: i64,
    /// Most bytes of it, except that the first batch of an answer is always whole.
    pub(crate) max_bytes: usize,
    /// The epoch the client believes in.
    pub(crate) leader_epoch: i32,
    /// The epoch of the last batch the client has; -1 if it doesn't say.
    pub(crate) last_fetched_epoch: i32,
}

/// What a consumer wants in one fetch.
pub(crate) struct LongPoll {
    pub(crate) partitions: Vec<PartitionFetch>,
    /// Most bytes of all partitions together.
    pub(crate) max_bytes: usize,
    /// The answer waits for this many bytes ...
    pub(crate) min_bytes: usize,
    /// ... but no longer than this.
    pub(crate) max_wait: Duration,
    /// Whether the consumer wants nothing of transactions that are open, and to be told which were aborted.
    pub(crate) read_committed: bool,
}

/// Answers for each partition, in the order asked: at once if there is enough to read, if an entry is an
/// error or if nothing was asked, else when there is enough or the wait is over.
pub(crate) async fn long_poll(poll: LongPoll) -> Vec<PartitionData> {
    let deadline = Instant::now() + poll.max_wait;
    let poll = Arc::new(poll);
    let mut watched: Vec<watch::Receiver<i64>> = Vec::new();
    loop {
        let answers = read_all(&poll).await;
        let bytes: usize = answers.iter().map(record_bytes).sum();
        let failed = answers.iter().any(|answer| answer.error_code != 0);
        if answers.is_empty() || failed || bytes >= poll.min_bytes || Instant::now() >= deadline {
            return answers;
        }
        if watched.is_empty() {
            let partitions = poll.partitions.iter().flat_map(|fetch| &fetch.partition);
            watched = partitions.map(|partition| partition.log.changed()).collect();
        }
        // Something may have come between the read and the watch, or while the answers were looked at.
        let mut missed = false;
        for (receiver, answer) in watched.iter_mut().zip(&answers) {
            missed |= *receiver.borrow_and_update() != answer.high_watermark;
        }
        if !missed {
            let changes = select_all(watched.iter_mut().map(|receiver| Box::pin(receiver.changed())));
            if timeout_at(deadline, changes).await.is_err() {
                return answers;
            }
        }
    }
}

/// Reads every partition, off the async threads where that can take time.
async fn read_all(poll: &Arc<LongPoll>) -> Vec<PartitionData> {
    if let Some(answers) = poll.read_without_waiting() {
        return answers;
    }
    let reader = Arc::clone(poll);
    match on_disk(move || reader.read()).await {
        Ok(answers) => answers,
        Err(code) => poll.partitions.iter().map(|fetch| error(fetch.index, code)).collect(),
    }
}

impl LongPoll {
    fn read(&self) -> Vec<PartitionData> {
        let mut budget = Budget::new(self.max_bytes);
        let read = |fetch: &PartitionFetch| {
            let reading = fetch.partition().and_then(|partition| {
                partition.read(fetch.offset, fetch.max_bytes, &budget, self.read_committed)
            });
            fetch.answer(reading, &mut budget)
        };
        self.partitions.iter().map(read).collect()
    }

    /// The same if there is little to read, and all of it in memory; else `None`.
    fn read_without_waiting(&self) -> Option<Vec<PartitionData>> {
        let has_more = |fetch: &&PartitionFetch| {
            let partition = fetch.partition.as_ref();
            partition.is_ok_and(|partition| fetch.offset < partition.readable_to(self.read_committed))
        };
        if self.partitions.iter().filter(has_more).nth(MAX_READS_AT_ONCE).is_some() {
            return None;
        }
        let mut budget = Budget::new(self.max_bytes);
        let mut answers = Vec::with_capacity(self.partitions.len());
        for fetch in &self.partitions {
            let reading = fetch.partition().and_then(|partition| {
                partition.read_without_waiting(fetch.offset, fetch.max_bytes, &budget, self.read_committed)
            });
            answers.push(fetch.answer(reading.transpose()?, &mut budget));
        }
        Some(answers)
    }
}

impl PartitionFetch {
    /// The partition, if the consumer knows its place in it.
    fn partition(&self) -> Result<&Partition, ErrorCode> {
        let partition = self.partition.as_ref().map_err(|code| *code)?;
        check_leader_epoch(self.leader_epoch)?;
        if self.last_fetched_epoch > LEADER_EPOCH {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        Ok(partition)
    }

    /// The answer with what was read, which is taken out of `budget`.
    fn answer(&self, reading: Result<Reading, ErrorCode>, budget: &mut Budget) -> PartitionData {
        let reading = match reading {
            Ok(reading) => reading,
            Err(code) => return error(self.index, code),
        };
        budget.spend(reading.records.len());
        build!(PartitionData {
            partition_index: self.index,
            high_watermark: reading.high_watermark,
            last_stable_offset: reading.last_stable_offset,
            log_start_offset: reading.start_offset,
            aborted_transactions: reading.aborted.map(|all| all.iter().map(aborted).collect()),
            records: Some(reading.records),
        })
    }
}

fn aborted(one: &Aborted) -> AbortedTransaction {
    build!(AbortedTransaction { producer_id: one.producer_id, first_offset: one.first_offset })
}

fn error(partition_index: i32, code: ErrorCode) -> PartitionData {
    build!(PartitionData {
        partition_index,
        error_code: code.code(),
        high_watermark: -1,
        records: Some(Bytes::new()),
    })
}

fn record_bytes(answer: &PartitionData) -> usize {
    answer.records.as_ref().map_or(0, Bytes::len)
}
