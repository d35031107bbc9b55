//! What administrators see of groups.

use std::sync::Arc;

use bytes::Bytes;

use super::coordinator::{Group, Groups};
use super::kind::Kind;
use super::member::Member;
use super::membership::{GroupState, Membership};

/// One line of a list of groups.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listing {
    pub(crate) group_id: Arc<str>,
    pub(crate) kind: Kind,
    /// None for a group that only ever committed offsets.
    pub(crate) protocol_type: Option<Arc<str>>,
    /// Kafka's name of the state.
    pub(crate) state: &'static str,
}

/// A group in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Description {
    pub(crate) state: GroupState,
    pub(crate) protocol_type: Option<Arc<str>>,
    /// Known while the group is stable.
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) members: Vec<DescribedMember>,
}

/// A member in full; metadata and assignment are empty unless the group is stable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DescribedMember {
    pub(crate) id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

impl Groups {
    /// Every group, in the order of their ids.
    pub(crate) fn list(&self) -> Vec<Listing> {
        let state = self.inner.state.lock();
        let line = |(id, group): (&Arc<str>, &Group)| Listing {
            group_id: Arc::clone(id),
            kind: group.kind(),
            protocol_type: group.protocol_type().map(Arc::from),
            state: group.state(),
        };
        let mut groups: Vec<_> = state.groups.iter().map(line).collect();
        drop(state);
        groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        groups
    }

    /// A classic group: it, or its kind if it is another one. None if it doesn't exist.
    pub(crate) fn describe(&self, group_id: &str) -> Option<Result<Description, Kind>> {
        self.inner.with_group_as_is(group_id, |group, _| match group.kind() {
            Kind::Classic => Ok(group.membership.describe()),
            kind => Err(kind),
        })
    }
}

impl Membership {
    fn describe(&self) -> Description {
        let protocol = self.protocol.clone().filter(|_| self.state == GroupState::Stable);
        let member = |member: &Member| DescribedMember {
            id: Arc::clone(&member.id),
            instance_id: member.instance_id.clone(),
            client_id: Arc::clone(&member.client_id),
            client_host: Arc::clone(&member.client_host),
            metadata: protocol.as_deref().map(|name| member.metadata(name)).unwrap_or_default(),
            assignment: protocol.as_ref().map(|_| member.assignment.clone()).unwrap_or_default(),
        };
        Description {
            state: self.state,
            protocol_type: self.protocol_type.clone(),
            members: self.members.values().map(member).collect(),
            protocol,
        }
    }

    /// Bytes that members take with what they say and are assigned.
    pub(super) fn bytes(&self) -> usize {
        self.members.values().map(Member::bytes).sum()
    }
}
