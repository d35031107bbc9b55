//! One connection to a server of the directory.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult, Scope, SearchEntry, StdStream};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::server::{Protection, Server};
use crate::trouble::{Trouble, bounded};

/// Entries that a server sends at once (RFC 2696); Active Directory sends no more than a thousand.
const PAGE: i32 = 500;

/// A connection. One thing is done on it at a time.
pub(crate) struct Link {
    ldap: Ldap,
    driver: AbortHandle,
    limit: Duration,
    /// True while something is being done: what was cut off leaves answers behind that nobody waits for.
    at_work: bool,
}

/// What is searched for.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pub(crate) base: &'a str,
    /// The base itself, or everything under it.
    pub(crate) is_of_base: bool,
    pub(crate) filter: &'a str,
    pub(crate) attributes: &'a [&'a str],
    /// With more entries than that there is no answer.
    pub(crate) most: usize,
}

impl Query<'static> {
    /// What every server answers to whoever may search it.
    pub(crate) const fn of_root() -> Self {
        Self { base: "", is_of_base: true, filter: "(objectClass=*)", attributes: &["1.1"], most: 1 }
    }
}

/// What came of a search.
pub(crate) enum Found {
    Entries(Vec<SearchEntry>),
    TooMany,
}

impl Link {
    /// Connects, with TLS unless `server` says otherwise.
    pub(crate) async fn open(
        server: &Server,
        tls: Option<&Arc<ClientConfig>>,
        limit: Duration,
    ) -> Result<Self, Trouble> {
        let opening = contained(async {
            let stream = TcpStream::connect((server.host(), server.port())).await?;
            // A bind is a small message that waits for its answer: 40 ms each, else.
            stream.set_nodelay(true)?;
            let settings = LdapConnSettings::new()
                .set_std_stream(StdStream::Tcp(stream.into_std()?))
                .set_starttls(server.protection() == Protection::StartTls);
            let settings = match tls {
                Some(tls) => settings.set_config(Arc::clone(tls)),
                None => settings,
            };
            LdapConnAsync::with_settings(settings, &server.url()).await
        });
        let (connection, ldap) = match timeout(limit, opening).await {
            Err(_) => return Err(server.unreachable(&Trouble::Late(limit).to_string())),
            Ok(Err(trouble)) => return Err(server.unreachable(&trouble.to_string())),
            Ok(Ok(pair)) => pair,
        };
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!("a connection to the directory ended: {error}");
            }
        });
        Ok(Self { ldap, driver: driver.abort_handle(), limit, at_work: false })
    }

    /// Whether it can be used again.
    pub(crate) fn is_good(&mut self) -> bool {
        !self.at_work && !self.ldap.is_closed() && !self.driver.is_finished()
    }

    /// Logs in. Never call it with an empty password: servers take that for nobody, and say yes (RFC 4513, section
    /// 5.1.2).
    pub(crate) async fn bind(&mut self, dn: &str, password: &str) -> Result<LdapResult, Trouble> {
        if dn.is_empty() || password.is_empty() {
            return Err(Trouble::Refused { code: 49, text: "a name or a password is empty".to_owned() });
        }
        self.at_work = true;
        let done = within(self.limit, contained(self.ldap.simple_bind(dn, password))).await?;
        self.at_work = false;
        Ok(done)
    }

    /// The entries that a search finds.
    pub(crate) async fn search(&mut self, query: &Query<'_>) -> Result<Found, Trouble> {
        self.at_work = true;
        let found = within(self.limit, contained(search(&mut self.ldap, query))).await?;
        // The rest of what is too much is still to come.
        self.at_work = matches!(found, Found::TooMany);
        Ok(found)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // It may be waiting for a peer that takes nothing any more.
        self.driver.abort();
    }
}

async fn search(ldap: &mut Ldap, query: &Query<'_>) -> Result<Found, ldap3::LdapError> {
    const NO_SUCH_OBJECT: u32 = 32;
    let attributes: Vec<String> = query.attributes.iter().map(|name| (*name).to_owned()).collect();
    let mut adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> = vec![Box::new(EntriesOnly::new())];
    let scope = if query.is_of_base {
        Scope::Base
    } else {
        adapters.push(Box::new(PagedResults::new(PAGE)));
        Scope::Subtree
    };
    let mut stream =
        ldap.streaming_search_with(adapters, query.base, scope, query.filter, attributes).await?;
    let mut entries = Vec::new();
    while let Some(entry) = stream.next().await? {
        if entries.len() == query.most {
            return Ok(Found::TooMany);
        }
        entries.push(SearchEntry::construct(entry));
    }
    let result = stream.finish().await;
    match result.rc {
        0 | NO_SUCH_OBJECT => Ok(Found::Entries(entries)),
        _ => Err(result.into()),
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(limit, work).await.map_err(|_| Trouble::Late(limit))?
}

/// The library panics at bytes that are no LDAP: that ends one connection and nothing else.
async fn contained<T, E: Into<Trouble>>(work: impl Future<Output = Result<T, E>>) -> Result<T, Trouble> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Trouble::Lost(bounded("what came is no LDAP"))),
    }
}
