//! The directory as the gate sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schloss_identity::{
    Asking, AuthFailureReason, Directory, DirectoryEntry, DirectoryGroups, Member, Method, Password, groups,
};
use schloss_wire::Principal;
use tokio::task::AbortHandle;

use crate::lookup::{GroupRules, Lookup, UserRules};
use crate::members::{Followed, Members, Source, Times};
use crate::pool::{Access, Pool};
use crate::trouble::Trouble;

/// All about a directory.
#[derive(Clone)]
pub struct LdapConfig {
    /// How to get there.
    pub access: Access,
    /// How users are found.
    pub users: UserRules,
    /// The attribute that a user's name is in.
    pub name_attribute: String,
    /// How groups are found; none has any without.
    pub groups: Option<GroupRules>,
    /// How long answers are good.
    pub times: Times,
    /// It is asked about users who were proved by these as well.
    pub methods: Vec<Method>,
}

/// An LDAP directory. Asks about users with a session for as long as it lives.
pub struct Ldap {
    lookup: Arc<Lookup>,
    members: Arc<Members<Arc<Lookup>>>,
    methods: Vec<Method>,
    /// How long those wait who need it not to log in.
    patience: Duration,
    renewing: AbortHandle,
}

/// What a directory says of one user, and how long that took.
#[derive(Debug)]
pub struct Report {
    /// The user, if there is one.
    pub entry: Option<DirectoryEntry>,
    /// How long it took to find them.
    pub found_in: Duration,
    /// Their groups, as rules name them.
    pub groups: Arc<[Principal]>,
    /// How long it took to find those.
    pub groups_in: Duration,
    /// Whether the password is theirs, if one was given.
    pub checked: Option<Result<String, AuthFailureReason>>,
}

impl Ldap {
    /// Begins to ask. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(config: LdapConfig) -> Arc<Self> {
        let LdapConfig { access, users, name_attribute, groups, times, methods } = config;
        let patience = access.time_limit;
        let lookup = Arc::new(Lookup { pool: Pool::new(access), users, name_attribute, groups });
        let members = Arc::new(Members::new(Arc::clone(&lookup), times));
        let renewing = tokio::spawn(Arc::clone(&members).renew_for_ever()).abort_handle();
        Arc::new(Self { lookup, members, methods, patience, renewing })
    }

    /// Asks now about one user, and checks a password of theirs.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn report(&self, user: &str, password: Option<&Password>) -> Result<Report, Trouble> {
        let begun = Instant::now();
        let person = self.lookup.person(user).await?;
        let found_in = begun.elapsed();
        let begun = Instant::now();
        let names = match &person {
            Some(person) => self.lookup.groups(person).await?,
            None => Vec::new(),
        };
        let groups_in = begun.elapsed();
        let groups = groups(names).map_err(|_| Trouble::TooManyGroups)?;
        let entry = person.map(|person| person.entry);
        let checked = match (&entry, password) {
            (Some(entry), Some(password)) => Some(self.lookup.check(entry, password).await),
            _ => None,
        };
        Ok(Report { entry, found_in, groups, groups_in, checked })
    }

    /// Whether it can be asked, as the service.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn is_there(&self) -> Result<(), Trouble> {
        self.lookup.pool.search(&crate::link::Query::of_root()).await.map(drop)
    }
}

impl Drop for Ldap {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Directory for Ldap {
    fn find<'a>(&'a self, user: &'a str) -> Asking<'a, Result<Option<DirectoryEntry>, AuthFailureReason>> {
        Box::pin(async move {
            if let Some(entry) = self.lookup.by_template(user) {
                return Ok(Some(entry));
            }
            Ok(self.lookup.person(user).await?.map(|person| person.entry))
        })
    }

    fn check<'a>(
        &'a self,
        entry: &'a DirectoryEntry,
        password: &'a Password,
    ) -> Asking<'a, Result<Member, AuthFailureReason>> {
        Box::pin(async move {
            let name = self.lookup.check(entry, password).await?;
            let user = self.members.of(&entry.asked).await;
            match user.groups(tokio::time::Instant::now()) {
                DirectoryGroups::Known(_) => Ok(Member::new(Arc::new(Followed { name, user }))),
                DirectoryGroups::Nobody => Err(AuthFailureReason::UnknownUser),
                DirectoryGroups::Unknown => {
                    let words = "the password is good, but there is no answer about groups".to_owned();
                    Err(AuthFailureReason::DirectoryDown(words))
                }
            }
        })
    }

    fn member<'a>(&'a self, user: &'a str, method: Option<Method>) -> Asking<'a, Option<Member>> {
        Box::pin(async move {
            if method.is_some_and(|method| !self.methods.contains(&method)) {
                return None;
            }
            let name = user.to_owned();
            let user = self.members.of_late(user, self.patience).await;
            Some(Member::new(Arc::new(Followed { name, user })))
        })
    }

    fn known(&self, user: &str) -> Option<Arc<[Principal]>> {
        self.members.known(user)
    }
}

impl Source for Arc<Lookup> {
    async fn look(&self, asked: &str) -> Result<Option<Arc<[Principal]>>, Trouble> {
        // Who is found by a template alone may be readable for nobody.
        if self.groups.is_none() && self.by_template(asked).is_some() {
            return Ok(Some(Arc::default()));
        }
        let Some(person) = self.person(asked).await? else { return Ok(None) };
        let names = Lookup::groups(self, &person).await?;
        groups(names).map(Some).map_err(|_| Trouble::TooManyGroups)
    }
}
