//! What a member says in a heartbeat and what it hears, free of protocol versions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use schloss_policy::Subject;

use super::assignor::Assignor;
use super::topics::TopicPartition;

/// The times of one group's members.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MemberTimes {
    /// How long a member may be silent.
    pub(crate) session_timeout: Duration,
    /// How often members are to send heartbeats.
    pub(crate) heartbeat_interval: Duration,
}

/// The epoch of a static member that leaves and means to come back.
pub(crate) const LEAVING_FOR_NOW: i32 = -2;

/// A heartbeat. What is `None` is as it was before.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    pub(crate) member_id: Arc<str>,
    pub(crate) epoch: i32,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) rack_id: Option<Arc<str>>,
    /// How long the member may take to give up partitions.
    pub(crate) rebalance_timeout: Option<Duration>,
    pub(crate) names: Option<BTreeSet<Arc<str>>>,
    /// A regular expression; empty for none.
    pub(crate) pattern: Option<Arc<str>>,
    pub(crate) assignor: Option<Assignor>,
    /// What the member says it owns.
    pub(crate) owned: Option<BTreeSet<TopicPartition>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    /// Those of its group now.
    pub(crate) times: MemberTimes,
    /// With whose rights a regular expression is resolved.
    pub(crate) subject: Subject,
}

impl Beat {
    /// Whether the member says all of itself, which it does when an answer may have been lost.
    pub(super) fn is_full(&self) -> bool {
        let subscribes = self.names.is_some() || self.pattern.is_some();
        self.rebalance_timeout.is_some() && subscribes && self.owned.is_some()
    }

    /// Bytes of what the member says of itself and is kept.
    pub(super) fn bytes(&self) -> usize {
        let names = self.names.iter().flatten().map(|name| name.len()).sum::<usize>();
        let texts = [&self.instance_id, &self.rack_id, &self.pattern];
        self.member_id.len() + names + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
    }
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BeatReply {
    pub(crate) member_id: Arc<str>,
    pub(crate) epoch: i32,
    /// Zero for a member that leaves.
    pub(crate) interval: Duration,
    /// What the member may own now; none if that is as it was.
    pub(crate) assignment: Option<BTreeSet<TopicPartition>>,
}
