//! Tasks: what a member of a Streams application works on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a member does with a task.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// It processes records. Nobody else does.
    Active,
    /// It keeps a copy of the state of the task.
    Standby,
}

/// A part of a topology, for one partition of the topics that it reads.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct TaskId {
    pub(crate) subtopology: Arc<str>,
    pub(crate) partition: i32,
}

/// A task and what a member does with it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Task {
    pub(crate) role: Role,
    pub(crate) id: TaskId,
}
