//! The ends of members: they leave, fall silent, or don't give up what they have to in time.

use std::sync::Arc;
use std::time::Duration;

use super::beat::{StreamsBeat, StreamsReply};
use super::group::StreamsGroup;
use crate::groups::newer::Newer as _;
use crate::groups::refused::Refused;

impl StreamsGroup {
    /// The last heartbeat of a member.
    pub(in crate::groups) fn leave(&mut self, beat: &StreamsBeat) -> Result<StreamsReply, Refused> {
        let id = Arc::clone(&self.member(&beat.member_id)?.id);
        self.remove(&[Arc::clone(&id)]);
        Ok(StreamsReply {
            member_id: id,
            epoch: beat.epoch,
            interval: Duration::ZERO,
            tasks: None,
            statuses: Vec::new(),
            endpoint_epoch: 0,
            endpoints: None,
            missing: Vec::new(),
        })
    }

    /// Takes members out. What they should have had is given to others with the next heartbeat.
    pub(super) fn remove(&mut self, ids: &[Arc<str>]) {
        let mut removed = false;
        for id in ids {
            if self.members.remove(id).is_some() {
                self.gone.insert(Arc::clone(id));
                removed = true;
            }
        }
        if removed {
            self.bump();
        }
        if self.is_empty() {
            (self.assign_after, self.shut_down_by) = (None, None);
        }
    }
}
