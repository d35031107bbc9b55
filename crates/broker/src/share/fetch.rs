//! Fetching for a member, and waiting for records that it may have.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use schloss_wire::ErrorCode;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::acquire::{Acquisition, Wanted};
use super::session::MemberKey;
use super::store::{Inner, Shares};
use crate::reading::Budget;
use crate::reply::on_disk;
use crate::settings::ShareSettings;

/// What a member wants in one fetch.
pub(crate) struct ShareFetch {
    pub(crate) key: MemberKey,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) settings: ShareSettings,
    /// Most bytes of all partitions together.
    pub(crate) max_bytes: usize,
    /// Most records of all partitions together ...
    pub(crate) max_records: i64,
    /// ... to the record, and not to the batch.
    pub(crate) exact: bool,
    /// The answer waits for records, but no longer than this.
    pub(crate) max_wait: Duration,
}

/// The answers for each partition, in the order asked.
type Answers = Vec<Result<Acquisition, ErrorCode>>;

impl Shares {
    /// Gives a member records: at once if there are any, if an entry is an error or if nothing was asked,
    /// else when there are or the wait is over.
    pub(crate) async fn fetch(&self, fetch: ShareFetch) -> Answers {
        let ends = Instant::now() + fetch.max_wait;
        let partitions = fetch.wanted.iter().flat_map(|wanted| &wanted.partition);
        let mut logs: Vec<watch::Receiver<i64>> = partitions.map(|one| one.log.changed()).collect();
        let changed = self.inner.changed(&fetch.key);
        let fetch = Arc::new(fetch);
        loop {
            // What comes from here on wakes us.
            let given_back = changed.notified();
            tokio::pin!(given_back);
            given_back.as_mut().enable();
            logs.iter_mut().for_each(|log| drop(log.borrow_and_update()));
            let answers = self.inner.look(&fetch).await;
            let is_worth_it =
                |one: &Result<Acquisition, _>| one.as_ref().map_or(true, |one| !one.acquired.is_empty());
            if fetch.wanted.is_empty() || answers.iter().any(is_worth_it) || Instant::now() >= ends {
                return answers;
            }
            let next_lock = self.inner.next_deadline(&fetch).unwrap_or(ends);
            let appended = select_all(logs.iter_mut().map(|log| Box::pin(log.changed())));
            tokio::select! {
                () = given_back => {}
                _ = appended => {}
                () = sleep_until(ends.min(next_lock)) => {}
            }
        }
    }
}

impl Inner {
    /// What wakes those who wait for records of this member's group.
    fn changed(&self, key: &MemberKey) -> Arc<Notify> {
        let mut state = self.state.lock();
        Arc::clone(&state.groups.entry(Arc::clone(&key.0)).or_default().changed)
    }

    /// When the first lock ends that keeps records from this member.
    fn next_deadline(&self, fetch: &ShareFetch) -> Option<Instant> {
        let mut state = self.state.lock();
        let deadline =
            |wanted: &Wanted| state.with(&fetch.key.0, wanted.at, |share| share.next_deadline())?;
        fetch.wanted.iter().filter_map(deadline).min()
    }

    /// Takes what there is, off the async threads if it has to be read from the disk.
    async fn look(self: &Arc<Self>, fetch: &Arc<ShareFetch>) -> Answers {
        if !fetch.wanted.iter().any(|wanted| self.may_have(fetch, wanted)) {
            return fetch.wanted.iter().map(|_| Ok(Acquisition::default())).collect();
        }
        let (inner, reader) = (Arc::clone(self), Arc::clone(fetch));
        match on_disk(move || inner.acquire_all(&reader)).await {
            Ok(answers) => answers,
            Err(code) => fetch.wanted.iter().map(|_| Err(code)).collect(),
        }
    }

    fn acquire_all(&self, fetch: &ShareFetch) -> Answers {
        let mut budget = Budget::new(fetch.max_bytes);
        let mut left = fetch.max_records;
        let acquire = |wanted: &Wanted| {
            let acquisition = self.acquire(fetch, wanted, &mut budget, left)?;
            left -= acquisition.acquired.iter().map(|one| one.last - one.first + 1).sum::<i64>();
            Ok(acquisition)
        };
        fetch.wanted.iter().map(acquire).collect()
    }
}
