//! What a member is told beside its tasks (`StreamsGroupHeartbeatResponse.Status`).

/// A kind of status, with Kafka's number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i8)]
pub(crate) enum StatusKind {
    /// The member runs an older version of the application than the group.
    StaleTopology = 0,
    /// Topics that the application reads from don't exist.
    MissingSourceTopics = 1,
    /// Topics have other numbers of partitions than the application needs.
    IncorrectlyPartitionedTopics = 2,
    /// Internal topics have yet to be created.
    MissingInternalTopics = 3,
    /// A member asks for the end of the whole application.
    ShutdownApplication = 4,
    /// The group waits for more members before it shares out tasks.
    AssignmentDelayed = 5,
}

impl StatusKind {
    /// The value on the wire.
    pub(crate) const fn code(self) -> i8 {
        self as i8
    }
}

/// A status in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Status {
    pub(crate) kind: StatusKind,
    pub(crate) detail: String,
}

impl Status {
    pub(super) fn new(kind: StatusKind, detail: impl std::fmt::Display) -> Self {
        Self { kind, detail: detail.to_string() }
    }
}
