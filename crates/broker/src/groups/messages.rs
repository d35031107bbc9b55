//! What is asked of a group and what it answers, free of protocol versions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schloss_wire::ErrorCode;

/// One protocol (for consumers: an assignor) that a member offers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Protocol {
    pub(crate) name: Arc<str>,
    pub(crate) metadata: Bytes,
}

impl Protocol {
    /// A copy to keep: metadata in a request is a slice of its frame and keeps all of the frame in memory.
    pub(super) fn detached(&self) -> Self {
        Self { name: Arc::clone(&self.name), metadata: Bytes::copy_from_slice(&self.metadata) }
    }

    /// Bytes of name and metadata.
    pub(crate) fn bytes(&self) -> usize {
        self.name.len() + self.metadata.len()
    }
}

/// A member asks to take part in the next generation.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    /// Empty for a member that is new.
    pub(crate) member_id: Arc<str>,
    /// The id to give if the member is new; nobody has it yet.
    pub(crate) fresh_id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: Arc<str>,
    pub(crate) protocols: Vec<Protocol>,
    /// KIP-394: a new member must come back with the id it was given before it counts.
    pub(crate) id_required: bool,
    /// KIP-814: the client understands that a leader need not assign again.
    pub(crate) can_skip_assignment: bool,
}

impl Join {
    /// Bytes of all protocols' names and metadata.
    pub(crate) fn metadata_bytes(&self) -> usize {
        self.protocols.iter().map(Protocol::bytes).sum()
    }
}

/// One row of the list that a leader assigns from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct JoinedMember {
    pub(crate) id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) metadata: Bytes,
}

/// A generation, as one member sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Joined {
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) leader: Arc<str>,
    pub(crate) member_id: Arc<str>,
    /// Empty for everybody but the leader.
    pub(crate) members: Vec<JoinedMember>,
    pub(crate) skip_assignment: bool,
}

/// A join that failed, and the member id that belongs into its answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct JoinRefused {
    pub(crate) code: ErrorCode,
    pub(crate) member_id: Arc<str>,
}

/// The answer to a join.
pub(crate) type JoinReply = Result<Joined, JoinRefused>;

/// A member asks for its assignment; the leader brings everybody's.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    pub(crate) member_id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) assignments: Vec<(Arc<str>, Bytes)>,
}

/// A member's assignment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Synced {
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) assignment: Bytes,
}

/// The answer to a sync.
pub(crate) type SyncReply = Result<Synced, ErrorCode>;

/// One member that leaves, or that an administrator takes out by its instance id (empty member id).
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    pub(crate) member_id: Arc<str>,
    pub(crate) instance_id: Option<Arc<str>>,
}

/// Who speaks for a group: in heartbeats and commits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
    /// -1 for a consumer that is no member.
    pub(crate) generation: i32,
}

impl Claim<'_> {
    /// Whether it is no claim at all.
    pub(super) fn is_anonymous(&self) -> bool {
        self.generation < 0 && self.member_id.is_empty() && self.instance_id.is_none()
    }
}
