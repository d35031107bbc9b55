//! Passwords: held, never shown.

use zeroize::Zeroizing;

use crate::random;

/// Bytes of randomness in a generated password: 160 bits.
const GENERATED_BYTES: usize = 20;

/// RFC 4648 base32 in lower case: needs no quoting in a URL, a shell, a properties file or JSON, and a
/// double click selects all of it.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A password in memory, overwritten when it is dropped.
///
/// It implements neither `Debug` nor `Display` nor `Serialize`, so it can't slip into a log:
///
/// ```compile_fail
/// println!("{:?}", schloss_identity::Password::generate());
/// ```
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes over a password as it was given; Kafka uses its UTF-8 bytes without SASLprep, and so do we.
    #[must_use]
    pub fn new(password: String) -> Self {
        Self(Zeroizing::new(password))
    }

    /// A new random password of 160 bits: 32 characters of `a-z2-7`.
    #[must_use]
    pub fn generate() -> Self {
        let random = Zeroizing::new(random::bytes::<GENERATED_BYTES>());
        // The capacity is exact, so that no copy of the beginning is left behind by a reallocation.
        let mut text = Zeroizing::new(String::with_capacity(GENERATED_BYTES * 8 / 5));
        for five in random.chunks_exact(5) {
            let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for shift in (0..8).rev() {
                text.push(char::from(ALPHABET[(bits >> (shift * 5) & 31) as usize]));
            }
        }
        Self(text)
    }

    /// The password itself. Keep it out of logs, errors and copies.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_generated_password_has_160_bits_and_needs_no_quoting() {
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let password = Password::generate();
            let text = password.expose();
            assert_eq!(text.len() * 5, 160);
            assert!(text.bytes().all(|byte| ALPHABET.contains(&byte)), "{text}");
            assert!(seen.insert(text.to_owned()), "generated twice");
        }
        let used: HashSet<u8> = seen.iter().flat_map(|text| text.bytes()).collect();
        assert_eq!(used.len(), ALPHABET.len(), "every letter of the alphabet occurs");
    }
}
