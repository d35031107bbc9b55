//! What a session keeps of quotas.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use schloss_audit::Event;
use schloss_metadata::{ClientQuotas, QuotaKey};
use schloss_wire::Api;
use tokio::time::{Instant, Sleep, sleep_until};

use super::stopwatch::Stopwatch;
use super::throttled::Throttled;
use super::{Account, Quotas};

/// Whether nothing is read from a session's connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Paused {
    /// It is read from.
    No,
    /// Nothing is; the caller is woken when that ends.
    Still,
    /// It has ended just now.
    NoLonger,
}

/// The place of one session: what is in force for it, how long it is paused, and what became of it.
#[derive(Default)]
pub(crate) struct Seat {
    // For which quotas and client id `account` was looked up. An idle session keeps no quotas of old.
    found: Option<(Weak<ClientQuotas>, Arc<str>)>,
    account: Option<Arc<Account>>,
    stopwatch: Stopwatch,
    pause: Option<Pin<Box<Sleep>>>,
    // The peer sends no more.
    is_last: bool,
    throttled: Throttled,
}

impl Seat {
    /// What is in force for the next request.
    pub(crate) fn account(
        &mut self,
        kept: &Quotas,
        quotas: &Arc<ClientQuotas>,
        user: &str,
        client_id: &str,
    ) -> Option<Arc<Account>> {
        let is_known = self.found.as_ref().is_some_and(|(known, id)| {
            std::ptr::eq(known.as_ptr(), Arc::as_ptr(quotas)) && (quotas.is_empty() || **id == *client_id)
        });
        if !is_known {
            self.account = kept.account(quotas, user, client_id);
            self.found = Some((Arc::downgrade(quotas), Arc::from(client_id)));
        }
        self.account.clone()
    }

    /// Pays for a request that came; returns what its answer has to tell.
    pub(crate) fn arrive(&mut self, account: &Account, api: Api, bytes: usize) -> Duration {
        if api != Api::Produce {
            return Duration::ZERO;
        }
        self.throttle(QuotaKey::ProducerByteRate, account.produce(bytes))
    }

    /// Pays for an answer of so many bytes and all the work until now; returns what it has to tell.
    pub(crate) fn leave(&mut self, account: &Account, api: Api, bytes: usize) -> Duration {
        let fetch = if matches!(api, Api::Fetch | Api::ShareFetch) {
            self.throttle(QuotaKey::ConsumerByteRate, account.fetch(bytes))
        } else {
            Duration::ZERO
        };
        let time = self.stopwatch.take();
        fetch.max(self.throttle(QuotaKey::RequestPercentage, account.work(time)))
    }

    /// Pauses the session and counts it; returns the delay.
    pub(crate) fn throttle(&mut self, quota: QuotaKey, delay: Duration) -> Duration {
        if delay.is_zero() {
            return delay;
        }
        self.throttled.count(quota, delay);
        let until = Instant::now() + delay;
        match &mut self.pause {
            _ if self.is_last => {}
            Some(pause) if pause.deadline() >= until => {}
            Some(pause) => pause.as_mut().reset(until),
            None => self.pause = Some(Box::pin(sleep_until(until))),
        }
        delay
    }

    /// Pauses no longer than what is in force now asks for: a quota may have been raised.
    pub(crate) fn reconsider(&mut self, kept: &Quotas, quotas: &Arc<ClientQuotas>, user: &str) {
        let Some((_, client_id)) = self.found.clone() else { return };
        let account = self.account(kept, quotas, user, &client_id);
        let until = Instant::now() + account.map_or(Duration::ZERO, |account| account.debt());
        if let Some(pause) = &mut self.pause
            && until < pause.deadline()
        {
            pause.as_mut().reset(until);
        }
    }

    /// Ends the pause, and lets no other begin: all that is still to be read was sent before the peer went away.
    pub(crate) fn pause_no_more(&mut self) {
        self.pause = None;
        self.is_last = true;
    }

    /// Whether the session is paused, as far as was looked.
    pub(crate) const fn is_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// Looks whether the session is paused.
    pub(crate) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Paused {
        let Some(pause) = &mut self.pause else { return Paused::No };
        match pause.as_mut().poll(cx) {
            Poll::Pending => Paused::Still,
            Poll::Ready(()) => {
                self.pause = None;
                Paused::NoLonger
            }
        }
    }

    /// The session begins to keep a thread busy.
    pub(crate) fn begin_work(&mut self) {
        if self.account.as_ref().is_some_and(|account| account.is_timed()) {
            self.stopwatch.start();
        }
    }

    /// The session gives the thread back.
    pub(crate) fn end_work(&mut self) {
        self.stopwatch.stop();
    }

    /// Whether there are sums to be written now.
    pub(crate) fn is_due(&self, now: Instant, interval: Duration) -> bool {
        self.throttled.is_due(now, interval)
    }

    /// Takes the sums out as events; who and from where is for the caller to add.
    pub(crate) fn take_sums(&mut self) -> impl Iterator<Item = Event> + use<> {
        self.throttled.take()
    }
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;
    use schloss_metadata::QuotaEntity;

    use super::super::testing::{named, quotas};
    use super::*;

    /// What a session does with quotas for one produce request and one fetch.
    fn serve(seat: &mut Seat, kept: &Quotas, quotas: &Arc<ClientQuotas>) {
        for api in [Api::Produce, Api::Fetch] {
            seat.begin_work();
            if let Some(account) = seat.account(kept, quotas, "u", "c") {
                seat.arrive(&account, api, 100);
                seat.leave(&account, api, 100);
            }
            seat.end_work();
        }
    }

    #[test]
    fn a_request_allocates_and_locks_nothing_once_its_session_knows_its_quotas() {
        let (other, own) = (QuotaEntity::User(named("v")), QuotaEntity::User(named("u")));
        let keys = [QuotaKey::ProducerByteRate, QuotaKey::ConsumerByteRate, QuotaKey::RequestPercentage];
        let of = |entity| quotas(&keys.map(|key| (entity, key, 1e9)));
        for (quotas, buckets) in [(quotas(&[]), 0), (of(&other), 0), (of(&own), keys.len())] {
            let (kept, mut seat) = (Quotas::new(), Seat::default());
            serve(&mut seat, &kept, &quotas);
            assert_eq!(kept.buckets.count(), buckets);
            // Whoever asked for one now would wait here for ever.
            let locked = kept.buckets.lock_all();
            let allocations = measure(|| (0..100).for_each(|_| serve(&mut seat, &kept, &quotas)));
            drop(locked);
            assert_eq!(allocations.count_total, 0);
        }
    }

    #[test]
    fn an_idle_session_keeps_no_quotas_of_old() {
        let (old, new) =
            (quotas(&[]), quotas(&[(&QuotaEntity::User(named("u")), QuotaKey::ProducerByteRate, 1.0)]));
        let (kept, mut seat) = (Quotas::new(), Seat::default());
        assert!(seat.account(&kept, &old, "u", "c").is_none());
        assert_eq!(Arc::strong_count(&old), 1);
        drop(old);
        assert!(seat.account(&kept, &new, "u", "c").is_some());
    }
}
