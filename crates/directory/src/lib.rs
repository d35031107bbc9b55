//! Users and groups of an LDAP directory: log-in by bind, groups with a cache.
//!
//! Start at [`Ldap`], which is the [`Directory`](schloss_identity::Directory) of a gate. `lookup` says what is searched
//! for, `pool` and `link` ask it of a server, `members` keeps the answers, and `template` is why a name that a client
//! gives is never a part of a filter.

mod directory;
mod dn;
mod link;
mod lookup;
mod members;
mod nesting;
mod pool;
mod server;
mod template;
mod trouble;

pub use directory::{Ldap, LdapConfig, Report};
pub use dn::Base;
pub use lookup::{GroupRules, UserRules};
pub use members::Times;
pub use pool::Access;
pub use server::{Protection, Server, ServerError};
pub use template::{DnTemplate, GroupFilter, TemplateError, UserFilter};
pub use trouble::Trouble;
