//! Following what is being written.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::AuditError;
use crate::lines::{Line, Lines};
use crate::name::FileName;
use crate::query::{Query, Record};

/// How often [`Tail::next`] looks for something new.
pub const TAIL_INTERVAL: Duration = Duration::from_millis(200);
/// How many lines one [`Tail::poll`] reads at most.
const POLL_LINES_MAX: usize = 4096;

/// Follows the events wanted, also into the next file when the current one is full. It looks again and again
/// rather than being told: what is written shows after at most [`TAIL_INTERVAL`].
#[derive(Debug)]
pub struct Tail {
    directory: PathBuf,
    query: Query,
    /// The file being read, and where its next line begins.
    place: Option<(FileName, u64)>,
    ready: VecDeque<Record>,
    skipped: u64,
}

impl Tail {
    /// Follows from the end of what is there now.
    ///
    /// # Errors
    /// The directory can't be listed, or its newest file can't be read.
    pub fn from_end(directory: impl Into<PathBuf>, query: Query) -> Result<Self, AuditError> {
        let mut tail = Self::from_start(directory, query)?;
        if let Some(last) = FileName::list(&tail.directory)?.pop() {
            let path = tail.directory.join(last.to_string());
            let length = std::fs::metadata(&path).map_err(|error| AuditError::file(path, error))?.len();
            tail.place = Some((last, length));
        }
        Ok(tail)
    }

    /// Follows from the oldest event.
    ///
    /// # Errors
    /// The directory can't be listed.
    pub fn from_start(directory: impl Into<PathBuf>, query: Query) -> Result<Self, AuditError> {
        let directory = directory.into();
        let place = FileName::list(&directory)?.first().map(|first| (*first, 0));
        Ok(Self { directory, query, place, ready: VecDeque::new(), skipped: 0 })
    }

    /// What came since the last call; empty if nothing did. Never waits for an event, only for the disk.
    ///
    /// # Errors
    /// A file can't be read. The next call tries again.
    pub fn poll(&mut self) -> Result<Vec<Record>, AuditError> {
        self.read()?;
        Ok(self.ready.drain(..).collect())
    }

    /// The next event; waits for it. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A file can't be read.
    pub async fn next(&mut self) -> Result<Record, AuditError> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Ok(record);
            }
            self.read()?;
            if self.ready.is_empty() {
                tokio::time::sleep(TAIL_INTERVAL).await;
            }
        }
    }

    /// How many lines so far could not be read.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn read(&mut self) -> Result<(), AuditError> {
        let mut budget = POLL_LINES_MAX;
        loop {
            // Listed before it is read to its end: if there is a newer file then, this one is complete.
            let names = FileName::list(&self.directory)?;
            let Some((name, offset)) = self.place.or_else(|| names.first().map(|first| (*first, 0))) else {
                return Ok(());
            };
            let offset = self.read_file(name, offset, &mut budget)?;
            self.place = Some((name, offset));
            let next = names.into_iter().find(|other| *other > name);
            match next {
                Some(next) if budget > 0 => self.place = Some((next, 0)),
                _ => return Ok(()),
            }
        }
    }

    /// Reads whole lines from `offset` on and returns where the next one begins.
    fn read_file(&mut self, name: FileName, offset: u64, budget: &mut usize) -> Result<u64, AuditError> {
        let path = self.directory.join(name.to_string());
        let wrap = |error| AuditError::file(path.as_path(), error);
        let file = match File::open(&path) {
            Ok(file) => file,
            // Deleted by retention while we were behind.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(offset),
            Err(error) => return Err(wrap(error)),
        };
        // A write that failed half-way is taken back, and we may have begun to follow right behind it.
        let offset = offset.min(file.metadata().map_err(wrap)?.len());
        let mut lines = Lines::new(file, offset).map_err(wrap)?;
        while *budget > 0 {
            match lines.next().map_err(wrap)? {
                None | Some(Line::Torn) => break,
                Some(Line::Unreadable) => self.skipped += 1,
                Some(Line::Whole(line)) => match Record::parse(line) {
                    Some(record) if self.query.matches(&record.event) => self.ready.push_back(record),
                    Some(_) => {}
                    None => self.skipped += 1,
                },
            }
            *budget -= 1;
        }
        Ok(lines.offset())
    }
}
