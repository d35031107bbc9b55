//! What a member of a Streams application says in a heartbeat and what it hears, free of protocol versions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::configure::NewInternalTopic;
use super::endpoints::{Endpoint, EndpointPartitions};
use super::status::Status;
use super::task::Task;
use super::topology::Topology;

/// The settings of one group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct StreamsTimes {
    /// How long a member may be silent.
    pub(crate) session_timeout: Duration,
    /// How often members are to send heartbeats.
    pub(crate) heartbeat_interval: Duration,
    /// How long a group that was empty waits for more members before it shares out tasks.
    pub(crate) initial_delay: Duration,
    /// Copies of each task's state.
    pub(crate) standbys: usize,
}

/// A heartbeat. What is `None` is as it was before.
#[derive(Clone, Debug)]
pub(crate) struct StreamsBeat {
    pub(crate) member_id: Arc<str>,
    /// Below zero, the member leaves.
    pub(crate) epoch: i32,
    pub(crate) rack_id: Option<Arc<str>>,
    /// How long the member may take to give up tasks.
    pub(crate) rebalance_timeout: Option<Duration>,
    /// There when the member joins, and only then.
    pub(crate) topology: Option<Topology>,
    /// The tasks that the member says it has.
    pub(crate) owned: Option<BTreeSet<Task>>,
    /// Members of one process share what is on its disk.
    pub(crate) process_id: Option<Arc<str>>,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    /// Whether the whole application should end.
    pub(crate) shuts_down: bool,
    /// The newest that the member knows of all endpoints.
    pub(crate) endpoint_epoch: i32,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    /// Those of its group now.
    pub(crate) times: StreamsTimes,
}

impl StreamsBeat {
    /// Bytes of what the member says of itself and is kept.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.rack_id, &self.process_id].into_iter().flatten().map(|text| text.len());
        let tags = self.tags.iter().flatten().map(|(key, value)| key.len() + value.len());
        let endpoint = self.endpoint.as_ref().map_or(0, |endpoint| endpoint.host.len());
        let topology = self.topology.as_ref().map_or(0, Topology::bytes);
        self.member_id.len() + texts.sum::<usize>() + tags.sum::<usize>() + endpoint + topology
    }
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StreamsReply {
    pub(crate) member_id: Arc<str>,
    pub(crate) epoch: i32,
    /// Zero for a member that leaves.
    pub(crate) interval: Duration,
    /// What the member is to work on now; none if that is as it was.
    pub(crate) tasks: Option<BTreeSet<Task>>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) endpoint_epoch: i32,
    /// None if the member knows it.
    pub(crate) endpoints: Option<Vec<EndpointPartitions>>,
    /// Topics that have to be created before tasks can be given out.
    pub(crate) missing: Vec<NewInternalTopic>,
}
