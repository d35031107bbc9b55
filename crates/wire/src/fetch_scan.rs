//! A look at a Fetch response while its bytes pass by, in whatever pieces they come.
//!
//! A gateway passes a response on before it has all of it, and still has to know what went to whom. The scan
//! reads what stands around the records and the header of each batch, and keeps none of it.

use thiserror::Error;

use crate::records::{BATCH_HEADER_BYTES, BatchHeader};
use crate::{Api, LENGTH_PREFIX_BYTES, StrBytes, Uuid};

/// Longest topic name that is read, in bytes; Kafka's are 249 at most.
const MAX_NAME_BYTES: usize = 32 * 1024;
/// Bytes of an element that is not whole yet and is kept until more come.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// What one partition of the response holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScannedPartition {
    /// The partition's error, 0 for none.
    pub error_code: i16,
    /// Bytes of its records.
    pub bytes: u64,
    /// Records, as the batch headers count them.
    pub records: u64,
}

/// How the response names a topic: by name before version 13, by id from then on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ScannedTopic {
    /// The name.
    Name(StrBytes),
    /// The id.
    Id(Uuid),
}

/// Bytes that are no Fetch response of the version.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not a Fetch response: {0}")]
pub struct ScanError(&'static str);

/// The state of a scan. [`FetchScan::feed`] takes the frame from its length prefix on.
#[derive(Debug)]
pub struct FetchScan {
    version: i16,
    step: Step,
    kept: Vec<u8>,
    topics_left: u32,
    topic: ScannedTopic,
    partitions_left: u32,
    partition: ScannedPartition,
}

/// The element that comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Head,
    Topic,
    Partition,
    Aborted(u32),
    Tail,
    Batch { left: usize },
    Records { skip: usize, left: usize },
    PartitionTags,
    TopicTags,
    Tags,
    End,
}

/// Where an element ends is not known yet.
struct Incomplete;

impl FetchScan {
    /// A scan of a response in `version`: 4 or later, as all that Kafka 4 serves.
    #[must_use]
    pub fn new(version: i16) -> Self {
        Self {
            version,
            step: Step::Head,
            kept: Vec::new(),
            topics_left: 0,
            topic: ScannedTopic::Id(Uuid::ZERO),
            partitions_left: 0,
            partition: ScannedPartition { error_code: 0, bytes: 0, records: 0 },
        }
    }

    /// Whether the response was whole.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.step == Step::End
    }

    /// Takes the next bytes and tells of each partition that they complete.
    ///
    /// # Errors
    /// The bytes are no Fetch response. The scan can't go on.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        mut seen: impl FnMut(&ScannedTopic, ScannedPartition),
    ) -> Result<(), ScanError> {
        if self.kept.is_empty() {
            return self.advance(bytes, &mut seen);
        }
        let mut joined = std::mem::take(&mut self.kept);
        joined.extend_from_slice(bytes);
        self.advance(&joined, &mut seen)
    }

    fn advance(
        &mut self,
        mut bytes: &[u8],
        seen: &mut impl FnMut(&ScannedTopic, ScannedPartition),
    ) -> Result<(), ScanError> {
        while !bytes.is_empty() || self.needs_nothing() {
            if let Step::Records { skip, left } = self.step {
                let step = skip.min(bytes.len());
                bytes = &bytes[step..];
                self.step = match skip - step {
                    0 => Step::Batch { left: left - step },
                    skip => Step::Records { skip, left: left - step },
                };
                continue;
            }
            let mut input = Input { bytes, flexible: self.version >= 12 };
            match self.element(&mut input, seen)? {
                Ok(()) => bytes = input.bytes,
                Err(Incomplete) if bytes.len() > MAX_KEPT_BYTES => {
                    return Err(ScanError("an element without an end"));
                }
                Err(Incomplete) => {
                    self.kept.extend_from_slice(bytes);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether the next step takes no byte.
    const fn needs_nothing(&self) -> bool {
        match self.step {
            Step::Batch { left: 0 } | Step::Records { skip: 0, .. } => true,
            Step::PartitionTags | Step::TopicTags | Step::Tags => self.version < 12,
            _ => false,
        }
    }

    /// Reads one element whole, or nothing of it.
    fn element(
        &mut self,
        input: &mut Input<'_>,
        seen: &mut impl FnMut(&ScannedTopic, ScannedPartition),
    ) -> Result<Result<(), Incomplete>, ScanError> {
        let next = match self.step {
            Step::Head => self.head(input),
            Step::Topic => self.topic(input)?,
            Step::Partition => self.partition(input),
            Step::Aborted(left) => input.aborted().map(|()| Self::aborted_or_tail(left - 1)),
            Step::Tail => self.tail(input),
            Step::Batch { left } => self.batch(input, left)?,
            Step::Records { .. } => None,
            Step::PartitionTags => input.tags().map(|()| {
                seen(&self.topic, self.partition);
                self.partitions_left -= 1;
                if self.partitions_left == 0 { Step::TopicTags } else { Step::Partition }
            }),
            Step::TopicTags => input.tags().map(|()| {
                self.topics_left -= 1;
                if self.topics_left == 0 { Step::Tags } else { Step::Topic }
            }),
            Step::Tags => input.tags().map(|()| Step::End),
            Step::End => return Err(ScanError("bytes after its end")),
        };
        Ok(match next {
            Some(step) => {
                self.step = step;
                Ok(())
            }
            None => Err(Incomplete),
        })
    }

    fn head(&mut self, input: &mut Input<'_>) -> Option<Step> {
        let header = LENGTH_PREFIX_BYTES + Api::Fetch.response_header_bytes(self.version);
        let session = if self.version >= 7 { 2 + 4 } else { 0 };
        input.take(header + 4 + session)?;
        self.topics_left = input.count()?;
        Some(if self.topics_left == 0 { Step::Tags } else { Step::Topic })
    }

    fn topic(&mut self, input: &mut Input<'_>) -> Result<Option<Step>, ScanError> {
        let topic = if self.version >= 13 {
            input.take(16).and_then(|id| id.try_into().ok()).map(|id| ScannedTopic::Id(Uuid::from_bytes(id)))
        } else {
            match input.name() {
                Some(Ok(name)) => Some(ScannedTopic::Name(name)),
                Some(Err(error)) => return Err(error),
                None => None,
            }
        };
        let (Some(topic), Some(partitions)) = (topic, input.count()) else { return Ok(None) };
        self.topic = topic;
        self.partitions_left = partitions;
        Ok(Some(if partitions == 0 { Step::TopicTags } else { Step::Partition }))
    }

    fn partition(&mut self, input: &mut Input<'_>) -> Option<Step> {
        input.take(4)?;
        let error_code = i16::from_be_bytes(input.take(2)?.try_into().ok()?);
        input.take(8 + 8 + if self.version >= 5 { 8 } else { 0 })?;
        let aborted = input.count()?;
        self.partition = ScannedPartition { error_code, bytes: 0, records: 0 };
        Some(Self::aborted_or_tail(aborted))
    }

    const fn aborted_or_tail(left: u32) -> Step {
        if left == 0 { Step::Tail } else { Step::Aborted(left) }
    }

    fn tail(&mut self, input: &mut Input<'_>) -> Option<Step> {
        if self.version >= 11 {
            input.take(4)?;
        }
        let left = usize::try_from(input.count()?).ok()?;
        self.partition.bytes = left as u64;
        Some(Step::Batch { left })
    }

    fn batch(&mut self, input: &mut Input<'_>, left: usize) -> Result<Option<Step>, ScanError> {
        if left == 0 {
            return Ok(Some(Step::PartitionTags));
        }
        // The last batch may be cut short, as Kafka does when it reaches the limit in bytes.
        if left < BATCH_HEADER_BYTES {
            return Ok(Some(Step::Records { skip: left, left }));
        }
        if input.bytes.len() < BATCH_HEADER_BYTES {
            return Ok(None);
        }
        let skip = match BatchHeader::parse(input.bytes) {
            Ok(header) => {
                self.partition.records += u64::try_from(header.record_count).unwrap_or(0);
                header.total_bytes.min(left)
            }
            // An old format: its records are not counted, its bytes are.
            Err(_) => left,
        };
        Ok(Some(Step::Records { skip, left }))
    }
}

/// What is left of the bytes at hand. Every method takes a whole element or gives nothing.
struct Input<'a> {
    bytes: &'a [u8],
    flexible: bool,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    /// The length of an array or of bytes; null counts as none.
    fn count(&mut self) -> Option<u32> {
        if self.flexible {
            return self.varint().map(|one_more| one_more.saturating_sub(1));
        }
        let count = i32::from_be_bytes(self.take(4)?.try_into().ok()?);
        Some(u32::try_from(count).unwrap_or(0))
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in (0..32).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        Some(value)
    }

    fn name(&mut self) -> Option<Result<StrBytes, ScanError>> {
        let length = if self.flexible {
            usize::try_from(self.count()?).ok()?
        } else {
            usize::from(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
        };
        if length > MAX_NAME_BYTES {
            return Some(Err(ScanError("a topic name without an end")));
        }
        let name = std::str::from_utf8(self.take(length)?).map(StrBytes::from);
        Some(name.map_err(|_| ScanError("a topic name that is not UTF-8")))
    }

    fn aborted(&mut self) -> Option<()> {
        self.take(8 + 8)?;
        self.tags()
    }

    fn tags(&mut self) -> Option<()> {
        if !self.flexible {
            return Some(());
        }
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(usize::try_from(length).ok()?)?;
        }
        Some(())
    }
}

#[cfg(test)]
#[path = "fetch_scan_tests.rs"]
mod tests;
