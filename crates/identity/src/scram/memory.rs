//! Salted passwords that a client keeps, so that it runs PBKDF2 once and not for every connection.

use std::num::NonZeroU32;

use parking_lot::Mutex;
use zeroize::Zeroizing;

/// Salts that are remembered. A cluster has one for each credential, but each of its brokers another one for a
/// delegation token.
const MAX_ENTRIES: usize = 16;

/// What one password came to with the salts that servers asked for (RFC 5802, section 5.1, lets a client keep
/// it). Wiped when dropped; it has no `Debug`.
#[derive(Default)]
pub struct SaltMemory(Mutex<Vec<Entry>>);

struct Entry {
    salt: Vec<u8>,
    iterations: NonZeroU32,
    salted: Zeroizing<Vec<u8>>,
}

impl SaltMemory {
    pub(super) fn recall(&self, salt: &[u8], iterations: NonZeroU32) -> Option<Zeroizing<Vec<u8>>> {
        let entries = self.0.lock();
        let known = entries.iter().find(|entry| entry.salt == salt && entry.iterations == iterations);
        known.map(|entry| entry.salted.clone())
    }

    pub(super) fn keep(&self, salt: &[u8], iterations: NonZeroU32, salted: &Zeroizing<Vec<u8>>) {
        let mut entries = self.0.lock();
        if entries.iter().any(|entry| entry.salt == salt && entry.iterations == iterations) {
            return;
        }
        if entries.len() >= MAX_ENTRIES {
            entries.remove(0);
        }
        entries.push(Entry { salt: salt.to_vec(), iterations, salted: salted.clone() });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
