//! A bound on the bytes of large frames that all connections together hold.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits are counted in units of this many bytes, so that 32 bits of them are plenty.
const UNIT_BYTES: usize = 1024;

/// A shared amount of memory. Frames up to `free_bytes` need no permit: the number of connections bounds
/// them.
pub(crate) struct FrameMemory {
    units: Arc<Semaphore>,
    total_units: u32,
    free_bytes: usize,
}

/// The right to hold one large frame, until its request is answered.
pub(crate) type FramePermit = OwnedSemaphorePermit;

impl FrameMemory {
    pub(crate) fn new(total_bytes: usize, free_bytes: usize) -> Self {
        let total_units = u32::try_from((total_bytes / UNIT_BYTES).max(1)).unwrap_or(u32::MAX);
        let permits = usize::try_from(total_units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(permits)), total_units, free_bytes }
    }

    /// Whether a frame of this length has to ask.
    pub(crate) const fn is_free(&self, frame_bytes: usize) -> bool {
        frame_bytes <= self.free_bytes
    }

    /// Takes the memory now or not at all.
    pub(crate) fn try_take(&self, frame_bytes: usize) -> Option<FramePermit> {
        Arc::clone(&self.units).try_acquire_many_owned(self.units_of(frame_bytes)).ok()
    }

    /// Takes the memory as soon as it is free, in the order of asking. `None` can't happen while the gate is
    /// open.
    pub(crate) fn take(
        &self,
        frame_bytes: usize,
    ) -> impl Future<Output = Option<FramePermit>> + Send + use<> {
        let (units, wanted) = (Arc::clone(&self.units), self.units_of(frame_bytes));
        async move { units.acquire_many_owned(wanted).await.ok() }
    }

    // A frame larger than everything there is takes everything: it waits to be alone.
    fn units_of(&self, frame_bytes: usize) -> u32 {
        u32::try_from(frame_bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(self.total_units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_are_free_and_large_ones_share() {
        let memory = FrameMemory::new(100 * 1024, 1024);
        assert!(memory.is_free(1024) && !memory.is_free(1025));
        let first = memory.try_take(60 * 1024).unwrap();
        assert!(memory.try_take(60 * 1024).is_none());
        drop(first);
        assert!(memory.try_take(60 * 1024).is_some());
    }

    #[test]
    fn a_frame_larger_than_the_whole_takes_the_whole() {
        let memory = FrameMemory::new(10 * 1024, 0);
        let all = memory.try_take(1 << 30).unwrap();
        assert!(memory.try_take(1).is_none());
        drop(all);
        assert!(memory.try_take(1).is_some());
    }
}
