//! Reading a file line by line, within a bound.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};

/// Longest line that is read, in bytes. What Schloss writes is shorter: its texts and its `change` are
/// bounded. A longer one is skipped.
pub(crate) const MAX_LINE_BYTES: usize = 512 * 1024;
const BUFFER_BYTES: usize = 64 * 1024;

pub(crate) enum Line {
    /// A whole line, without its newline.
    Whole(String),
    /// A line that is too long or is not UTF-8.
    Unreadable,
    /// The file ends without a newline: a line is being written, or was torn by a crash.
    Torn,
}

/// The lines of a file from a given place on.
#[derive(Debug)]
pub(crate) struct Lines {
    reader: BufReader<File>,
    /// Where the next line begins.
    offset: u64,
}

impl Lines {
    pub(crate) fn new(mut file: File, offset: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { reader: BufReader::with_capacity(BUFFER_BYTES, file), offset })
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let limit = MAX_LINE_BYTES as u64 + 1;
        self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut length = bytes.len() as u64;
        let mut whole = bytes.last() == Some(&b'\n');
        let too_long = !whole && length == limit;
        if too_long {
            let skipped;
            (skipped, whole) = self.skip_line()?;
            length += skipped;
        }
        if !whole {
            return Ok(Some(Line::Torn));
        }
        self.offset += length;
        bytes.pop();
        let line = if too_long { None } else { String::from_utf8(bytes).ok() };
        Ok(Some(line.map_or(Line::Unreadable, Line::Whole)))
    }

    /// Passes over the rest of a line: how many bytes, and whether its newline was found.
    fn skip_line(&mut self) -> io::Result<(u64, bool)> {
        let mut skipped = 0;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok((skipped, false));
            }
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let used = newline.map_or(buffer.len(), |at| at + 1);
            self.reader.consume(used);
            skipped += used as u64;
            if newline.is_some() {
                return Ok((skipped, true));
            }
        }
    }
}
