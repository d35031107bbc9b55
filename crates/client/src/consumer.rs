//! Reading records.

mod assignor;
mod commits;
mod decode;
mod fetch;
mod fetching;
mod heartbeat;
mod membership;
mod offsets;
mod record;
mod slot;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

pub use record::{ConsumedRecord, ConsumerOptions, StartAt};

use crate::cluster::{Cluster, RETRY_BACKOFF, TopicInfo};
use crate::connection::Connection;
use crate::error::ClientError;
use fetch::Landed;
use heartbeat::{Pulse, needs_rejoin};
use membership::Membership;
use slot::Slot;

/// Reads records of topics, alone or as a member of a group.
///
/// Delivery is at least once: a commit covers what polls have returned before it, so records that were returned
/// and not committed come again after a crash. Isolation is `read_uncommitted`.
pub struct Consumer {
    cluster: Cluster,
    options: ConsumerOptions,
    membership: Option<Membership>,
    slots: Vec<Slot>,
    /// Counts assignments, so that fetches of an earlier one are recognised.
    epoch: u64,
    buffer: VecDeque<ConsumedRecord>,
    connections: HashMap<i32, Connection>,
    fetches: JoinSet<Landed>,
    fetching: HashSet<i32>,
    /// Leaders are asked for again at this time.
    refresh_at: Option<Instant>,
    failing_since: Option<Instant>,
    /// Counts fetches, to let each partition be the first of a request in turn.
    turn: usize,
    next_commit: Option<Instant>,
}

impl Consumer {
    /// Reads all partitions of these topics, without a group. Where `options.start` says the end, that is the
    /// end at this call.
    ///
    /// # Errors
    /// A topic does not exist or is not readable.
    pub async fn assign(
        cluster: Cluster,
        topics: &[String],
        options: ConsumerOptions,
    ) -> Result<Self, ClientError> {
        let mut consumer = Self::new(cluster, options, None);
        for topic in topics {
            let info = consumer.cluster.fresh_topic(topic).await?;
            let name: Arc<str> = topic.as_str().into();
            consumer.slots.extend(
                info.partitions
                    .iter()
                    .map(|partition| Slot::new(Arc::clone(&name), partition.index, partition.leader)),
            );
        }
        consumer.find_offsets().await?;
        Ok(consumer)
    }

    /// Joins a group that shares the partitions of these topics. The group is entered at the first poll.
    ///
    /// # Errors
    /// A topic does not exist or is not readable.
    pub async fn subscribe(
        mut cluster: Cluster,
        group: &str,
        topics: &[String],
        options: ConsumerOptions,
    ) -> Result<Self, ClientError> {
        if group.is_empty() {
            return Err(ClientError::Usage("the group has no name; give one".to_owned()));
        }
        if let StartAt::Offset(_) = options.start {
            return Err(ClientError::Usage(
                "a group begins at its committed offsets, else at the beginning or the end".to_owned(),
            ));
        }
        for topic in topics {
            cluster.fresh_topic(topic).await?;
        }
        let membership = Membership::new(group.to_owned(), topics.to_vec());
        Ok(Self::new(cluster, options, Some(membership)))
    }

    fn new(cluster: Cluster, options: ConsumerOptions, membership: Option<Membership>) -> Self {
        Self {
            cluster,
            options,
            membership,
            slots: Vec::new(),
            epoch: 0,
            buffer: VecDeque::new(),
            connections: HashMap::new(),
            fetches: JoinSet::new(),
            fetching: HashSet::new(),
            refresh_at: None,
            failing_since: None,
            turn: 0,
            next_commit: None,
        }
    }

    /// Returns at least one and at most `max_records` records, or none after `wait`. Joining a group may take
    /// longer than `wait`. Dropping the future loses no record.
    ///
    /// # Errors
    /// Not authorized, a record that can't be decoded, or the cluster can't be reached for the time of a
    /// request.
    pub async fn poll(
        &mut self,
        wait: Duration,
        max_records: usize,
    ) -> Result<Vec<ConsumedRecord>, ClientError> {
        let deadline = Instant::now() + wait;
        loop {
            self.attend_group().await?;
            if self.refresh_at.is_some_and(|at| at <= Instant::now()) {
                self.refresh_leaders().await?;
            }
            self.find_offsets().await?;
            if !self.buffer.is_empty() {
                let records = self.take(max_records);
                if self.buffer.is_empty() {
                    self.start_fetches();
                }
                return Ok(records);
            }
            self.start_fetches();
            let wake = self.refresh_at.map_or(deadline, |at| at.min(deadline));
            let (fetches, membership) = (&mut self.fetches, self.membership.as_ref());
            tokio::select! {
                Some(landed) = fetches.join_next() => {
                    if let Ok(landed) = landed {
                        self.land(landed)?;
                    }
                }
                () = disturbed(membership) => {}
                () = sleep_until(wake) => {}
            }
            if self.buffer.is_empty() && Instant::now() >= deadline {
                return Ok(Vec::new());
            }
        }
    }

    /// The partitions that are read now, as topic and index.
    #[must_use]
    pub fn assignment(&self) -> Vec<(String, i32)> {
        self.slots.iter().map(|slot| (slot.topic.to_string(), slot.index)).collect()
    }

    /// Commits what polls have returned.
    ///
    /// # Errors
    /// There is no group, or the commit was refused: after a rebalance, others read on from the last commit.
    pub async fn commit(&mut self) -> Result<(), ClientError> {
        let Some(membership) = &mut self.membership else {
            return Err(ClientError::Usage("there is no group to commit to; subscribe with one".to_owned()));
        };
        let Some(credentials) = membership.credentials() else { return Ok(()) };
        let stored = commits::store(&mut self.cluster, &credentials, &mut self.slots).await;
        stored.map_err(|(code, error)| {
            membership.note(code);
            error
        })
    }

    /// Commits if commits are automatic, and leaves the group.
    ///
    /// # Errors
    /// The commit was refused.
    pub async fn close(mut self) -> Result<(), ClientError> {
        self.fetches.abort_all();
        let committed = match (&self.membership, self.options.auto_commit) {
            (Some(_), Some(_)) => self.commit().await,
            _ => Ok(()),
        };
        if let Some(membership) = self.membership.take()
            && let Err(error) = membership.leave().await
        {
            tracing::debug!(%error, "leaving the group");
        }
        committed
    }

    /// Hands out records and moves the positions behind them.
    fn take(&mut self, max_records: usize) -> Vec<ConsumedRecord> {
        let count = max_records.max(1).min(self.buffer.len());
        let records: Vec<ConsumedRecord> = self.buffer.drain(..count).collect();
        let mut last: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for record in &records {
            last.insert((&*record.topic, record.partition), record.offset);
        }
        for slot in &mut self.slots {
            if let Some(offset) = last.get(&(&*slot.topic, slot.index)) {
                slot.position = Some(offset + 1);
            }
        }
        records
    }

    /// Keeps the place in the group: joins again if the heart says so, commits when it is time.
    async fn attend_group(&mut self) -> Result<(), ClientError> {
        let Some(membership) = &self.membership else { return Ok(()) };
        match membership.pulse() {
            Pulse::Failed(error) => Err(error),
            Pulse::Rejoin => self.join().await,
            Pulse::Fine => match (self.options.auto_commit, self.next_commit) {
                (Some(every), Some(at)) if at <= Instant::now() => {
                    self.next_commit = Some(Instant::now() + every);
                    self.commit_if_still_member().await
                }
                _ => Ok(()),
            },
        }
    }

    async fn join(&mut self) -> Result<(), ClientError> {
        if self.options.auto_commit.is_some() {
            self.commit_if_still_member().await?;
        }
        self.epoch += 1;
        self.buffer.clear();
        self.slots.clear();
        let Some(membership) = &mut self.membership else { return Ok(()) };
        let assignment = membership.join(&mut self.cluster, &self.options).await?;
        tracing::debug!(group = membership.group(), ?assignment, "joined");
        for (topic, indexes) in assignment {
            let info = self.cluster.topic(&topic).await?;
            let name: Arc<str> = topic.as_str().into();
            self.slots.extend(
                indexes.into_iter().map(|index| Slot::new(Arc::clone(&name), index, leader(&info, index))),
            );
        }
        if let Some(credentials) = membership.credentials() {
            commits::restore(&mut self.cluster, &credentials, &mut self.slots).await?;
        }
        self.next_commit = self.options.auto_commit.map(|every| Instant::now() + every);
        Ok(())
    }

    /// Commits; that the group went on without us, or the coordinator moved, is no error here.
    async fn commit_if_still_member(&mut self) -> Result<(), ClientError> {
        match self.commit().await {
            Err(error)
                if error.is_retriable() || error.code().is_some_and(|code| needs_rejoin(code.code())) =>
            {
                tracing::warn!(%error, "offsets are not committed; records may be read again");
                Ok(())
            }
            other => other,
        }
    }

    async fn find_offsets(&mut self) -> Result<(), ClientError> {
        if self.slots.iter().all(|slot| slot.fetch_from.is_some()) {
            return Ok(());
        }
        if self.refresh_at.is_some() {
            return Ok(());
        }
        if offsets::look_up(&mut self.cluster, &mut self.slots, self.options.start).await? {
            self.refresh_at = Some(Instant::now() + RETRY_BACKOFF);
        }
        Ok(())
    }

    async fn refresh_leaders(&mut self) -> Result<(), ClientError> {
        self.refresh_at = None;
        let topics: HashSet<Arc<str>> = self.slots.iter().map(|slot| Arc::clone(&slot.topic)).collect();
        for topic in topics {
            match self.cluster.fresh_topic(&topic).await {
                Ok(info) => {
                    for slot in self.slots.iter_mut().filter(|slot| slot.topic == topic) {
                        slot.leader = leader(&info, slot.index);
                    }
                }
                Err(error) => self.bear(error)?,
            }
        }
        if self.slots.iter().any(|slot| slot.leader.is_none()) {
            self.refresh_at = Some(Instant::now() + RETRY_BACKOFF);
        }
        Ok(())
    }
}

fn leader(info: &TopicInfo, index: i32) -> Option<i32> {
    info.partitions.iter().find(|partition| partition.index == index)?.leader
}

/// Never ends without a group.
async fn disturbed(membership: Option<&Membership>) {
    match membership {
        Some(membership) => membership.disturbed().await,
        None => std::future::pending().await,
    }
}
