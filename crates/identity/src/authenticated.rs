//! The proof that somebody authenticated.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use schloss_wire::Principal;
use thiserror::Error;

use crate::failure::counted_token;
use crate::{CredentialStore, DelegationToken, Directory, DirectoryGroups, Member, Method};

/// Most groups of one principal. Whoever is in more is refused: to pass over some could pass over a DENY.
pub const MAX_GROUPS: usize = 1024;

/// Whoever it is, is in too many groups.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{0} groups are more than the {MAX_GROUPS} that a principal can be in")]
pub struct TooManyGroups(usize);

/// The `Group:` principals of these names, sorted, each once; empty names are passed over.
///
/// # Errors
/// There are more than [`MAX_GROUPS`].
pub fn groups<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Arc<[Principal]>, TooManyGroups> {
    let mut groups: Vec<Principal> = names
        .into_iter()
        .filter(|name| !name.as_ref().is_empty())
        .map(|name| Principal::group(name.as_ref()))
        .collect();
    groups.sort();
    groups.dedup();
    if groups.len() > MAX_GROUPS { Err(TooManyGroups(groups.len())) } else { Ok(groups.into()) }
}

/// Who a peer has proved to be.
///
/// Only a mechanism of this crate makes one, and only after its last check succeeded. A session that holds
/// it can't have been reached by an exchange that merely *ended*.
///
/// ```compile_fail
/// use schloss_identity::{Authenticated, Method};
/// use schloss_wire::Principal;
/// // the fields are private, and there is no constructor
/// let forged = Authenticated { principal: Principal::user("admin"), method: Method::Certificate, expires: None };
/// ```
///
/// ```compile_fail
/// use schloss_identity::{Authenticated, Method};
/// use schloss_wire::Principal;
/// let forged = Authenticated::new(Principal::user("admin"), Method::Certificate);
/// ```
///
/// ```compile_fail
/// let forged = schloss_identity::Authenticated::default();
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authenticated {
    principal: Principal,
    groups: Arc<[Principal]>,
    method: Method,
    login: Option<Arc<str>>,
    /// Whether `login` is a delegation token's id.
    is_token: bool,
    expires: Option<SystemTime>,
    member: Option<Member>,
    of_directory: bool,
}

impl Authenticated {
    pub(crate) fn new(principal: Principal, method: impl Into<Method>) -> Self {
        Self {
            principal,
            groups: Arc::default(),
            method: method.into(),
            login: None,
            is_token: false,
            expires: None,
            member: None,
            of_directory: false,
        }
    }

    /// The same, with what a token, a certificate or a directory says of groups; see [`groups`].
    #[must_use]
    pub(crate) fn in_groups(self, groups: Arc<[Principal]>) -> Self {
        Self { groups, ..self }
    }

    /// Whoever has the password of `user`: that user, or whose API key it is.
    pub(crate) fn by_password(user: &str, method: impl Into<Method>, store: &dyn CredentialStore) -> Self {
        let account = store.account_of(user);
        let proof = Self::new(Principal::user(account.as_deref().unwrap_or(user)), method);
        Self { login: account.map(|_| Arc::from(user)), ..proof }
    }

    /// Whoever a directory has found the password of good.
    pub(crate) fn by_directory(member: Member, method: impl Into<Method>) -> Self {
        let proof = Self::new(Principal::user(member.name()), method);
        Self { member: Some(member), of_directory: true, ..proof }
    }

    /// The same, in the groups that a directory says it is in, where it is asked about such log-ins. A token says nothing
    /// of how its owner logs in: it is asked about every owner who is not of `store`.
    #[must_use]
    pub async fn joined(self, directory: Option<&dyn Directory>, store: &dyn CredentialStore) -> Self {
        let Some(directory) = directory.filter(|_| self.member.is_none()) else { return self };
        let user = self.principal.name();
        let method = (!self.is_token || store.is_taken(user)).then_some(self.method);
        Self { member: directory.member(user, method).await, ..self }
    }

    /// Whoever has the HMAC of a delegation token: its owner, as long as it lasts.
    pub(crate) fn by_token(id: &str, token: DelegationToken, method: impl Into<Method>) -> Self {
        let DelegationToken { owner, groups, expires, credential: _ } = token;
        let proof = Self::new(owner, method).in_groups(groups).until(expires);
        Self { login: Some(Arc::from(id)), is_token: true, ..proof }
    }

    /// The same, with what it was that proved it.
    pub(crate) fn by(self, login: String) -> Self {
        Self { login: Some(login.into()), ..self }
    }

    /// The same, good for no longer than this.
    #[must_use]
    pub(crate) fn until(self, end: SystemTime) -> Self {
        Self { expires: Some(end), ..self }
    }

    /// The groups that the proof itself says it is in. Local groups are not among them: policy knows those.
    #[must_use]
    pub fn groups(&self) -> &Arc<[Principal]> {
        &self.groups
    }

    /// What a directory says of it, if one is asked.
    #[must_use]
    pub fn member(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// Whether it was a directory that found its password good.
    #[must_use]
    pub fn is_of_directory(&self) -> bool {
        self.of_directory
    }

    /// Those of the proof and, as far as they are known now, those that a directory says; sorted, each once.
    #[must_use]
    pub fn all_groups(&self) -> Arc<[Principal]> {
        match &self.member {
            Some(member) => self.groups_with(&member.groups()),
            None => Arc::clone(&self.groups),
        }
    }

    /// Those of the proof, and these.
    #[must_use]
    pub fn groups_with(&self, said: &DirectoryGroups) -> Arc<[Principal]> {
        match said {
            DirectoryGroups::Known(more) if self.groups.is_empty() => Arc::clone(more),
            DirectoryGroups::Known(more) => {
                let mut all: Vec<Principal> = self.groups.iter().chain(&**more).cloned().collect();
                all.sort();
                all.dedup();
                all.into()
            }
            DirectoryGroups::Unknown | DirectoryGroups::Nobody => Arc::clone(&self.groups),
        }
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// How it was proved.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// What it logged in with: the name of the principal, that of an API key, or a certificate in words.
    #[must_use]
    pub fn login(&self) -> &str {
        self.login.as_deref().unwrap_or(self.principal.name())
    }

    /// The id of the delegation token that it logged in with, if it did. Who did may make no other token (KIP-48).
    #[must_use]
    pub fn delegation_token(&self) -> Option<&str> {
        self.login.as_deref().filter(|_| self.is_token)
    }

    /// Under which name its failures are counted: a token is not a user of the same name.
    #[must_use]
    pub fn counted_as(&self) -> Cow<'_, str> {
        match self.delegation_token() {
            Some(id) => counted_token(id).into(),
            None => self.login().into(),
        }
    }

    /// When what it was proved with ends, if it does: a certificate or a token.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_sorted_once_each_and_bounded() {
        let found = groups(["ops", "", "dev", "ops"]).unwrap();
        assert_eq!(*found, [Principal::group("dev"), Principal::group("ops")]);
        let many = |count: usize| groups((0..count).map(|number| format!("g{number}")));
        assert_eq!(many(MAX_GROUPS).unwrap().len(), MAX_GROUPS);
        assert_eq!(many(MAX_GROUPS + 1), Err(TooManyGroups(MAX_GROUPS + 1)));
    }
}
