//! Room that a thread uses again and again, so that neither an append nor a read has to ask for memory.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// A larger buffer goes back to the system after use.
const MAX_KEPT_BYTES: usize = 1024 * 1024;

thread_local! {
    static SEALING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static READING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `with` on `length` bytes that hold anything.
pub(crate) fn with_sealing<T>(length: usize, with: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = SEALING.take();
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    let result = with(&mut buffer[..length]);
    if buffer.len() <= MAX_KEPT_BYTES {
        SEALING.set(buffer);
    }
    result
}

/// An empty buffer for what is read from a file.
pub(crate) struct Reading(Vec<u8>);

impl Reading {
    pub(crate) fn take() -> Self {
        let mut buffer = READING.take();
        buffer.clear();
        Self(buffer)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if self.0.capacity() <= MAX_KEPT_BYTES {
            READING.set(std::mem::take(&mut self.0));
        }
    }
}

impl Deref for Reading {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}
