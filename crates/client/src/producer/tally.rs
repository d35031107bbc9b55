//! What became of the records, shared between the producer and its task.

use std::sync::{Mutex, PoisonError};

use super::batch::Batch;
use super::record::DeliveryReport;
use crate::error::ClientError;

#[derive(Default)]
pub(super) struct Tally(Mutex<DeliveryReport>);

impl Tally {
    pub(super) fn report(&self) -> DeliveryReport {
        self.lock().clone()
    }

    /// The first failure, if there was one.
    pub(super) fn failure(&self) -> Option<ClientError> {
        self.lock().error.clone()
    }

    pub(super) fn delivered(&self, batch: &Batch) {
        let mut report = self.lock();
        report.delivered += u64::try_from(batch.count()).unwrap_or_default();
        report.delivered_bytes += batch.bytes() as u64;
    }

    pub(super) fn failed(&self, records: u64, error: &ClientError) {
        let mut report = self.lock();
        report.failed += records;
        report.error.get_or_insert_with(|| error.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, DeliveryReport> {
        // The numbers stay true even if a panic came in between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
