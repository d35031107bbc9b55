//! ACLs, the API table, decisions and admission.
//!
//! An [`AclSet`] decides, a [`Judge`] asks it for one request and keeps the record, and [`admit`] takes out of
//! a request whatever its sender may not do. What is left is [`Admitted`], the only thing that an engine takes.

mod acl;
mod admission;
mod api;
mod decision;
mod filter;
mod host;
mod judge;
mod kind;
mod narrow;
mod prefixes;
mod set;
mod share_sessions;
pub mod table;

pub use acl::{Acl, AclError};
pub use admission::{Admitted, Repair, TopicNames, Verdict, admit, is_administrative, refuse};
pub use decision::{Decision, Reason, Subject};
pub use filter::{AclFilter, PatternFilter};
pub use judge::{DecisionCache, Judge};
pub use kind::{
    CLUSTER_NAME, Operation, PatternType, Permission, RESERVED_TOPIC_PREFIX, ResourceType, UnknownWord,
    WILDCARD, is_reserved,
};
pub use narrow::Mutation;
pub use set::AclSet;
