//! A share group as one of the newer kinds. Of it, the journal has the epoch alone, and it has no offsets
//! here: how far it came is kept for each partition (`crate::share`).

use std::collections::HashSet;
use std::sync::Arc;

use schloss_wire::Uuid;
use tokio::time::Instant;

use super::group::{Member, ShareGroup};
use crate::groups::config::GroupsConfig;
use crate::groups::kind::Kind;
use crate::groups::newer::{Entries, Newer};
use crate::groups::record::encode_share;

impl Newer for ShareGroup {
    fn kind(&self) -> Kind {
        Kind::Share
    }

    fn state(&self) -> &'static str {
        if self.is_empty() { "Empty" } else { "Stable" }
    }

    fn epoch(&self) -> i32 {
        self.epoch
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn bytes(&self) -> usize {
        self.members.values().map(Member::bytes).sum()
    }

    fn subscribed(&self) -> HashSet<String> {
        self.names().iter().map(ToString::to_string).collect()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.members.values().map(|member| member.session_ends).min()
    }

    fn expire(&mut self, now: Instant) {
        let over = self.members.values().filter(|member| member.session_ends <= now);
        let gone: Vec<_> = over.map(|member| Arc::clone(&member.id)).collect();
        self.remove(&gone);
    }

    /// Its members have to join again.
    fn restart(&mut self, _now: Instant, _config: &GroupsConfig) {}

    fn news(&self, id: &str) -> Entries {
        if self.written == Some(self.epoch) { Ok(Vec::new()) } else { self.all(id) }
    }

    fn all(&self, id: &str) -> Entries {
        encode_share(id, self.epoch).map(|entry| vec![entry])
    }

    fn mark_written(&mut self) {
        self.written = Some(self.epoch);
    }

    fn member_epoch(&self, _member_id: &str) -> Option<i32> {
        None
    }

    fn read_since(&self, _member_id: &str, _topic: Uuid, _partition: i32) -> Option<i32> {
        None
    }
}
