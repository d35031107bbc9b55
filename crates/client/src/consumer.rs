//! Reading records.

mod record;

use std::time::Duration;

pub use record::{ConsumedRecord, ConsumerOptions, StartAt};

use crate::cluster::Cluster;
use crate::error::ClientError;

/// Reads records of topics, alone or as a member of a group.
pub struct Consumer {
    _cluster: Cluster,
}

impl Consumer {
    /// Reads all partitions of these topics, without a group.
    ///
    /// # Errors
    /// A topic does not exist or is not readable.
    pub async fn assign(
        cluster: Cluster,
        _topics: &[String],
        _options: ConsumerOptions,
    ) -> Result<Self, ClientError> {
        Ok(Self { _cluster: cluster })
    }

    /// Joins a group that shares the partitions of these topics. The group is entered at the first poll.
    ///
    /// # Errors
    /// A topic does not exist or is not readable, or the group is not.
    pub async fn subscribe(
        cluster: Cluster,
        _group: &str,
        _topics: &[String],
        _options: ConsumerOptions,
    ) -> Result<Self, ClientError> {
        Ok(Self { _cluster: cluster })
    }

    /// Returns at least one and at most `max_records` records, or none after `wait`.
    ///
    /// # Errors
    /// Not authorized, a record that can't be decoded, or the cluster can't be reached.
    pub async fn poll(
        &mut self,
        _wait: Duration,
        _max_records: usize,
    ) -> Result<Vec<ConsumedRecord>, ClientError> {
        Err(ClientError::Usage("not built yet".to_owned()))
    }

    /// Commits what polls have returned.
    ///
    /// # Errors
    /// There is no group, or the commit was refused.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        Err(ClientError::Usage("not built yet".to_owned()))
    }

    /// Commits if commits are automatic, and leaves the group.
    ///
    /// # Errors
    /// The commit was refused.
    pub async fn close(self) -> Result<(), ClientError> {
        Ok(())
    }
}
