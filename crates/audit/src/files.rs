//! The sink that writes files.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use crate::error::AuditError;
use crate::event::Event;
use crate::name::FileName;
use crate::sink::Sink;

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Appends to the newest file of a directory and begins a new one when it is full, gone or not to be trusted.
pub(crate) struct FileSink {
    directory: PathBuf,
    max_file_bytes: u64,
    max_files: usize,
    current: Option<Current>,
    last: Option<FileName>,
    /// Since when appending fails; lines that wait are as old as that.
    failing_since: Option<OffsetDateTime>,
    /// A flush failed, and none has succeeded since.
    flush_failed: bool,
    events: Vec<Event>,
}

struct Current {
    file: File,
    path: PathBuf,
    device_and_inode: (u64, u64),
    /// Everything up to here is whole lines.
    length: u64,
    /// Begun because a flush failed, and not flushed yet: it holds nothing that the writer does not hold too.
    on_probation: bool,
}

impl FileSink {
    pub(crate) fn open(
        directory: PathBuf,
        max_file_bytes: u64,
        max_files: usize,
    ) -> Result<Self, AuditError> {
        let wrap = |source| AuditError::file(&directory, source);
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&directory).map_err(wrap)?;
        if fs::metadata(&directory).map_err(wrap)?.mode() & 0o077 != 0 {
            fs::set_permissions(&directory, Permissions::from_mode(DIRECTORY_MODE)).map_err(wrap)?;
        }
        let last = FileName::list(&directory)?.pop();
        let mut sink = Self {
            directory,
            max_file_bytes,
            max_files,
            current: None,
            last,
            failing_since: None,
            flush_failed: false,
            events: Vec::new(),
        };
        if let Some(last) = last {
            let path = sink.directory.join(last.to_string());
            sink.reopen(&path).map_err(|source| AuditError::file(path, source))?;
        }
        // A directory that can't be written to shows at the start, not at the first event.
        let ready = sink.current().map(|_| ());
        ready.map_err(|source| AuditError::file(&sink.directory, source))?;
        Ok(sink)
    }

    /// Goes on with a file of an earlier run, unless it is full.
    fn reopen(&mut self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).open(path)?;
        let metadata = file.metadata()?;
        if metadata.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        }
        let mut length = metadata.len();
        if length > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                length += 1;
                self.events.push(Event::system("audit.TornLine").result("TORN").message(format!(
                    "the last line of {} was torn, by a crash or a power failure; it has been closed",
                    path.display()
                )));
            }
        }
        if length < self.max_file_bytes {
            self.current = Some(Current::new(file, path.to_owned(), length, false)?);
        }
        Ok(())
    }

    /// The file to append to; begins one if there is none.
    fn current(&mut self) -> io::Result<&mut Current> {
        if let Some(how) = self.current.as_ref().and_then(Current::changed)
            && let Some(current) = self.current.take()
        {
            self.events.push(
                Event::system("audit.FileChanged")
                    .result("CHANGED")
                    .message(format!("{} was {how} by somebody else", current.path.display())),
            );
        }
        let current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        Ok(self.current.insert(current))
    }

    fn begin(&mut self) -> io::Result<Current> {
        let now = OffsetDateTime::now_utc();
        let name = FileName::following(self.last, self.failing_since.map_or(now, |since| since.min(now)));
        let path = self.directory.join(name.to_string());
        let file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(&path)?;
        self.last = Some(name);
        let current = Current::new(file, path, 0, self.flush_failed)?;
        sync_directory(&self.directory)?;
        self.retain();
        Ok(current)
    }

    /// Deletes the oldest files beyond the number to keep. What can't be deleted stays for the next time.
    fn retain(&mut self) {
        if self.max_files == 0 {
            return;
        }
        let names = match FileName::list(&self.directory) {
            Ok(names) => names,
            Err(error) => {
                tracing::warn!(%error, "audit files can't be listed, so none is deleted");
                return;
            }
        };
        for name in names.iter().take(names.len().saturating_sub(self.max_files)) {
            let path = self.directory.join(name.to_string());
            match fs::remove_file(&path) {
                Ok(()) => self.events.push(
                    Event::system("audit.FileDeleted")
                        .message(format!("{} was deleted: {} files are kept", path.display(), self.max_files))
                        .change(serde_json::json!({ "deleted": name.to_string() })),
                ),
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "an old audit file can't be deleted");
                }
            }
        }
    }

    fn try_append(&mut self, lines: &[u8]) -> io::Result<()> {
        let max_file_bytes = self.max_file_bytes;
        let current = self.current()?;
        let after = current.length.saturating_add(lines.len() as u64);
        if current.length > 0 && after > max_file_bytes {
            self.try_sync()?;
            self.current = None;
        }
        let current = self.current()?;
        if let Err(error) = current.file.write_all(lines) {
            if current.file.set_len(current.length).is_err() {
                // Half a line stays; nothing must be appended to it.
                self.current = None;
            }
            return Err(error);
        }
        current.length += lines.len() as u64;
        Ok(())
    }

    fn try_sync(&mut self) -> io::Result<()> {
        let current = self.current()?;
        if let Err(error) = current.file.sync_data() {
            // What is on disk is not known, and a second fsync would not tell (the kernel reports a page that
            // it failed to write once only). The lines go to a new file; one new file per failure, not per try.
            if current.on_probation && current.file.set_len(0).is_ok() {
                current.length = 0;
            } else {
                self.current = None;
            }
            self.flush_failed = true;
            return Err(error);
        }
        current.on_probation = false;
        self.flush_failed = false;
        Ok(())
    }

    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        match &result {
            Ok(_) => self.failing_since = None,
            Err(_) => {
                self.failing_since.get_or_insert_with(OffsetDateTime::now_utc);
            }
        }
        result
    }
}

impl Sink for FileSink {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let result = self.try_append(lines);
        self.note(result)
    }

    fn sync(&mut self) -> io::Result<()> {
        let result = self.try_sync();
        self.note(result)
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Current {
    fn new(file: File, path: PathBuf, length: u64, on_probation: bool) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { file, path, device_and_inode: (metadata.dev(), metadata.ino()), length, on_probation })
    }

    /// What somebody else did to the file, if anything. A file that was unlinked can be written to without an
    /// error, so looking is the only way to know.
    fn changed(&self) -> Option<&'static str> {
        match fs::symlink_metadata(&self.path) {
            Err(_) => Some("removed"),
            Ok(now) if (now.dev(), now.ino()) != self.device_and_inode => Some("replaced"),
            Ok(now) if now.len() != self.length => Some("changed"),
            Ok(_) => None,
        }
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
