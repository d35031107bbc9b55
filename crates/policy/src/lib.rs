//! ACLs, the API table, decisions and admission.
//!
//! An [`AclSet`] decides, a [`Judge`] asks it for one request and keeps the record, and [`admit`] takes out of
//! a request whatever its sender may not do. What is left is [`Admitted`], the only thing that an engine takes.

mod acl;
mod admission;
mod api;
mod binding;
mod chunks;
mod decision;
mod explain;
mod filter;
mod group;
mod hash;
mod holders;
mod host;
mod index;
mod judge;
mod kind;
mod narrow;
mod role;
mod rule;
mod set;
mod shards;
mod share_sessions;
pub mod table;

pub use acl::{Acl, AclError};
pub use admission::{Admitted, Repair, TopicNames, Verdict, admit, is_administrative, refuse};
pub use api::{refuse_new_token, shows_token, token_owner};
pub use binding::{Binding, Bindings, Pattern};
pub use decision::{Decision, Reason, Subject};
pub use explain::{Access, Asker, Explanation, Holder, MAX_LISTED, RuleView};
pub use filter::{AclFilter, PatternFilter};
pub use group::{Groups, Members, check_group};
pub use judge::{DecisionCache, Judge};
pub use kind::{
    CLUSTER_NAME, Operation, PatternType, Permission, RESERVED_TOPIC_PREFIX, ResourceType, UnknownWord,
    WILDCARD, is_reserved,
};
pub use narrow::Mutation;
pub use role::{BUILT_IN, BuiltIn, Grants, MAX_NAME_BYTES, RoleError, Roles, check_role, grants_of};
pub use set::{AclSet, RuleChanges, Rules};
