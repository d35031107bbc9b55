//! Where lines go.

use std::io;

use crate::event::Event;

/// Takes whole lines. The real one writes files; a test puts in one that fails.
pub trait Sink: Send {
    /// Appends `lines`, whole lines with their newlines, all of them or none.
    ///
    /// # Errors
    /// Nothing was appended.
    fn append(&mut self, lines: &[u8]) -> io::Result<()>;

    /// Returns when everything appended is on disk.
    ///
    /// # Errors
    /// What was appended since the last success may or may not be on disk. The caller appends it again, and
    /// the sink must then not rely on what it wrote before (fsync reports a lost page once only).
    fn sync(&mut self) -> io::Result<()>;

    /// What the sink itself has to report, such as a file deleted by retention.
    fn take_events(&mut self) -> Vec<Event> {
        Vec::new()
    }
}
