//! Where a member of a group stands between what it holds and what its coordinator wants it to hold.
//!
//! A member first gives up what it should not hold, in its old epoch, and says so by what it reports to own.
//! Then it enters the epoch of the target and gets what is free; what others have yet to give up comes with a
//! later heartbeat. So nothing is ever with two members that only one may hold.

use std::collections::{BTreeMap, BTreeSet};

use schloss_wire::ErrorCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::refused::Refused;

/// The epoch of a member that joins.
pub(crate) const JOINING: i32 = 0;

/// What a member holds, each with the epoch in which it got it.
pub(super) type Held<K> = BTreeMap<K, i32>;

/// How far a member is on its way to its target assignment.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Progress {
    /// It is there.
    #[default]
    Stable,
    /// It has to give something up first, and to say that it did.
    Unrevoked,
    /// It waits for what others have yet to give up.
    Unreleased,
}

/// Epochs and holdings of one member.
#[derive(Clone, Debug)]
pub(super) struct Place<K> {
    pub(super) epoch: i32,
    /// The epoch before the last step: a member that missed the answer still comes with it.
    pub(super) previous_epoch: i32,
    pub(super) progress: Progress,
    /// What it may hold.
    pub(super) assigned: Held<K>,
    /// What it has to give up and may still hold.
    pub(super) revoking: Held<K>,
    /// What it should hold.
    pub(super) target: BTreeSet<K>,
    /// Until when it has to give up what it has to.
    pub(super) rebalance_ends: Option<Instant>,
}

impl<K> Default for Place<K> {
    /// That of a member that has just come.
    fn default() -> Self {
        Self {
            epoch: JOINING,
            previous_epoch: JOINING,
            progress: Progress::Stable,
            assigned: Held::new(),
            revoking: Held::new(),
            target: BTreeSet::new(),
            rebalance_ends: None,
        }
    }
}

impl<K: Clone + Ord> Place<K> {
    /// Everything that it may still hold.
    pub(super) fn held(&self) -> impl Iterator<Item = &K> {
        self.assigned.keys().chain(self.revoking.keys())
    }

    /// How many things are kept of it.
    pub(super) fn count(&self) -> usize {
        self.assigned.len() + self.revoking.len() + self.target.len()
    }

    /// Whether it is where the assignment of this epoch wants it.
    pub(super) fn is_reconciled_to(&self, epoch: i32) -> bool {
        self.progress == Progress::Stable && self.epoch == epoch
    }

    /// In which epoch it got what it may still hold.
    pub(super) fn held_since(&self, one: &K) -> Option<i32> {
        self.assigned.get(one).or_else(|| self.revoking.get(one)).copied()
    }

    /// A member comes with its epoch, or with the one before if it missed the answer that told it of the new
    /// one and owns nothing but what it was told of.
    pub(super) fn check_epoch(&self, epoch: i32, owned: Option<&BTreeSet<K>>) -> Result<(), Refused> {
        if epoch == JOINING || epoch == self.epoch {
            return Ok(());
        }
        let fenced = |relation: &str| {
            Err(Refused::new(
                ErrorCode::FencedMemberEpoch,
                format_args!(
                    "the member has a {relation} epoch ({epoch}) than the coordinator knows ({}): it must abandon \
                     all its partitions and join again",
                    self.epoch
                ),
            ))
        };
        if epoch > self.epoch {
            return fenced("greater");
        }
        let owns_its_own = owned.is_some_and(|owned| owned.iter().all(|one| self.assigned.contains_key(one)));
        if epoch == self.previous_epoch && owns_its_own { Ok(()) } else { fenced("smaller") }
    }

    /// Takes the next step to the target of this epoch; false if there is none to take. What it has to give
    /// up it has to by `rebalance_ends`; `is_free` says what others leave to it.
    pub(super) fn advance(
        &mut self,
        epoch: i32,
        owned: Option<&BTreeSet<K>>,
        rebalance_ends: Instant,
        is_free: impl Fn(&K) -> bool,
    ) -> bool {
        let waits = match self.progress {
            Progress::Stable => self.epoch == epoch,
            Progress::Unrevoked => may_own(&self.revoking, owned),
            Progress::Unreleased => false,
        };
        if waits {
            return false;
        }
        let (mut assigned, revoking): (Held<K>, Held<K>) =
            std::mem::take(&mut self.assigned).into_iter().partition(|(one, _)| self.target.contains(one));
        if !revoking.is_empty() && may_own(&revoking, owned) {
            self.enter_epoch(self.epoch);
            self.progress = Progress::Unrevoked;
            self.rebalance_ends = Some(rebalance_ends);
            self.revoking = revoking;
        } else {
            let wanted = self.target.iter().filter(|one| !assigned.contains_key(one));
            let (free, unreleased): (Vec<_>, Vec<_>) = wanted.cloned().partition(is_free);
            assigned.extend(free.into_iter().map(|one| (one, epoch)));
            self.enter_epoch(epoch);
            self.progress = if unreleased.is_empty() { Progress::Stable } else { Progress::Unreleased };
            self.rebalance_ends = None;
            self.revoking = Held::new();
        }
        self.assigned = assigned;
        true
    }

    fn enter_epoch(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }
}

/// Whether a member may still own some of this. One that doesn't say may.
fn may_own<K: Ord>(revoking: &Held<K>, owned: Option<&BTreeSet<K>>) -> bool {
    owned.is_none_or(|owned| owned.iter().any(|one| revoking.contains_key(one)))
}
