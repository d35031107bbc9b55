//! The ends of members: they leave, fall silent, or don't give up what they have to in time.

use std::sync::Arc;
use std::time::Duration;

use schloss_wire::ErrorCode;

use super::beat::{Beat, BeatReply, LEAVING_FOR_NOW};
use super::group::ConsumerGroup;
use crate::groups::refused::Refused;

impl ConsumerGroup {
    /// The last heartbeat of a member.
    pub(in crate::groups) fn leave(&mut self, beat: &Beat) -> Result<BeatReply, Refused> {
        let member = match &beat.instance_id {
            Some(instance_id) => self.static_member(instance_id, &beat.member_id)?,
            None => self.member(&beat.member_id)?,
        };
        let id = Arc::clone(&member.id);
        if beat.epoch == LEAVING_FOR_NOW {
            self.leave_for_now(&id);
        } else {
            self.remove(&[Arc::clone(&id)]);
        }
        Ok(BeatReply { member_id: id, epoch: beat.epoch, interval: Duration::ZERO, assignment: None })
    }

    /// A static member keeps its place until its session ends.
    fn leave_for_now(&mut self, id: &str) {
        let Some(member) = self.members.get_mut(id) else { return };
        for one in std::mem::take(&mut member.place.revoking).into_keys() {
            self.owners.remove(&one);
        }
        member.place.epoch = LEAVING_FOR_NOW;
        member.place.rebalance_ends = None;
        member.unwritten.place = true;
        // It comes back in a lower epoch than the one in which it got them.
        for epoch in member.place.assigned.values_mut() {
            *epoch = 0;
        }
    }

    /// An administrator takes out a static member by its instance id.
    pub(in crate::groups) fn remove_static(&mut self, instance_id: &str) -> Result<(), ErrorCode> {
        let id = self.statics.get(instance_id).cloned().ok_or(ErrorCode::UnknownMemberId)?;
        self.remove(&[id]);
        Ok(())
    }

    /// Takes members out. What they should have owned is given to others with the next heartbeat.
    pub(super) fn remove(&mut self, ids: &[Arc<str>]) {
        let mut removed = false;
        for id in ids {
            let Some(member) = self.members.remove(id) else { continue };
            removed = true;
            self.gone.insert(Arc::clone(id));
            for one in member.held() {
                self.owners.remove(&one);
            }
            if let Some(instance_id) = &member.instance_id {
                self.statics.remove(instance_id);
            }
        }
        if removed {
            self.drop_topics();
            self.bump();
        }
    }
}
