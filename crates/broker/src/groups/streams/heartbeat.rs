//! Heartbeats: joining, staying, and following the group.

use std::sync::Arc;

use schloss_wire::ErrorCode;
use tokio::time::Instant;

use super::beat::{StreamsBeat, StreamsReply};
use super::group::StreamsGroup;
use super::member::Member;
use super::status::{Status, StatusKind};
use super::task::Task;
use super::topology::Topology;
use crate::groups::config::GroupsConfig;
use crate::groups::consumer::Topics;
use crate::groups::newer::Newer as _;
use crate::groups::place::{Held, JOINING};
use crate::groups::refused::{Refused, full};

impl StreamsGroup {
    /// A heartbeat of a member that joins or stays. A refusal leaves the group as it was.
    pub(in crate::groups) fn heartbeat(
        &mut self,
        now: Instant,
        config: &GroupsConfig,
        beat: &StreamsBeat,
        topics: &dyn Topics,
    ) -> Result<StreamsReply, Refused> {
        self.check(beat, config)?;
        let id = Arc::clone(&beat.member_id);
        let before = self.members.get(&id).map(|member| member.place.assigned.clone()).unwrap_or_default();
        self.wait_for_more(now, beat);
        self.follow(&id, now, beat, topics);
        if self.epoch > self.assignment_epoch && self.assign_after.is_none() {
            self.assign();
        }
        self.reconcile(now, &id, beat.owned.as_ref());
        self.answer(now, beat, &id, &before)
    }

    /// Whether it may come in, and with what it says.
    fn check(&self, beat: &StreamsBeat, config: &GroupsConfig) -> Result<(), Refused> {
        let joins = beat.epoch == JOINING;
        match self.member(&beat.member_id) {
            Ok(member) => member.place.check_epoch(beat.epoch, beat.owned.as_ref())?,
            Err(unknown) if !joins => return Err(unknown),
            Err(_) if self.members.len() >= config.max_group_size => {
                return Err(full(self.members.len()));
            }
            Err(_) => {}
        }
        if let (Some(brought), Some(own)) = (&beat.topology, &self.topology)
            && self.has_others_than(&beat.member_id)
            && brought.epoch >= own.epoch
            && brought != own
        {
            return Err(Refused::invalid(
                "Topology updates are not supported yet: stop all members of the group first.",
            ));
        }
        let unknown = |task: &&Task| !self.configured.has(&task.id);
        match beat.owned.iter().flatten().find(unknown) {
            Some(task) if self.configured.is_ready() && self.has_seen_topics() => {
                Err(Refused::invalid(format_args!(
                    "Task {} of subtopology {} does not exist in the topology.",
                    task.id.partition, task.id.subtopology
                )))
            }
            _ => Ok(()),
        }
    }

    fn has_others_than(&self, id: &str) -> bool {
        self.members.keys().any(|member| &**member != id)
    }

    /// A group that was empty may wait for more members, so that few tasks have to move.
    fn wait_for_more(&mut self, now: Instant, beat: &StreamsBeat) {
        if self.is_empty() && !beat.times.initial_delay.is_zero() {
            self.assign_after = Some(now + beat.times.initial_delay);
        }
        self.assign_after = self.assign_after.filter(|until| *until > now);
    }

    /// Takes over what the member says, and moves the epoch if that, the topics or the settings ask for it.
    fn follow(&mut self, id: &Arc<str>, now: Instant, beat: &StreamsBeat, topics: &dyn Topics) {
        let member = self.members.entry(Arc::clone(id)).or_insert_with(|| Member::new(beat, now));
        let mut changed = member.update(beat);
        let has_new_topology = beat.topology.as_ref().is_some_and(|brought| self.take_topology(brought));
        changed |= self.look_at_topics(topics, has_new_topology);
        changed |= std::mem::replace(&mut self.standbys, beat.times.standbys) != beat.times.standbys;
        if changed {
            self.bump();
        }
        if beat.shuts_down {
            self.shut_down_by = Some(Arc::clone(id));
        }
    }

    /// The first member brings the topology, and members of older versions of the application go by it.
    fn take_topology(&mut self, brought: &Topology) -> bool {
        let is_alone = self.members.len() == 1;
        let takes = match &self.topology {
            None => true,
            Some(own) => is_alone && own != brought,
        };
        if takes {
            self.topology = Some(brought.clone());
            self.is_topology_written = false;
        }
        takes
    }

    fn answer(
        &mut self,
        now: Instant,
        beat: &StreamsBeat,
        id: &str,
        before: &Held<Task>,
    ) -> Result<StreamsReply, Refused> {
        let statuses = self.statuses(id);
        let Some(member) = self.members.get_mut(id) else {
            return Err(Refused::new(ErrorCode::UnknownServerError, "the member was lost"));
        };
        member.session_ends = now + beat.times.session_timeout;
        let assigned = &member.place.assigned;
        // A member that tells something else may have missed an answer.
        let differs = beat.owned.as_ref().is_some_and(|owned| !owned.iter().eq(assigned.keys()));
        let tell = beat.epoch == JOINING || before != assigned || differs;
        let tasks = tell.then(|| assigned.keys().cloned().collect());
        let (member_id, epoch) = (Arc::clone(&member.id), member.place.epoch);
        if tell && member.endpoint.is_some() {
            self.endpoint_epoch = self.endpoint_epoch.wrapping_add(1).max(0);
        }
        let knows_endpoints = beat.endpoint_epoch == self.endpoint_epoch;
        Ok(StreamsReply {
            member_id,
            epoch,
            interval: beat.times.heartbeat_interval,
            tasks,
            statuses,
            endpoint_epoch: self.endpoint_epoch,
            endpoints: (!knows_endpoints).then(|| self.endpoints()),
            missing: self.configured.missing.clone(),
        })
    }

    fn statuses(&self, id: &str) -> Vec<Status> {
        let own = self.members.get(id).map(|member| member.topology_epoch);
        let newest = self.topology.as_ref().map(|topology| topology.epoch);
        let stale = own.zip(newest).filter(|(own, newest)| own < newest).map(|(own, newest)| {
            let detail = format_args!(
                "The member's topology epoch {own} is behind the group's topology epoch {newest}."
            )
            .to_string();
            Status::new(StatusKind::StaleTopology, detail)
        });
        let delayed = self.assign_after.map(|_| {
            Status::new(
                StatusKind::AssignmentDelayed,
                "Assignment delayed due to the configured initial rebalance delay.",
            )
        });
        let shut_down = self.shut_down_by.as_ref().map(|by| {
            let detail = format!(
                "Streams group member {by} encountered a fatal error and requested a shutdown for the entire \
                 application."
            );
            Status::new(StatusKind::ShutdownApplication, detail)
        });
        [stale, delayed, self.configured.problem.clone(), shut_down].into_iter().flatten().collect()
    }
}
