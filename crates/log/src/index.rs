//! Where in a segment an offset or a time is to be found, roughly.

use schloss_keys::DATA_SEAL_BYTES;
use schloss_wire::records::{BATCH_HEADER_BYTES, BatchHeader};

use crate::header::FIRST_POSITION;

const MAGIC: &[u8; 8] = b"SCHLIDX2";
const HEAD_BYTES: usize = 8 + 16 + 8 + 8 + 8 + 8 + 4;
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
    /// That of the very file that it describes.
    segment_id: [u8; 16],
    entries: Vec<Entry>,
    /// What follows the last batch that was added.
    end: Place,
    /// Largest timestamp, in milliseconds.
    newest: Option<i64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Entry {
    relative_offset: u32,
    position: u32,
    /// Largest timestamp of all batches before this one: it only grows, so a time can be searched for.
    newest_before: i64,
}

impl Index {
    pub(crate) const fn new(base_offset: i64, segment_id: [u8; 16]) -> Self {
        Self {
            base_offset,
            segment_id,
            entries: Vec::new(),
            end: Place { position: FIRST_POSITION, offset: base_offset },
            newest: None,
        }
    }

    /// What follows the last batch.
    pub(crate) const fn end(&self) -> Place {
        self.end
    }

    /// Largest timestamp, in milliseconds.
    pub(crate) const fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// Adds the batch that follows the last one and takes `stored_bytes`.
    pub(crate) fn add(&mut self, header: &BatchHeader, stored_bytes: u64, interval: u32) {
        let position = self.end.position;
        let indexed = self.entries.last().map_or(FIRST_POSITION, |entry| u64::from(entry.position));
        // A segment is smaller than 4 GiB and spans fewer offsets than fit, so these never fail; a
        // batch without an entry would only be found more slowly.
        let relative = u32::try_from(header.base_offset - self.base_offset);
        if let (Ok(short), Ok(relative_offset), Some(newest_before)) =
            (u32::try_from(position), relative, self.newest)
            && position - indexed >= u64::from(interval)
        {
            self.entries.push(Entry { relative_offset, position: short, newest_before });
        }
        let time = header.max_timestamp;
        self.newest = self.newest.max(Some(time));
        self.end =
            Place { position: position + stored_bytes, offset: header.last_offset().saturating_add(1) };
    }

    /// Forgets what lies beyond `position`, and maybe a little before it.
    pub(crate) fn cut(&mut self, position: u64) {
        if self.end.position <= position {
            return;
        }
        let count = self.entries.partition_point(|entry| u64::from(entry.position) <= position);
        self.entries.truncate(count);
        // The last entry says all there is to know of what lies before it.
        match self.entries.pop() {
            Some(last) => {
                self.end = self.place(&last);
                self.newest = Some(last.newest_before);
            }
            None => *self = Self::new(self.base_offset, self.segment_id),
        }
    }

    /// A place at or before the batch that holds `offset`.
    pub(crate) fn before_offset(&self, offset: i64) -> Place {
        self.last(|entry| self.base_offset + i64::from(entry.relative_offset) <= offset)
    }

    /// A place at or before the first batch that has a timestamp of `timestamp` or later.
    pub(crate) fn before_time(&self, timestamp: i64) -> Place {
        self.last(|entry| entry.newest_before < timestamp)
    }

    fn last(&self, holds: impl Fn(&Entry) -> bool) -> Place {
        let count = self.entries.partition_point(holds);
        match self.entries[..count].last() {
            Some(entry) => self.place(entry),
            None => Place { position: FIRST_POSITION, offset: self.base_offset },
        }
    }

    fn place(&self, entry: &Entry) -> Place {
        Place {
            position: u64::from(entry.position),
            offset: self.base_offset + i64::from(entry.relative_offset),
        }
    }

    /// The content of an index file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.entries.len() * ENTRY_BYTES + CRC_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.segment_id);
        bytes.extend_from_slice(&self.base_offset.to_be_bytes());
        bytes.extend_from_slice(&self.end.position.to_be_bytes());
        bytes.extend_from_slice(&self.end.offset.to_be_bytes());
        bytes.extend_from_slice(&self.newest.unwrap_or(NO_TIMESTAMP).to_be_bytes());
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
    pub(crate) fn decode(
        bytes: &[u8],
        base_offset: i64,
        segment_id: [u8; 16],
        segment_bytes: u64,
    ) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
        if u32::from_be_bytes(*crc) != crc32c::crc32c(content) {
            return None;
        }
        let mut fields = Fields(content);
        let magic: [u8; 8] = fields.take()?;
        let id: [u8; 16] = fields.take()?;
        let base = i64::from_be_bytes(fields.take()?);
        let end = Place {
            position: u64::from_be_bytes(fields.take()?),
            offset: i64::from_be_bytes(fields.take()?),
        };
        let newest = i64::from_be_bytes(fields.take()?);
        let count = usize::try_from(u32::from_be_bytes(fields.take()?)).ok()?;
        let fits = magic == *MAGIC
            && (base, id) == (base_offset, segment_id)
            && end.position >= FIRST_POSITION
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
        let newest = (end.position > FIRST_POSITION).then_some(newest);
        Some(Self { base_offset, segment_id, entries, end, newest })
    }

    /// Largest size of an index file for a segment of `segment_bytes`.
    pub(crate) const fn max_file_bytes(segment_bytes: u64) -> u64 {
        (HEAD_BYTES + CRC_BYTES + DATA_SEAL_BYTES) as u64
            + segment_bytes / BATCH_HEADER_BYTES as u64 * ENTRY_BYTES as u64
    }
}

/// What stands for the timestamp of an empty segment.
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

    const ID: [u8; 16] = [7; 16];

    fn index(timestamps: &[i64], interval: u32) -> (Index, Vec<Place>) {
        let mut index = Index::new(100, ID);
        let mut places = Vec::new();
        for timestamp in timestamps {
            let (mut header, _) = batch(2, 50, *timestamp);
            header.base_offset = index.end().offset;
            places.push(index.end());
            index.add(&header, header.total_bytes as u64 + 16, interval);
        }
        (index, places)
    }

    #[test]
    fn a_look_up_never_goes_beyond_what_is_sought() {
        for interval in [1, 300, 1_000_000] {
            let (index, places) = index(&[50, 10, 60, 60, 20, 90, 30, 100], interval);
            for (number, place) in places.iter().enumerate() {
                assert!(index.before_offset(place.offset + 1).position <= place.position);
                if interval == 1 && number > 0 {
                    assert_eq!(index.before_offset(place.offset), *place);
                }
            }
            assert!(index.before_time(55).position <= places[2].position);
            assert!(index.before_time(92).position <= places[7].position);
            assert_eq!(index.before_time(0).position, FIRST_POSITION);
            assert_eq!(index.newest(), Some(101));
        }
    }

    #[test]
    fn an_index_that_was_cut_is_one_of_the_front_of_the_segment() {
        let timestamps = [50, 10, 60, 60, 20, 90, 30, 100];
        for interval in [1, 300, 1_000_000] {
            let (whole, places) = index(&timestamps, interval);
            for place in &places {
                for position in [place.position, place.position + 1] {
                    let mut cut = whole.clone();
                    cut.cut(position);
                    assert!(cut.end().position <= position);
                    let kept = places.iter().position(|place| *place == cut.end()).unwrap();
                    assert_eq!(cut, index(&timestamps[..kept], interval).0);
                    assert!(interval > 1 || kept > 0 || place.position == FIRST_POSITION);
                }
            }
            let mut cut = whole.clone();
            cut.cut(whole.end().position);
            assert_eq!(cut, whole);
        }
    }

    #[test]
    fn an_index_comes_back_and_every_damage_to_it_shows() {
        let (index, _) = index(&[5, 90, 7, 10], 1);
        let bytes = index.encode();
        let size = index.end().position;
        assert_eq!(Index::decode(&bytes, 100, ID, size), Some(index.clone()));
        assert_eq!(Index::decode(&bytes, 101, ID, size), None);
        assert_eq!(Index::decode(&bytes, 100, [8; 16], size), None);
        assert_eq!(Index::decode(&bytes, 100, ID, size - 1), None);
        assert!(bytes.len() as u64 <= Index::max_file_bytes(size));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            assert_eq!(Index::decode(&flipped, 100, ID, size), None, "{at}");
            assert_eq!(Index::decode(&bytes[..at], 100, ID, size), None, "{at}");
        }
    }

    #[test]
    fn an_empty_index_comes_back() {
        let index = Index::new(9, ID);
        assert_eq!(Index::decode(&index.encode(), 9, ID, FIRST_POSITION), Some(index));
    }
}
