//! Where in a segment an offset or a time is to be found, roughly.

use schloss_wire::records::{BATCH_HEADER_BYTES, BatchHeader};

const MAGIC: &[u8; 8] = b"SCHLIDX1";
const HEAD_BYTES: usize = 8 + 8 + 8 + 8 + 8 + 4 + 4;
const ENTRY_BYTES: usize = 16;
const CRC_BYTES: usize = 4;

/// The place of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// Bytes from the front of the segment.
    pub(crate) position: u64,
    /// Offset of the batch that begins there.
    pub(crate) offset: i64,
}

/// A sparse index: one entry for about every `interval` bytes, of offset, position and time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Index {
    base_offset: i64,
    entries: Vec<Entry>,
    /// What follows the last batch that was added.
    end: Place,
    /// Largest timestamp (milliseconds) and the position of the first batch that has it.
    newest: Option<(i64, u32)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Entry {
    relative_offset: u32,
    position: u32,
    /// Largest timestamp of all batches before this one: it only grows, so a time can be searched for.
    newest_before: i64,
}

impl Index {
    pub(crate) const fn new(base_offset: i64) -> Self {
        Self {
            base_offset,
            entries: Vec::new(),
            end: Place { position: 0, offset: base_offset },
            newest: None,
        }
    }

    /// What follows the last batch.
    pub(crate) const fn end(&self) -> Place {
        self.end
    }

    /// Largest timestamp, in milliseconds, and the position of the first batch that has it.
    pub(crate) const fn newest(&self) -> Option<(i64, u64)> {
        match self.newest {
            Some((timestamp, position)) => Some((timestamp, position as u64)),
            None => None,
        }
    }

    /// Adds the batch that follows the last one.
    pub(crate) fn add(&mut self, header: &BatchHeader, interval: u32) {
        let place = Place { position: self.end.position, offset: header.base_offset };
        let indexed = self.entries.last().map_or(0, |entry| u64::from(entry.position));
        // A segment is smaller than 2 GiB and spans fewer offsets than fit, so these never fail; a
        // batch without an entry would only be found more slowly.
        let relative = u32::try_from(place.offset - self.base_offset);
        if let (Ok(position), Ok(relative_offset), Some((newest_before, _))) =
            (u32::try_from(place.position), relative, self.newest)
            && place.position - indexed >= u64::from(interval)
        {
            self.entries.push(Entry { relative_offset, position, newest_before });
        }
        if self.newest.is_none_or(|(newest, _)| header.max_timestamp > newest) {
            self.newest = u32::try_from(place.position).ok().map(|position| (header.max_timestamp, position));
        }
        self.end = Place {
            position: place.position + header.total_bytes as u64,
            offset: header.last_offset().saturating_add(1),
        };
    }

    /// A place at or before the batch that holds `offset`.
    pub(crate) fn before_offset(&self, offset: i64) -> Place {
        self.last(|entry| self.base_offset + i64::from(entry.relative_offset) <= offset)
    }

    /// A place at or before the first batch that has a timestamp of `timestamp` or later.
    pub(crate) fn before_time(&self, timestamp: i64) -> Place {
        self.last(|entry| entry.newest_before < timestamp)
    }

    /// The last place known to be the start of a batch at or before `position`.
    pub(crate) fn before_position(&self, position: u64) -> Place {
        if position >= self.end.position {
            return self.end;
        }
        self.last(|entry| u64::from(entry.position) <= position)
    }

    fn last(&self, holds: impl Fn(&Entry) -> bool) -> Place {
        let count = self.entries.partition_point(holds);
        match self.entries[..count].last() {
            Some(entry) => Place {
                position: u64::from(entry.position),
                offset: self.base_offset + i64::from(entry.relative_offset),
            },
            None => Place { position: 0, offset: self.base_offset },
        }
    }

    /// The content of an index file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.entries.len() * ENTRY_BYTES + CRC_BYTES);
        let (newest, newest_position) = self.newest.unwrap_or((NO_TIMESTAMP, 0));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.base_offset.to_be_bytes());
        bytes.extend_from_slice(&self.end.position.to_be_bytes());
        bytes.extend_from_slice(&self.end.offset.to_be_bytes());
        bytes.extend_from_slice(&newest.to_be_bytes());
        bytes.extend_from_slice(&newest_position.to_be_bytes());
        // An entry stands for a batch in a file of less than 2 GiB.
        bytes.extend_from_slice(&u32::try_from(self.entries.len()).unwrap_or(u32::MAX).to_be_bytes());
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.relative_offset.to_be_bytes());
            bytes.extend_from_slice(&entry.position.to_be_bytes());
            bytes.extend_from_slice(&entry.newest_before.to_be_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }

    /// Reads an index file for a segment of `segment_bytes`. `None` if it is damaged or another segment's.
    pub(crate) fn decode(bytes: &[u8], base_offset: i64, segment_bytes: u64) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
        if u32::from_be_bytes(*crc) != crc32c::crc32c(content) {
            return None;
        }
        let mut fields = Fields(content);
        let magic: [u8; 8] = fields.take()?;
        let base = i64::from_be_bytes(fields.take()?);
        let end = Place {
            position: u64::from_be_bytes(fields.take()?),
            offset: i64::from_be_bytes(fields.take()?),
        };
        let newest = i64::from_be_bytes(fields.take()?);
        let newest_position = u32::from_be_bytes(fields.take()?);
        let count = usize::try_from(u32::from_be_bytes(fields.take()?)).ok()?;
        let fits = magic == *MAGIC
            && base == base_offset
            && end.position <= segment_bytes
            && fields.0.len() == count.checked_mul(ENTRY_BYTES)?;
        if !fits {
            return None;
        }
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            entries.push(Entry {
                relative_offset: u32::from_be_bytes(fields.take()?),
                position: u32::from_be_bytes(fields.take()?),
                newest_before: i64::from_be_bytes(fields.take()?),
            });
        }
        let newest = (end.position > 0).then_some((newest, newest_position));
        Some(Self { base_offset, entries, end, newest })
    }

    /// Largest size of an index file for a segment of `segment_bytes`.
    pub(crate) const fn max_file_bytes(segment_bytes: u64) -> u64 {
        (HEAD_BYTES + CRC_BYTES) as u64 + segment_bytes / BATCH_HEADER_BYTES as u64 * ENTRY_BYTES as u64
    }
}

/// What stands for the newest timestamp of an empty segment.
const NO_TIMESTAMP: i64 = -1;

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::batch;

    fn index(timestamps: &[i64], interval: u32) -> (Index, Vec<Place>) {
        let mut index = Index::new(100);
        let mut places = Vec::new();
        for timestamp in timestamps {
            let (mut header, _) = batch(2, 50, *timestamp);
            header.base_offset = index.end().offset;
            places.push(index.end());
            index.add(&header, interval);
        }
        (index, places)
    }

    #[test]
    fn a_look_up_never_goes_beyond_what_is_sought() {
        for interval in [1, 300, 1_000_000] {
            let (index, places) = index(&[50, 10, 60, 60, 20, 90, 30, 100], interval);
            for (number, place) in places.iter().enumerate() {
                assert!(index.before_offset(place.offset + 1).position <= place.position);
                assert!(index.before_position(place.position).position <= place.position);
                if interval == 1 && number > 0 {
                    assert_eq!(index.before_offset(place.offset), *place);
                    assert_eq!(index.before_position(place.position + 5), *place);
                }
            }
            assert!(index.before_time(55).position <= places[2].position);
            assert!(index.before_time(92).position <= places[7].position);
            assert_eq!(index.before_time(0).position, 0);
            assert_eq!(index.newest(), Some((101, places[7].position)));
        }
    }

    #[test]
    fn the_newest_batch_is_the_first_that_has_the_largest_timestamp() {
        let (index, places) = index(&[5, 90, 90, 10], 1);
        assert_eq!(index.newest(), Some((91, places[1].position)));
    }

    #[test]
    fn an_index_comes_back_and_every_damage_to_it_shows() {
        let (index, _) = index(&[5, 90, 7, 10], 1);
        let bytes = index.encode();
        let size = index.end().position;
        assert_eq!(Index::decode(&bytes, 100, size), Some(index.clone()));
        assert_eq!(Index::decode(&bytes, 101, size), None);
        assert_eq!(Index::decode(&bytes, 100, size - 1), None);
        assert!(bytes.len() as u64 <= Index::max_file_bytes(size));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert_eq!(Index::decode(&flipped, 100, size), None, "{at}");
            assert_eq!(Index::decode(&bytes[..at], 100, size), None, "{at}");
        }
    }

    #[test]
    fn an_empty_index_comes_back() {
        let index = Index::new(9);
        assert_eq!(Index::decode(&index.encode(), 9, 0), Some(index));
    }
}
