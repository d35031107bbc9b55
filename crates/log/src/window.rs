//! A file, read ahead.

use std::fs::File;
use std::io;

use crate::files::{read_at, read_without_waiting};
use crate::scratch::Reading;

/// The bytes of a file from one place on, up to an end.
pub(crate) struct Window<'a> {
    file: &'a File,
    end: u64,
    /// Read at once, if there are as many.
    ahead: usize,
    buffer: Reading,
    /// Where in the file the buffer begins.
    from: u64,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a File, end: u64, ahead: usize) -> Self {
        Self { file, end, ahead, buffer: Reading::take(), from: 0 }
    }

    /// All from `from` to `end`, if the system holds it in memory.
    pub(crate) fn in_memory(file: &'a File, from: u64, end: u64) -> Option<Self> {
        let length = usize::try_from(end.checked_sub(from)?).ok()?;
        let mut buffer = Reading::take();
        buffer.resize(length, 0);
        read_without_waiting(file, from, &mut buffer).then_some(Self { file, end, ahead: 0, buffer, from })
    }

    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// The `length` bytes at `at`; `None` if the end comes before.
    pub(crate) fn bytes(&mut self, at: u64, length: usize) -> io::Result<Option<&[u8]>> {
        let left = self.end.saturating_sub(at);
        if left < length as u64 {
            return Ok(None);
        }
        let ahead_of = at.checked_sub(self.from).and_then(|ahead| usize::try_from(ahead).ok());
        let mut start = match ahead_of {
            Some(start) if start <= self.buffer.len() => start,
            _ => self.buffer.len(),
        };
        if self.from + start as u64 != at {
            self.from = at;
            self.buffer.clear();
            start = 0;
        }
        if self.buffer.len() - start < length {
            // What is there of it already is not read again.
            self.buffer.drain(..start);
            self.from = at;
            start = 0;
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(length.max(self.ahead));
            let have = self.buffer.len();
            read_at(self.file, at + have as u64, wanted - have, &mut self.buffer)?;
        }
        Ok(self.buffer.get(start..start + length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_window_shows_what_the_file_holds_wherever_one_looks(
            looks in prop::collection::vec((0..1_100u64, 0..300usize), 1..30),
            ahead in 0..500usize,
            end in 0..1_000u64,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("file");
            let content: Vec<u8> = (0..1_000u32).flat_map(u32::to_be_bytes).take(1_000).collect();
            std::fs::write(&path, &content).unwrap();
            let file = File::open(&path).unwrap();
            let mut window = Window::new(&file, end, ahead);
            for (at, length) in looks {
                let from = usize::try_from(at).unwrap();
                let due = content[..usize::try_from(end).unwrap()].get(from..from + length);
                let shown = window.bytes(at, length).unwrap();
                prop_assert_eq!(shown, due.or((length == 0).then_some(&[])));
            }
        }
    }
}
