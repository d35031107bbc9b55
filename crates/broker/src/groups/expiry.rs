//! Time: one task that sleeps until the next deadline of any group.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::config::GroupsConfig;
use super::coordinator::{Group, Inner, State};
use super::membership::Membership;
use super::newer::Newer;
use super::record::encode_delete;
use super::store::failed;

impl Inner {
    /// Works on a group and arms its next deadline.
    pub(super) fn operate<R>(
        self: &Arc<Self>,
        state: &mut State,
        group_id: &str,
        work: impl FnOnce(&mut Group, Instant) -> R,
    ) -> Option<R> {
        let (id, _) = state.groups.get_key_value(group_id)?;
        let id = Arc::clone(id);
        let group = state.groups.get_mut(&id)?;
        let generation = group.membership.generation;
        let result = work(group, Instant::now());
        group.report_since(generation, &id);
        group.was_joined |= !group.is_deserted();
        state.weigh(&id);
        self.arm(state, &id);
        self.start_timer();
        Some(result)
    }

    /// Not before the first request if a coordinator is opened outside of the runtime.
    fn start_timer(self: &Arc<Self>) {
        if let Ok(runtime) = Handle::try_current()
            && !self.timer_started.swap(true, Ordering::Relaxed)
        {
            runtime.spawn(run(Arc::downgrade(self), Arc::clone(&self.alarm)));
        }
    }

    /// Sets the group's deadline. One that moved later is left: the task finds nothing to do then and arms it
    /// anew, which costs less than moving it with every heartbeat.
    fn arm(self: &Arc<Self>, state: &mut State, id: &Arc<str>) {
        let Some(group) = state.groups.get_mut(id) else { return };
        let Some(next) = group.next_deadline(&self.config) else { return };
        if group.armed.is_some_and(|armed| armed <= next) {
            return;
        }
        if let Some(armed) = group.armed.replace(next) {
            state.deadlines.remove(&(armed, Arc::clone(id)));
        }
        state.deadlines.insert((next, Arc::clone(id)));
        if state.deadlines.first().is_some_and(|(_, first)| first == id) {
            self.alarm.notify_one();
        }
    }

    /// Makes what was replayed work: members have a whole session to come back.
    pub(super) fn resume(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let ids: Vec<_> = state.groups.keys().cloned().collect();
        for id in ids {
            let Some(newer) = state.groups.get_mut(&id).and_then(Group::newer_mut) else { continue };
            newer.restart(Instant::now(), &self.config);
            state.weigh(&id);
            self.arm(&mut state, &id);
            self.start_timer();
        }
    }

    /// Meets the deadlines that have come; the next one is the answer. The caller holds the turn.
    fn expire(self: &Arc<Self>) -> Option<Instant> {
        loop {
            // The lock is given back between groups, since thousands may be due at once.
            let mut state = self.state.lock();
            let now = Instant::now();
            let (deadline, id) = state.deadlines.first()?.clone();
            if deadline > now {
                return Some(deadline);
            }
            state.deadlines.pop_first();
            if let Some(group) = state.groups.get_mut(&id) {
                group.armed = None;
                let generation = group.membership.generation;
                group.expire(now, &self.config);
                group.report_since(generation, &id);
                state.weigh(&id);
                self.note_end(&mut state, &id, now);
            }
            self.arm(&mut state, &id);
        }
    }
}

impl Inner {
    /// Writes down what time has changed among members, and removes a group that is over. If that can't be
    /// written, a restart brings back members, who are silent and go once more.
    fn note_end(&self, state: &mut State, id: &str, now: Instant) {
        let _ = self.note_members(state, id);
        let Some(group) = state.groups.get(id) else { return };
        if !group.is_void() || group.membership.empty_since + self.config.empty_group_linger > now {
            return;
        }
        if group.is_in_journal() {
            let _ = encode_delete(id).map_err(|error| failed(&error)).and_then(|entry| self.append(&[entry]));
        }
        debug!(group = id, "removed a group that was empty and had no offsets");
        state.remove(id);
    }
}

impl Group {
    fn next_deadline(&self, config: &GroupsConfig) -> Option<Instant> {
        let end = self.is_void().then(|| self.membership.empty_since + config.empty_group_linger);
        let newer = self.newer().and_then(Newer::next_deadline);
        self.membership.next_deadline().into_iter().chain(newer).chain(end).min()
    }

    fn report_since(&self, generation: i32, id: &str) {
        let Membership { generation: now, state, members, leader, .. } = &self.membership;
        if *now != generation {
            let (state, members) = (state.name(), members.len());
            debug!(group = id, generation = now, state, members, ?leader, "a new generation");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.alarm.notify_one();
    }
}

async fn run(inner: Weak<Inner>, alarm: Arc<Notify>) {
    loop {
        let next = match inner.upgrade() {
            Some(inner) => {
                let _turn = inner.offsets_turn.lock().await;
                inner.expire()
            }
            None => return,
        };
        match next {
            Some(deadline) => tokio::select! {
                () = sleep_until(deadline) => {}
                () = alarm.notified() => {}
            },
            None => alarm.notified().await,
        }
    }
}
