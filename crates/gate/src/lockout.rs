//! Who has failed to log in too often waits, longer each time: per claimed principal and per address.
//!
//! Names that nobody has are counted as those of users are, so a lock tells nothing about who exists; and whoever is
//! locked out is told what a wrong password is told. Both tables are bounded.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits::counted_as;

/// Most principals, most addresses, and most pairs of them that are remembered.
const ENTRIES_MAX: usize = 10_000;
/// Entries that are looked at for the one to forget when there are too many.
const LOOKED_AT: usize = 16;
/// How long an address is known for a success, so that others can't lock a principal out of it.
const KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// When log-ins are locked out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LockoutConfig {
    /// Failures in a row of one principal until it is locked out; 0 for never.
    pub principal_failures: u32,
    /// Failures of one address until it is locked out; 0 for never. An IPv6 address counts as its /64 network.
    pub address_failures: u32,
    /// How long the first lock lasts. Each failure after it doubles that.
    pub first: Duration,
    /// The longest lock; failures are forgotten after that time without another one.
    pub longest: Duration,
}

impl Default for LockoutConfig {
    fn default() -> Self {
        Self {
            principal_failures: 10,
            address_failures: 100,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(900),
        }
    }
}

/// Failures so far.
pub(crate) struct Lockouts {
    config: LockoutConfig,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    principals: HashMap<String, Failures>,
    addresses: HashMap<IpAddr, Failures>,
    /// When a principal last came from an address.
    known: HashMap<(String, IpAddr), Instant>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    locked_until: Option<Instant>,
}

/// Who is locked out, and for how long from now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Locked {
    Principal(Duration),
    Address(Duration),
}

impl fmt::Display for Locked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, left) = match self {
            Self::Principal(left) => ("this user is", left),
            Self::Address(left) => ("this address is", left),
        };
        let seconds = left.as_secs_f64();
        write!(formatter, "{who} locked out for {seconds:.1} s after too many failed log-ins")
    }
}

impl Lockouts {
    pub(crate) fn new(config: LockoutConfig) -> Self {
        Self { config, tables: Mutex::default() }
    }

    /// Whether nobody gets in by this name from this address for now.
    pub(crate) fn locked(&self, principal: Option<&str>, address: IpAddr, now: Instant) -> Option<Locked> {
        let address = counted_as(address);
        let tables = self.tables.lock();
        let of_address = tables.addresses.get(&address).and_then(|failures| failures.left(now));
        of_address.map(Locked::Address).or_else(|| {
            let principal = principal?;
            let left = tables.principals.get(principal)?.left(now)?;
            let known = tables.known.get(&(principal.to_owned(), address));
            let is_known = known.is_some_and(|seen| now.saturating_duration_since(*seen) < KNOWN_FOR);
            (!is_known).then_some(Locked::Principal(left))
        })
    }

    /// Counts a failure. What is locked already is not counted on; the locks that begin with it are returned.
    pub(crate) fn failed(&self, principal: Option<&str>, address: IpAddr, now: Instant) -> Vec<Locked> {
        let tables = &mut *self.tables.lock();
        let of_principal = principal.and_then(|principal| {
            let threshold = self.config.principal_failures;
            let left = self.count(&mut tables.principals, principal.to_owned(), threshold, now)?;
            Some(Locked::Principal(left))
        });
        let threshold = self.config.address_failures;
        let of_address = self.count(&mut tables.addresses, counted_as(address), threshold, now);
        of_principal.into_iter().chain(of_address.map(Locked::Address)).collect()
    }

    /// Forgets the failures of who has got in. Those of the address stay: others may have caused them.
    pub(crate) fn succeeded(&self, principal: &str, address: IpAddr, now: Instant) {
        if self.config.principal_failures == 0 {
            return;
        }
        let tables = &mut *self.tables.lock();
        tables.principals.remove(principal);
        let pair = (principal.to_owned(), counted_as(address));
        make_room(&mut tables.known, &pair, |seen| *seen);
        tables.known.insert(pair, now);
    }

    fn count<K: Clone + Eq + Hash>(
        &self,
        table: &mut HashMap<K, Failures>,
        key: K,
        threshold: u32,
        now: Instant,
    ) -> Option<Duration> {
        if threshold == 0 {
            return None;
        }
        // Who is locked out is forgotten last.
        make_room(table, &key, |failures| failures.locked_until.unwrap_or(failures.last));
        let nothing = Failures { count: 0, last: now, locked_until: None };
        let failures = table.entry(key).or_insert(nothing);
        if failures.left(now).is_some() {
            return None;
        }
        let since = failures.locked_until.unwrap_or(failures.last);
        if now.saturating_duration_since(since) > self.config.longest {
            *failures = nothing;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        let beyond = failures.count.checked_sub(threshold)?;
        let doubled = self.config.first.saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX));
        let lock = doubled.min(self.config.longest);
        failures.locked_until = now.checked_add(lock);
        Some(lock)
    }
}

impl Failures {
    fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.locked_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

/// Forgets the oldest of a few entries if there are too many for one more.
fn make_room<K: Clone + Eq + Hash, V>(table: &mut HashMap<K, V>, key: &K, age: impl Fn(&V) -> Instant) {
    if table.len() < ENTRIES_MAX || table.contains_key(key) {
        return;
    }
    let oldest = table.iter().take(LOOKED_AT).min_by_key(|(_, value)| age(value));
    if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: LockoutConfig = LockoutConfig {
        principal_failures: 3,
        address_failures: 5,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_failure_after_the_first_lock_doubles_it_up_to_the_longest() {
        let lockouts = Lockouts::new(LockoutConfig { address_failures: 0, ..CONFIG });
        let mut now = Instant::now();
        let mut locks = Vec::new();
        for _ in 0..12 {
            let locked = lockouts.failed(Some("alice"), ip("10.0.0.1"), now);
            if let [Locked::Principal(lock)] = locked[..] {
                assert_eq!(
                    lockouts.locked(Some("alice"), ip("10.0.0.9"), now),
                    Some(Locked::Principal(lock))
                );
                assert_eq!(lockouts.locked(Some("bob"), ip("10.0.0.1"), now), None);
                locks.push(lock.as_secs());
                // What fails meanwhile makes it no longer.
                assert!(lockouts.failed(Some("alice"), ip("10.0.0.1"), now).is_empty());
                now += lock;
            }
            assert_eq!(lockouts.locked(Some("alice"), ip("10.0.0.9"), now), None);
        }
        assert_eq!(locks, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn an_address_is_locked_out_for_every_name() {
        let lockouts = Lockouts::new(CONFIG);
        let now = Instant::now();
        for name in ["a", "b", "c", "d"] {
            assert!(lockouts.failed(Some(name), ip("2001:db8::1"), now).is_empty());
        }
        assert_eq!(lockouts.failed(None, ip("2001:db8::2"), now), [Locked::Address(seconds(1))]);
        assert!(lockouts.locked(Some("e"), ip("2001:db8::3"), now).is_some(), "the same /64");
        assert_eq!(lockouts.locked(Some("e"), ip("2001:db8:1::1"), now), None);
    }

    #[test]
    fn a_success_forgets_the_failures_of_the_user_and_not_those_of_the_address() {
        let lockouts = Lockouts::new(CONFIG);
        let (now, here) = (Instant::now(), ip("10.0.0.1"));
        for _ in 0..2 {
            lockouts.failed(Some("alice"), here, now);
            lockouts.failed(Some("alice"), here, now);
            lockouts.succeeded("alice", here, now);
        }
        assert_eq!(lockouts.failed(Some("alice"), here, now), [Locked::Address(seconds(1))]);
    }

    #[test]
    fn nobody_is_locked_out_of_where_they_came_from_by_what_others_do_elsewhere() {
        let lockouts = Lockouts::new(CONFIG);
        let (now, home, elsewhere) = (Instant::now(), ip("10.0.0.1"), ip("10.0.0.2"));
        lockouts.succeeded("alice", home, now);
        for _ in 0..3 {
            lockouts.failed(Some("alice"), elsewhere, now);
        }
        assert!(lockouts.locked(Some("alice"), elsewhere, now).is_some());
        assert_eq!(lockouts.locked(Some("alice"), home, now), None);
        assert_eq!(lockouts.locked(Some("alice"), home, now + KNOWN_FOR / 2), None);
    }

    #[test]
    fn failures_long_ago_do_not_count() {
        let lockouts = Lockouts::new(CONFIG);
        let (now, here) = (Instant::now(), ip("10.0.0.1"));
        lockouts.failed(Some("alice"), here, now);
        lockouts.failed(Some("alice"), here, now);
        assert!(lockouts.failed(Some("alice"), here, now + seconds(61)).is_empty());
        assert!(lockouts.failed(Some("alice"), here, now + seconds(62)).is_empty());
        assert_eq!(lockouts.failed(Some("alice"), here, now + seconds(63)).len(), 1);
    }

    #[test]
    fn the_tables_are_bounded_and_forget_who_is_locked_last() {
        let lockouts = Lockouts::new(LockoutConfig { principal_failures: 1, ..CONFIG });
        let now = Instant::now();
        for number in 0..ENTRIES_MAX + 100 {
            let [a, b] = u16::try_from(number).unwrap().to_be_bytes();
            lockouts.failed(Some(&number.to_string()), IpAddr::from([10, 0, a, b]), now);
            lockouts.succeeded(&format!("known {number}"), IpAddr::from([10, 0, a, b]), now);
        }
        let tables = lockouts.tables.lock();
        let sizes = (tables.principals.len(), tables.addresses.len(), tables.known.len());
        assert_eq!(sizes, (ENTRIES_MAX, ENTRIES_MAX, ENTRIES_MAX));
    }

    #[test]
    fn zero_locks_nobody_out() {
        let lockouts = Lockouts::new(LockoutConfig { principal_failures: 0, address_failures: 0, ..CONFIG });
        let now = Instant::now();
        for _ in 0..1000 {
            assert!(lockouts.failed(Some("alice"), ip("10.0.0.1"), now).is_empty());
        }
        assert!(lockouts.tables.lock().principals.is_empty());
    }
}
