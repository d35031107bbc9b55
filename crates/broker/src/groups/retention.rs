//! Offsets that nobody has needed for long are forgotten (`offsets.retention.minutes`).
//!
//! In a group that nobody is in, an offset is kept for a while after the last member left and after its
//! commit. In one with members, only those of topics that no member is subscribed to go, a while after their
//! commit. Since when a group has been empty is noted when it is looked at and not when it happens, which
//! costs members nothing; a crash takes back one look at most.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use schloss_wire::Uuid;
use tokio::time::Instant;
use tracing::debug;

use super::coordinator::{Group, Groups, Inner};
use super::kind::Kind;
use super::membership::GroupState;
use super::record::{encode_deserted, encode_forget};
use super::store::failed;
use super::subscriptions::Subscriptions;

/// Between two looks (`offsets.retention.check.interval.ms`), in milliseconds.
const CHECK_INTERVAL_MS: i64 = 10 * 60 * 1000;

/// How topics are called.
pub(crate) type NameOf<'a> = &'a dyn Fn(Uuid) -> Option<Arc<str>>;

impl Groups {
    /// Looks at all groups if it is time to, and forgets what is too old at `now_ms`, in milliseconds since
    /// the epoch. The first look is an interval after the first call, so that members have come back after a
    /// start. It is given up for now while the journal is written anew; nothing waits for the disk, since what
    /// a crash takes back goes again. Blocks for a moment: not for threads that serve.
    pub(crate) fn expire_offsets(&self, now_ms: i64, name_of: NameOf<'_>) {
        let inner = &self.inner;
        let mut next_look = inner.next_look_ms.lock();
        let due = *next_look.get_or_insert(now_ms.saturating_add(CHECK_INTERVAL_MS));
        if now_ms < due {
            return;
        }
        let ids: Vec<_> = inner.state.lock().groups.keys().cloned().collect();
        for id in ids {
            let Some(_turn) = inner.turn_soon() else { return };
            inner.look_at_offsets(&id, now_ms, name_of);
        }
        *next_look = Some(now_ms.saturating_add(CHECK_INTERVAL_MS));
    }
}

impl Inner {
    /// The turn, if it can be had within a tenth of a second.
    fn turn_soon(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        const TRIES: usize = 100;
        (0..TRIES).find_map(|_| {
            let turn = self.offsets_turn.try_lock().ok();
            if turn.is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            turn
        })
    }

    /// The caller holds the turn.
    fn look_at_offsets(self: &Arc<Self>, id: &str, now_ms: i64, name_of: NameOf<'_>) {
        let mut state = self.state.lock();
        let Some(group) = state.groups.get_mut(id).filter(|group| group.has_offsets()) else { return };
        let before = (group.empty_since_ms, group.was_joined);
        group.note_emptiness(now_ms);
        let since_ms = group.empty_since_ms;
        let retention_ms = i64::try_from(self.config.offsets_retention.as_millis()).unwrap_or(i64::MAX);
        let gone = group.outdated(now_ms.saturating_sub(retention_ms), name_of);
        let deserted = (since_ms != before.0).then(|| encode_deserted(id, since_ms));
        let forgotten = (!gone.is_empty()).then(|| encode_forget(id, &gone));
        let entries: Result<Vec<_>, _> = deserted.into_iter().chain(forgotten).collect();
        let appended = entries.map_err(|error| failed(&error)).and_then(|entries| match entries.is_empty() {
            true => Ok(None),
            false => self.append(&entries).map(Some),
        });
        match appended {
            Ok(Some(ticket)) => state.forget(id, &gone, Some(ticket)),
            Ok(None) => {}
            Err(_) => {
                (group.empty_since_ms, group.was_joined) = before;
                return;
            }
        }
        if !gone.is_empty() {
            debug!(group = id, offsets = gone.len(), "forgot offsets that were too old");
            // The group may have nothing left to be kept for.
            self.operate(&mut state, id, |_, _| ());
        }
    }
}

impl Group {
    /// Notes since when nobody has been in it, if nobody is.
    fn note_emptiness(&mut self, now_ms: i64) {
        if !self.is_deserted() {
            (self.empty_since_ms, self.was_joined) = (None, true);
        } else if self.was_joined || self.empty_since_ms.is_none() {
            let ago = Instant::now().saturating_duration_since(self.membership.empty_since).as_millis();
            self.empty_since_ms = Some(now_ms.saturating_sub(i64::try_from(ago).unwrap_or(i64::MAX)));
            self.was_joined = false;
        }
    }

    /// The partitions whose offsets nobody has needed since `before_ms`.
    fn outdated(&self, before_ms: i64, name_of: NameOf<'_>) -> Vec<(Uuid, i32)> {
        let subscribed = match self.empty_since_ms {
            Some(since) if since > before_ms => return Vec::new(),
            Some(_) => None,
            None => match self.settled_subscriptions() {
                Some(subscribed) => Some(subscribed),
                None => return Vec::new(),
            },
        };
        let is_needed = |topic: Uuid| {
            subscribed.as_ref().is_some_and(|all| name_of(topic).is_none_or(|name| all.contains(&name)))
        };
        let topics = self.offsets.topics().filter(|(topic, _)| !is_needed(*topic));
        topics
            .flat_map(|(topic, partitions)| {
                partitions.iter().map(move |(partition, one)| (topic, *partition, one))
            })
            .filter(|(topic, partition, one)| {
                one.time_ms <= before_ms && !self.pending.holds(*topic, *partition)
            })
            .map(|(topic, partition, _)| (topic, partition))
            .collect()
    }

    /// What members are subscribed to, if that is known: between two generations of a classic group it is
    /// not.
    fn settled_subscriptions(&self) -> Option<Subscriptions> {
        let is_settled = self.kind() != Kind::Classic || self.membership.state == GroupState::Stable;
        self.subscriptions().ok().filter(|_| is_settled)
    }
}
