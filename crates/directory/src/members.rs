//! What a directory has said of users: kept for a while, renewed in the background, and of no account when it is old.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;
use schloss_identity::{DirectoryGroups, Membership};
use schloss_wire::Principal;
use tokio::time::{Instant, sleep, timeout};

use crate::dn::folded;
use crate::trouble::Trouble;

/// Users that are asked about at once in the background.
const AT_ONCE: usize = 4;
/// How often it is looked for what is due.
const TICK_MIN: Duration = Duration::from_millis(50);
const TICK_MAX: Duration = Duration::from_secs(5);

/// How long what was said is good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    /// How often users with a session are asked about.
    pub refresh: Duration,
    /// How long an answer is good while there is no new one.
    pub max_stale: Duration,
    /// Most users that are kept.
    pub max_users: usize,
}

/// Where it is asked.
pub(crate) trait Source: Send + Sync + 'static {
    /// The groups of a user, sorted; nothing if there is no such user.
    fn look(&self, asked: &str) -> impl Future<Output = Result<Option<Arc<[Principal]>>, Trouble>> + Send;
}

/// The users that are kept.
pub(crate) struct Members<S> {
    source: S,
    times: Times,
    users: Mutex<HashMap<String, Arc<User>>>,
    /// Whether the last question had no answer.
    is_down: Mutex<bool>,
}

/// One user.
pub(crate) struct User {
    asked: String,
    max_stale: Duration,
    state: Mutex<State>,
    /// Held while it is asked: a thousand clients that come at once are one question.
    asking: tokio::sync::Mutex<()>,
}

struct State {
    /// The last answer, nothing if there was none yet.
    said: Option<Said>,
    /// When it was last tried to get one.
    tried: Option<Instant>,
    /// When somebody last logged in.
    used: Instant,
    /// Whether it is written down that the answer is too old.
    is_told: bool,
}

struct Said {
    /// None for nobody.
    groups: Option<Arc<[Principal]>>,
    at: Instant,
}

/// A user under the name of one session.
pub(crate) struct Followed {
    pub(crate) name: String,
    pub(crate) user: Arc<User>,
}

impl Membership for Followed {
    fn name(&self) -> &str {
        &self.name
    }

    fn groups(&self) -> DirectoryGroups {
        self.user.groups(Instant::now())
    }
}

impl User {
    fn new(asked: &str, max_stale: Duration, now: Instant) -> Self {
        let state = State { said: None, tried: None, used: now, is_told: false };
        Self {
            asked: asked.to_owned(),
            max_stale,
            state: Mutex::new(state),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// What was said, if it is still of account.
    pub(crate) fn groups(&self, now: Instant) -> DirectoryGroups {
        match &self.state.lock().said {
            Some(said) if now.saturating_duration_since(said.at) <= self.max_stale => match &said.groups {
                Some(groups) => DirectoryGroups::Known(Arc::clone(groups)),
                None => DirectoryGroups::Nobody,
            },
            _ => DirectoryGroups::Unknown,
        }
    }

    fn is_fresh(&self, now: Instant, refresh: Duration) -> bool {
        let state = self.state.lock();
        let said = state.said.as_ref();
        said.is_some_and(|said| said.groups.is_some() && now.saturating_duration_since(said.at) < refresh)
    }

    /// Notes an answer.
    fn hear(&self, mut groups: Option<Arc<[Principal]>>, now: Instant) {
        let mut state = self.state.lock();
        // The same list as before, if it says the same: sessions see at a glance that nothing has changed.
        if let Some(Said { groups: old, .. }) = &state.said
            && *old == groups
        {
            groups.clone_from(old);
        }
        state.said = Some(Said { groups, at: now });
        state.is_told = false;
    }

    /// Whether it has just become clear that the answer is too old.
    fn is_newly_lost(&self, now: Instant) -> bool {
        let is_lost = self.groups(now) == DirectoryGroups::Unknown;
        let mut state = self.state.lock();
        is_lost && !std::mem::replace(&mut state.is_told, is_lost)
    }
}

impl<S: Source> Members<S> {
    pub(crate) fn new(source: S, times: Times) -> Self {
        Self { source, times, users: Mutex::default(), is_down: Mutex::new(false) }
    }

    /// A user who logs in: as the directory says now, or did a moment ago. One that can't be asked about is kept with
    /// what was said before, and asked about again later.
    pub(crate) async fn of(&self, asked: &str) -> Arc<User> {
        let now = Instant::now();
        let user = self.kept(asked, now);
        if !user.is_fresh(now, self.times.refresh) {
            let _asking = user.asking.lock().await;
            let tried = user.state.lock().tried;
            if tried.is_none_or(|tried| tried < now) {
                self.ask(&user).await;
            }
        }
        user
    }

    /// A user who has logged in without the directory: as it said before, or says within `limit`. The rest comes later.
    pub(crate) async fn of_late(&self, asked: &str, limit: Duration) -> Arc<User> {
        let user = self.kept(asked, Instant::now());
        if user.groups(Instant::now()) == DirectoryGroups::Unknown {
            let _ = timeout(limit, self.of(asked)).await;
        }
        user
    }

    /// The groups of a user as far as they are known.
    pub(crate) fn known(&self, user: &str) -> Option<Arc<[Principal]>> {
        let user = self.users.lock().get(&folded(user)).cloned()?;
        match user.groups(Instant::now()) {
            DirectoryGroups::Known(groups) => Some(groups),
            DirectoryGroups::Unknown | DirectoryGroups::Nobody => None,
        }
    }

    fn kept(&self, asked: &str, now: Instant) -> Arc<User> {
        let key = folded(asked);
        let mut users = self.users.lock();
        if let Some(user) = users.get(&key) {
            user.state.lock().used = now;
            return Arc::clone(user);
        }
        if users.len() >= self.times.max_users {
            users.retain(|_, user| Arc::strong_count(user) > 1);
        }
        let user = Arc::new(User::new(asked, self.times.max_stale, now));
        if users.len() < self.times.max_users {
            users.insert(key, Arc::clone(&user));
        } else {
            tracing::warn!(
                "more than {} users of the directory have sessions: the groups of '{asked}' are not renewed",
                self.times.max_users
            );
        }
        user
    }

    async fn ask(&self, user: &User) {
        user.state.lock().tried = Some(Instant::now());
        let answer = self.source.look(&user.asked).await;
        let was_down = std::mem::replace(&mut *self.is_down.lock(), answer.is_err());
        match answer {
            Ok(groups) => {
                if was_down {
                    tracing::info!("the directory answers again");
                }
                user.hear(groups, Instant::now());
            }
            Err(trouble) if was_down => tracing::debug!("the directory still can't be asked: {trouble}"),
            Err(trouble) => tracing::warn!(
                "the directory can't be asked, what it said of groups stays good for {:?}: {trouble}",
                self.times.max_stale
            ),
        }
    }

    /// Asks about those with a session that are due, and forgets the others. Returns how many have lost their groups.
    async fn renew(&self) -> usize {
        let refresh = self.times.refresh;
        let now = Instant::now();
        let mut due = Vec::new();
        self.users.lock().retain(|_, user| {
            let state = user.state.lock();
            let is_due = state.tried.is_none_or(|tried| now.saturating_duration_since(tried) >= refresh);
            let is_of_use = Arc::strong_count(user) > 1;
            if is_due && is_of_use {
                due.push(Arc::clone(user));
            }
            is_of_use || now.saturating_duration_since(state.used) < refresh
        });
        stream::iter(&due).for_each_concurrent(AT_ONCE, |user| self.ask(user)).await;
        let now = Instant::now();
        self.users.lock().values().filter(|user| user.is_newly_lost(now)).count()
    }

    /// Does that for ever.
    pub(crate) async fn renew_for_ever(self: Arc<Self>) {
        loop {
            sleep((self.times.refresh / 4).clamp(TICK_MIN, TICK_MAX)).await;
            let lost = self.renew().await;
            if lost > 0 {
                tracing::warn!(
                    users = lost,
                    "the directory has not answered for {:?}: what groups of these users are allowed is denied",
                    self.times.max_stale
                );
            }
        }
    }
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
