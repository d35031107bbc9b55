//! Users and groups that are kept elsewhere, as an LDAP directory keeps them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use schloss_wire::Principal;

use crate::{AuthFailureReason, Method, Password};

/// What a directory is asked takes a while.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where users are found that the credential store does not know, and groups of users.
pub trait Directory: Send + Sync {
    /// Who is meant by the name that a client gives, if anybody.
    ///
    /// # Errors
    /// The directory can't be asked, or can't tell.
    fn find<'a>(&'a self, user: &'a str) -> Asking<'a, Result<Option<DirectoryEntry>, AuthFailureReason>>;

    /// Whether the password is theirs; it is never empty.
    ///
    /// # Errors
    /// It is not, the directory refuses the account, or it can't be asked.
    fn check<'a>(
        &'a self,
        entry: &'a DirectoryEntry,
        password: &'a Password,
    ) -> Asking<'a, Result<Member, AuthFailureReason>>;

    /// What it says of a user who was proved by `method`; nothing if it is not asked about those. Without a method it is
    /// asked about the user however they were proved.
    fn member<'a>(&'a self, user: &'a str, method: Option<Method>) -> Asking<'a, Option<Member>>;

    /// The groups of a user as far as they are known without asking.
    fn known(&self, user: &str) -> Option<Arc<[Principal]>>;
}

/// Somebody in a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DirectoryEntry {
    /// What the client called them.
    pub asked: String,
    /// What the directory calls them: however a name is typed, it is one principal.
    pub name: String,
    /// Where they are: a distinguished name.
    pub place: String,
}

/// What a directory says of the groups of one user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DirectoryGroups {
    /// These, sorted, each once.
    Known(Arc<[Principal]>),
    /// It has not answered for longer than its last answer is good.
    Unknown,
    /// It knows nobody by this name.
    Nobody,
}

/// Follows what a directory says of one user.
pub trait Membership: Send + Sync {
    /// What the directory calls them.
    fn name(&self) -> &str;

    /// What it says now. Asked for every request, so it does not wait for anybody.
    fn groups(&self) -> DirectoryGroups;
}

/// A membership that is shared.
#[derive(Clone)]
pub struct Member(Arc<dyn Membership>);

impl Member {
    /// Shares a membership.
    #[must_use]
    pub fn new(membership: Arc<dyn Membership>) -> Self {
        Self(membership)
    }

    /// See [`Membership::name`].
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// See [`Membership::groups`].
    #[must_use]
    pub fn groups(&self) -> DirectoryGroups {
        self.0.groups()
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Member").field(&self.name()).finish()
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Member {}
