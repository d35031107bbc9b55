//! A bounded number of connections, kept for the next question.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ldap3::SearchEntry;
use parking_lot::Mutex;
use rustls::ClientConfig;
use schloss_identity::Password;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::link::{Found, Link, Query};
use crate::server::Server;
use crate::trouble::{Trouble, bounded};

/// How long a connection is kept that nobody uses: firewalls forget it after some minutes, and tell nobody.
const IDLE: Duration = Duration::from_secs(60);
/// How soon it is tried again after no server could be reached: log-ins in between need not wait for that.
const RETRY: Duration = Duration::from_secs(1);

/// How to get to a directory.
#[derive(Clone)]
pub struct Access {
    /// Its servers, tried in this order from the last good one on. At least one.
    pub servers: Vec<Server>,
    /// Whom the servers are trusted by.
    pub tls: Option<Arc<ClientConfig>>,
    /// As whom it is searched; as nobody, if none. The password is not empty.
    pub service: Option<(String, Password)>,
    /// Most connections.
    pub max_connections: usize,
    /// For a connection with TLS and log-in, and for each answer.
    pub time_limit: Duration,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// Searches, as the service.
    Search,
    /// Passwords of users: whoever logged in last is of no account.
    Check,
}

/// The connections.
pub(crate) struct Pool {
    access: Access,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
    /// The number of the last good server.
    current: AtomicUsize,
    /// Since when no server can be reached, and why.
    down: Mutex<Option<(Instant, Trouble)>>,
}

struct Idle {
    link: Link,
    purpose: Purpose,
    since: Instant,
}

/// A connection in use. Whoever is done with it gives it back; one that is dropped is gone.
struct Lease<'a> {
    link: Link,
    purpose: Purpose,
    is_new: bool,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    pub(crate) fn new(access: Access) -> Self {
        Self {
            permits: Semaphore::new(access.max_connections),
            access,
            idle: Mutex::default(),
            current: AtomicUsize::new(0),
            down: Mutex::default(),
        }
    }

    /// The entries that a search finds, as the service; nothing if there are more than it asks for.
    pub(crate) async fn search(&self, query: &Query<'_>) -> Result<Option<Vec<SearchEntry>>, Trouble> {
        loop {
            let mut lease = self.lease(Purpose::Search).await?;
            let found = lease.link.search(query).await;
            let is_new = lease.is_new;
            self.give_back(lease);
            return match found {
                // The server may have ended it long ago.
                Err(trouble) if trouble.is_of_connection() && !is_new => continue,
                Ok(Found::Entries(entries)) => Ok(Some(entries)),
                Ok(Found::TooMany) => Ok(None),
                Err(trouble) => Err(trouble),
            };
        }
    }

    /// Whether it is the password of `dn`: result code and text of the server. `and_read` is searched for as that user
    /// if it is.
    pub(crate) async fn check(
        &self,
        dn: &str,
        password: &Password,
        and_read: Option<&Query<'_>>,
    ) -> Result<(u32, String, Vec<SearchEntry>), Trouble> {
        loop {
            let mut lease = self.lease(Purpose::Check).await?;
            let result = match lease.link.bind(dn, password.expose()).await {
                Err(trouble) if trouble.is_of_connection() && !lease.is_new => continue,
                other => other?,
            };
            let mut entries = Vec::new();
            if let (0, Some(query)) = (result.rc, and_read)
                && let Found::Entries(found) = lease.link.search(query).await?
            {
                entries = found;
            }
            self.give_back(lease);
            return Ok((result.rc, bounded(&result.text), entries));
        }
    }

    async fn lease(&self, purpose: Purpose) -> Result<Lease<'_>, Trouble> {
        let permit = timeout(self.access.time_limit, self.permits.acquire()).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(Trouble::Busy)?;
        let kept = self.take_idle(purpose);
        let is_new = kept.is_none();
        let link = match kept {
            Some(link) => link,
            None => self.open(purpose).await?,
        };
        Ok(Lease { link, purpose, is_new, _permit: permit })
    }

    /// Keeps a connection for the next question, unless something was cut off on it.
    fn give_back(&self, lease: Lease<'_>) {
        let Lease { mut link, purpose, .. } = lease;
        if link.is_good() {
            self.idle.lock().push(Idle { link, purpose, since: Instant::now() });
        }
    }

    fn take_idle(&self, purpose: Purpose) -> Option<Link> {
        let mut idle = self.idle.lock();
        idle.retain_mut(|one| one.since.elapsed() < IDLE && one.link.is_good());
        let at = idle.iter().rposition(|one| one.purpose == purpose)?;
        Some(idle.swap_remove(at).link)
    }

    async fn open(&self, purpose: Purpose) -> Result<Link, Trouble> {
        if let Some((since, trouble)) = &*self.down.lock()
            && since.elapsed() < RETRY
        {
            return Err(trouble.clone());
        }
        let servers = &self.access.servers;
        let first = self.current.load(Ordering::Relaxed);
        let mut last = Trouble::Busy;
        for number in (first..servers.len()).chain(0..first) {
            match self.open_to(&servers[number], purpose).await {
                Ok(link) => {
                    self.current.store(number, Ordering::Relaxed);
                    *self.down.lock() = None;
                    return Ok(link);
                }
                Err(trouble) => last = trouble,
            }
        }
        *self.down.lock() = Some((Instant::now(), last.clone()));
        Err(last)
    }

    async fn open_to(&self, server: &Server, purpose: Purpose) -> Result<Link, Trouble> {
        let Access { tls, service, time_limit, .. } = &self.access;
        let mut link = Link::open(server, tls.as_ref(), *time_limit).await?;
        if let (Purpose::Search, Some((dn, password))) = (purpose, service) {
            let refused = |why: String| Trouble::Service { server: server.url(), dn: dn.clone(), why };
            let result = link.bind(dn, password.expose()).await;
            let result = result.map_err(|trouble| refused(trouble.to_string()))?;
            if result.rc != 0 {
                return Err(refused(format!("result {}: {}", result.rc, bounded(&result.text))));
            }
        }
        Ok(link)
    }
}
