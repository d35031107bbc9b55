//! Reading back: which events, from which files.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use time::{Duration, OffsetDateTime};

use crate::cloud_event::CloudEvent;
use crate::error::AuditError;
use crate::event::EventKind;
use crate::lines::{Line, Lines};
use crate::name::FileName;

/// How far an event's time may lie outside the times that file names give, without its file being skipped:
/// events wait in a queue, and clocks are set.
const FILE_TIME_SLACK: Duration = Duration::minutes(5);

/// Allowed or denied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecisionFilter {
    /// Allowed, or authenticated.
    Allowed,
    /// Denied, failed to authenticate, or turned away.
    Denied,
}

/// Which events are wanted; a field that is `None` asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// `User:alice`, or `alice`.
    pub principal: Option<String>,
    /// An operation such as `Write`, or a method such as `kafka.Produce` or `Produce`; case is ignored.
    pub operation: Option<String>,
    /// The name of a resource, or with its type, `topic=orders`.
    pub resource: Option<String>,
    /// Allowed or denied.
    pub decision: Option<DecisionFilter>,
    /// What sort of event.
    pub kind: Option<EventKind>,
    /// Not before this time.
    pub since: Option<OffsetDateTime>,
    /// Before this time.
    pub until: Option<OffsetDateTime>,
}

impl Query {
    /// Whether an event is wanted.
    #[must_use]
    pub fn matches(&self, event: &CloudEvent) -> bool {
        fn wanted<T>(wish: Option<&T>, is: impl FnOnce(&T) -> bool) -> bool {
            wish.is_none_or(is)
        }
        let decided =
            |decision: &DecisionFilter| event.allowed() == Some(matches!(decision, DecisionFilter::Allowed));
        wanted(self.since.as_ref(), |since| event.time >= *since)
            && wanted(self.until.as_ref(), |until| event.time < *until)
            && wanted(self.kind.as_ref(), |kind| event.kind() == Some(*kind))
            && wanted(self.decision.as_ref(), decided)
            && wanted(self.principal.as_ref(), |name| is_principal(event, name))
            && wanted(self.operation.as_ref(), |name| is_operation(event, name))
            && wanted(self.resource.as_ref(), |name| is_resource(event, name))
    }

    /// Whether a file can hold wanted events, by its name and that of the next one.
    fn may_be_in(&self, file: FileName, next: Option<FileName>) -> bool {
        let too_old = |since: OffsetDateTime| {
            next.is_some_and(|next| next.begun().saturating_add(FILE_TIME_SLACK) < since)
        };
        let too_new = |until: OffsetDateTime| file.begun().saturating_sub(FILE_TIME_SLACK) > until;
        !self.since.is_some_and(too_old) && !self.until.is_some_and(too_new)
    }
}

fn is_principal(event: &CloudEvent, name: &str) -> bool {
    event.principal().is_some_and(|principal| {
        principal == name || principal.strip_prefix("User:").is_some_and(|user| user == name)
    })
}

fn is_operation(event: &CloudEvent, name: &str) -> bool {
    let method = event.data.method_name.as_str();
    let operation = event.data.authorization_info.as_ref().and_then(|info| info.operation.as_deref());
    // Kafka writes DESCRIBE_CONFIGS in tools and DescribeConfigs in ACLs.
    let plain = |text: &str| text.replace('_', "").to_lowercase();
    let name = plain(name);
    operation.is_some_and(|operation| plain(operation) == name)
        || plain(method) == name
        || method.rsplit_once('.').is_some_and(|(_, last)| plain(last) == name)
}

fn is_resource(event: &CloudEvent, name: &str) -> bool {
    let bare = event.data.authorization_info.as_ref().and_then(|info| info.resource_name.as_deref());
    event.data.resource_name.as_deref() == Some(name) || bare == Some(name)
}

/// One event found, and its line as it is in the file.
#[derive(Clone, Debug)]
pub struct Record {
    /// The line, without its newline.
    pub line: String,
    /// The event.
    pub event: CloudEvent,
}

impl Record {
    /// Reads a line; `None` if it is no event.
    pub(crate) fn parse(line: String) -> Option<Self> {
        let event = serde_json::from_str(&line).ok()?;
        Some(Self { line, event })
    }
}

/// What [`query`] yields, oldest first. One line is in memory at a time.
#[derive(Debug)]
pub struct Matches {
    query: Query,
    files: VecDeque<PathBuf>,
    lines: Option<(PathBuf, Lines)>,
    skipped: u64,
}

impl Matches {
    /// How many lines so far could not be read, such as a last line that a crash tore.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn step(&mut self) -> Result<Option<Record>, AuditError> {
        loop {
            let Some((path, lines)) = &mut self.lines else {
                let Some(path) = self.files.pop_front() else { return Ok(None) };
                match File::open(&path).and_then(|file| Lines::new(file, 0)) {
                    Ok(lines) => self.lines = Some((path, lines)),
                    // Deleted by retention since the directory was listed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(AuditError::file(path, error)),
                }
                continue;
            };
            let line = lines.next();
            match line.map_err(|error| AuditError::file(path.as_path(), error)) {
                Ok(Some(Line::Whole(line))) => match Record::parse(line) {
                    Some(record) if self.query.matches(&record.event) => return Ok(Some(record)),
                    Some(_) => {}
                    None => self.skipped += 1,
                },
                Ok(Some(Line::Unreadable)) => self.skipped += 1,
                Ok(Some(Line::Torn)) => {
                    self.skipped += 1;
                    self.lines = None;
                }
                Ok(None) => self.lines = None,
                Err(error) => {
                    // The next call goes on with the next file.
                    self.lines = None;
                    return Err(error);
                }
            }
        }
    }
}

impl Iterator for Matches {
    type Item = Result<Record, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// Reads the files of a directory for the events wanted, oldest first, one line at a time. Files that by
/// their names lie outside the time wanted are not opened. An error about one file is yielded, and reading
/// goes on with the next. Blocks on the disk.
///
/// # Errors
/// The directory can't be listed.
pub fn query(directory: &Path, query: &Query) -> Result<Matches, AuditError> {
    let names = FileName::list(directory)?;
    let files = names
        .iter()
        .enumerate()
        .filter(|(at, name)| query.may_be_in(**name, names.get(at + 1).copied()))
        .map(|(_, name)| directory.join(name.to_string()))
        .collect();
    Ok(Matches { query: query.clone(), files, lines: None, skipped: 0 })
}
