//! Users and their credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_identity::{DEFAULT_ITERATIONS, Mechanism, SaltShape, ScramCredential};

/// One user: a name that has at least one credential.
#[derive(Clone, Debug, Default)]
pub struct User {
    scram: BTreeMap<Mechanism, Arc<ScramCredential>>,
}

impl User {
    /// The mechanisms the user can authenticate with, and the iterations of each.
    pub fn mechanisms(&self) -> impl ExactSizeIterator<Item = (Mechanism, u32)> {
        self.scram.iter().map(|(mechanism, credential)| (*mechanism, credential.iterations()))
    }

    pub(crate) fn credential(&self, mechanism: Mechanism) -> Option<&Arc<ScramCredential>> {
        self.scram.get(&mechanism)
    }

    pub(crate) fn credentials(&self) -> impl Iterator<Item = &Arc<ScramCredential>> {
        self.scram.values()
    }
}

/// What a credential looks like from outside: iterations, bytes of salt, salt alphanumeric.
type Look = (u32, usize, bool);

/// All users. A clone shares every [`User`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Users {
    by_name: BTreeMap<Arc<str>, Arc<User>>,
    /// How many credentials of a mechanism look alike.
    looks: BTreeMap<Mechanism, BTreeMap<Look, u64>>,
}

impl Users {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<User>)> {
        self.by_name.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn set(&mut self, name: &str, credential: ScramCredential) {
        let mechanism = credential.mechanism();
        self.remove(name, mechanism);
        *self.looks.entry(mechanism).or_default().entry(look(&credential)).or_default() += 1;
        let user = self.by_name.entry(name.into()).or_default();
        Arc::make_mut(user).scram.insert(mechanism, Arc::new(credential));
    }

    /// Removes a credential, and the user with the last one.
    pub(crate) fn remove(&mut self, name: &str, mechanism: Mechanism) -> bool {
        let Some(user) = self.by_name.get_mut(name) else { return false };
        let Some(credential) = Arc::make_mut(user).scram.remove(&mechanism) else { return false };
        if user.scram.is_empty() {
            self.by_name.remove(name);
        }
        if let Some(looks) = self.looks.get_mut(&mechanism)
            && let Some(count) = looks.get_mut(&look(&credential))
        {
            *count -= 1;
            if *count == 0 {
                looks.remove(&look(&credential));
            }
        }
        true
    }

    pub(crate) fn unknown_iterations(&self, mechanism: Mechanism, seed: u64) -> u32 {
        self.imitate(mechanism, seed).map_or(DEFAULT_ITERATIONS, |(iterations, ..)| iterations)
    }

    pub(crate) fn unknown_salt_shape(&self, mechanism: Mechanism, seed: u64) -> SaltShape {
        let shape = |(_, bytes, alphanumeric)| SaltShape { bytes, alphanumeric };
        self.imitate(mechanism, seed).map_or(SaltShape::DEFAULT, shape)
    }

    /// What the user behind `seed`, who does not exist, looks like: each look as often as it is among the
    /// users that do. Weighted rendezvous hashing rather than a remainder, so that a new user changes the
    /// look of as few unknown ones as can be; a change would give them away.
    fn imitate(&self, mechanism: Mechanism, seed: u64) -> Option<Look> {
        let distance = |(look, count): &(&Look, &u64)| {
            let (iterations, bytes, alphanumeric) = **look;
            let mixed = [u64::from(iterations), bytes as u64, u64::from(alphanumeric)]
                .into_iter()
                .fold(mix(seed), |hash, part| mix(hash ^ part));
            // 53 bits, in (0, 1]: the logarithm is finite.
            let uniform = ((mixed >> 11) + 1) as f64 / (1_u64 << 53) as f64;
            -uniform.ln() / **count as f64
        };
        let looks = self.looks.get(&mechanism)?.iter();
        looks.min_by(|left, right| distance(left).total_cmp(&distance(right))).map(|(look, _)| *look)
    }
}

fn look(credential: &ScramCredential) -> Look {
    let SaltShape { bytes, alphanumeric } = credential.salt_shape();
    (credential.iterations(), bytes, alphanumeric)
}

/// The finaliser of SplitMix64: every bit of the result depends on every bit of the input.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(iterations: u32, salt: &[u8]) -> ScramCredential {
        ScramCredential::from_salted_password(Mechanism::ScramSha256, iterations, salt.to_vec(), &[7; 32])
            .unwrap()
    }

    #[test]
    fn a_user_that_does_not_exist_looks_like_those_that_do() {
        let mut users = Users::default();
        assert_eq!(users.unknown_iterations(Mechanism::ScramSha256, 1), DEFAULT_ITERATIONS);
        for user in 0..30 {
            users.set(&format!("new{user}"), credential(8192, &[200; 32]));
        }
        for user in 0..10 {
            users.set(&format!("old{user}"), credential(4096, b"1abcdefghi0123456789abcdef"));
        }
        let looks: Vec<(u32, SaltShape)> = (0..4000)
            .map(|seed| {
                let iterations = users.unknown_iterations(Mechanism::ScramSha256, seed);
                (iterations, users.unknown_salt_shape(Mechanism::ScramSha256, seed))
            })
            .collect();
        let old = (4096, SaltShape { bytes: 26, alphanumeric: true });
        let new = (8192, SaltShape { bytes: 32, alphanumeric: false });
        assert!(looks.iter().all(|look| *look == old || *look == new), "both come from one credential");
        let share = looks.iter().filter(|look| **look == old).count();
        assert!((800..1200).contains(&share), "{share} of 4000 look like the 10 of 40");
        // The other mechanism has no credential to imitate.
        assert_eq!(users.unknown_iterations(Mechanism::ScramSha512, 1), DEFAULT_ITERATIONS);

        users.set("new30", credential(8192, &[200; 32]));
        let moved = (0..4000)
            .filter(|seed| users.unknown_iterations(Mechanism::ScramSha256, *seed) != looks[*seed as usize].0)
            .count();
        assert!(moved < 80, "{moved} of 4000 unknown users changed when one user was added");
    }

    #[test]
    fn a_user_is_gone_with_the_last_credential_and_so_is_its_look() {
        let mut users = Users::default();
        users.set("a", credential(4096, &[200; 32]));
        users.set("a", credential(5000, &[200; 32]));
        assert_eq!(users.unknown_iterations(Mechanism::ScramSha256, 3), 5000);
        assert!(!users.remove("a", Mechanism::ScramSha512));
        assert!(users.remove("a", Mechanism::ScramSha256));
        assert!(users.get("a").is_none());
        assert_eq!(users.len(), 0);
        assert_eq!(users.unknown_iterations(Mechanism::ScramSha256, 3), DEFAULT_ITERATIONS);
    }
}
