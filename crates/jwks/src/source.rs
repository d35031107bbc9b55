//! The keys as they were last seen, and when to look again.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use schloss_identity::{IssuerKeys, KeySource};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::Place;

/// How soon it is looked again after a failure.
const RETRY: Duration = Duration::from_secs(10);
/// How long a log-in waits for a key that is not known.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the keys of an issuer are kept.
#[derive(Clone)]
pub struct JwksConfig {
    /// Where they are.
    pub place: Place,
    /// How often they are looked at.
    pub refresh: Duration,
    /// For how long keys are good while they can't be looked at.
    pub max_age: Duration,
    /// Between two looks that unknown keys bring about.
    pub min_interval: Duration,
    /// Where they are kept for a start during an outage.
    pub cache: Option<PathBuf>,
}

/// The keys of an issuer. Looks for new ones for as long as it lives.
pub struct Jwks {
    shared: Arc<Shared>,
    looking: AbortHandle,
}

struct Shared {
    config: JwksConfig,
    seen: ArcSwapOption<Seen>,
    wanted: Notify,
    /// Counts looks; the moment of the last.
    looks: watch::Sender<(u64, Option<Instant>)>,
}

struct Seen {
    keys: Arc<IssuerKeys>,
    at: Instant,
}

impl Jwks {
    /// Begins to look, inside a tokio runtime. Keys of an earlier run are there at once, if there is a cache.
    #[must_use]
    pub fn start(config: JwksConfig) -> Arc<Self> {
        let shared = Arc::new(Shared {
            seen: ArcSwapOption::from(config.cache.as_ref().and_then(cached).map(Arc::new)),
            config,
            wanted: Notify::new(),
            looks: watch::Sender::new((0, None)),
        });
        let looking = tokio::spawn(Arc::clone(&shared).look_for_ever()).abort_handle();
        Arc::new(Self { shared, looking })
    }

    /// Waits until it was looked once: whether there are keys.
    pub async fn first_look(&self) -> bool {
        let mut looks = self.shared.looks.subscribe();
        let _ = looks.wait_for(|(count, _)| *count > 0).await;
        self.keys().is_some()
    }
}

impl Drop for Jwks {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl KeySource for Jwks {
    fn keys(&self) -> Option<Arc<IssuerKeys>> {
        let seen = self.shared.seen.load();
        let good = seen.as_ref().filter(|seen| seen.at.elapsed() <= self.shared.config.max_age);
        good.map(|seen| Arc::clone(&seen.keys))
    }

    fn look_again(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let mut looks = self.shared.looks.subscribe();
            let (count, last) = *looks.borrow_and_update();
            if last.is_some_and(|last| last.elapsed() < self.shared.config.min_interval) {
                return;
            }
            self.shared.wanted.notify_one();
            let _ = timeout(PATIENCE, looks.wait_for(|(now, _)| *now != count)).await;
        })
    }
}

impl Shared {
    async fn look_for_ever(self: Arc<Self>) {
        let mut is_reached = true;
        loop {
            let found = self.config.place.fetch().await;
            let is_there = found.is_ok();
            match found {
                Ok((keys, text)) => {
                    if !is_reached {
                        tracing::info!("the keys of the token issuer are to be had again");
                    }
                    self.seen.store(Some(Arc::new(Seen { keys: Arc::new(keys), at: Instant::now() })));
                    self.keep(&text);
                }
                Err(error) if is_reached => tracing::warn!(
                    "the keys of the token issuer can't be looked at, those before stay good for {:?}: {error}",
                    self.config.max_age
                ),
                Err(error) => {
                    tracing::debug!("the keys of the token issuer still can't be looked at: {error}")
                }
            }
            is_reached = is_there;
            self.looks.send_modify(|(count, last)| {
                *count += 1;
                *last = Some(Instant::now());
            });
            let pause = if is_there { self.config.refresh } else { RETRY.min(self.config.refresh) };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wanted.notified() => {
                    let last = self.looks.borrow().1;
                    let rest = last.map_or(Duration::ZERO, |last| {
                        self.config.min_interval.saturating_sub(last.elapsed())
                    });
                    sleep(rest).await;
                }
            }
        }
    }

    /// Public keys are no secret, but a start believes them: the place has to be ours alone.
    fn keep(&self, text: &[u8]) {
        let Some(path) = &self.config.cache else { return };
        let new = path.with_extension("new");
        let kept = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path));
        if let Err(error) = kept {
            tracing::warn!("the keys of the token issuer can't be kept in {}: {error}", path.display());
        }
    }
}

fn cached(path: &PathBuf) -> Option<Seen> {
    let text = std::fs::read(path).ok()?;
    let age = SystemTime::now().duration_since(std::fs::metadata(path).ok()?.modified().ok()?).ok()?;
    let keys = Arc::new(IssuerKeys::read(&text).ok()?);
    Some(Seen { keys, at: Instant::now().checked_sub(age)? })
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
