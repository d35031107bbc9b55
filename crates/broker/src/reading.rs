//! Reading a partition as consumers do: up to where they may, and with what they have to skip.

use bytes::Bytes;
use schloss_wire::ErrorCode;
use schloss_wire::records::BatchHeader;

use crate::log_errors::code_of;
use crate::partition::Partition;
use crate::producers::Aborted;

/// What a consumer gets of a partition at one moment.
pub(crate) struct Reading {
    pub(crate) start_offset: i64,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    /// Whole batches; the first may begin before the offset that was asked for.
    pub(crate) records: Bytes,
    /// The aborted transactions that the records may be of, if only committed ones are wanted.
    pub(crate) aborted: Option<Vec<Aborted>>,
}

/// How much may still be read for one answer.
pub(crate) struct Budget {
    left: usize,
    /// The first batch of an answer comes whole, however large: otherwise a consumer could be stuck.
    nothing_yet: bool,
}

impl Budget {
    pub(crate) const fn new(bytes: usize) -> Self {
        Self { left: bytes, nothing_yet: true }
    }

    /// Whether nothing more may be read.
    pub(crate) const fn is_spent(&self) -> bool {
        self.left == 0 && !self.nothing_yet
    }

    /// Takes what was read for the answer out of it.
    pub(crate) const fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.nothing_yet &= bytes == 0;
    }
}

impl Partition {
    /// Reads from `offset` on, at most `max_bytes` of it and no more than `budget` has left; what is read is
    /// not yet taken out of that.
    pub(crate) fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        budget: &Budget,
        committed_only: bool,
    ) -> Result<Reading, ErrorCode> {
        let view = self.view(offset, max_bytes, budget, committed_only)?;
        let records = match view.limit {
            Some(limit) => self.log.read(offset, limit, budget.nothing_yet),
            None => Ok(Bytes::new()),
        };
        Ok(self.reading(offset, view, records.map_err(|error| code_of(&error))?))
    }

    /// As [`read`](Self::read), where that takes next to no time; else `None`.
    pub(crate) fn read_without_waiting(
        &self,
        offset: i64,
        max_bytes: usize,
        budget: &Budget,
        committed_only: bool,
    ) -> Result<Option<Reading>, ErrorCode> {
        let view = self.view(offset, max_bytes, budget, committed_only)?;
        let records = match view.limit {
            Some(limit) => self.log.read_without_waiting(offset, limit, budget.nothing_yet),
            None => Ok(Some(Bytes::new())),
        };
        let records = records.map_err(|error| code_of(&error))?;
        Ok(records.map(|records| self.reading(offset, view, records)))
    }

    /// What may be read from `offset` on.
    fn view(
        &self,
        offset: i64,
        max_bytes: usize,
        budget: &Budget,
        committed_only: bool,
    ) -> Result<View, ErrorCode> {
        let log = &self.log;
        log.check().map_err(|error| code_of(&error))?;
        // Taken before the read: what comes in between shows as a change to whoever waits.
        let high_watermark = log.high_watermark();
        let last_stable_offset = self.last_stable_offset().min(high_watermark);
        let start_offset = log.start_offset();
        if offset < start_offset || offset > log.end_offset() {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let limit = max_bytes.min(budget.left);
        let readable_to = if committed_only { last_stable_offset } else { high_watermark };
        let any = offset < readable_to && (limit > 0 || budget.nothing_yet);
        let limit = any.then_some(limit);
        Ok(View { start_offset, high_watermark, last_stable_offset, committed_only, limit })
    }

    /// What a consumer gets of the batches that were read within a view.
    fn reading(&self, offset: i64, view: View, mut records: Bytes) -> Reading {
        let View { start_offset, high_watermark, last_stable_offset, .. } = view;
        let aborted = view.committed_only.then(|| {
            let end = cut_before(&mut records, last_stable_offset).unwrap_or(offset);
            self.aborted_within(offset, end)
        });
        Reading { start_offset, high_watermark, last_stable_offset, records, aborted }
    }
}

/// How far a consumer may read at one moment.
struct View {
    start_offset: i64,
    high_watermark: i64,
    last_stable_offset: i64,
    committed_only: bool,
    /// Most bytes; `None` if there is nothing to read.
    limit: Option<usize>,
}

/// Takes away the batches from offset `limit` on, where one begins. What is left ends before the offset that
/// is returned; nothing if nothing is left.
fn cut_before(records: &mut Bytes, limit: i64) -> Option<i64> {
    let (mut length, mut end) = (0, None);
    while let Some(header) = records.get(length..).and_then(|rest| BatchHeader::parse(rest).ok())
        && header.base_offset < limit
    {
        length += header.total_bytes;
        end = Some(header.last_offset() + 1);
    }
    records.truncate(length);
    end
}
