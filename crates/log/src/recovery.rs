//! What opening a log found.

/// What was found and mended when a log was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Recovery {
    /// Bytes cut off: whatever followed the last whole batch of the part that was not flushed.
    pub truncated_bytes: u64,
    /// Segments removed because the log was cut before them. Their bytes are among `truncated_bytes`.
    pub removed_segments: usize,
    /// Indexes that were missing or damaged and made anew.
    pub rebuilt_indexes: usize,
    /// Bytes whose CRC was checked: what was not known to be on disk. 0 after a shutdown in good order.
    pub verified_bytes: u64,
    /// Segments in the log.
    pub segments: usize,
}
