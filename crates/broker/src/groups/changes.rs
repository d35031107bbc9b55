//! What changed in a group, as the journal has it: the form that all groups share whose members are kept.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// About how many bytes one entry may hold; a larger change becomes several.
const TARGET_ENTRY_BYTES: usize = 1024 * 1024;

/// Something that changed, or a part of it. `R` is what is written of a member.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changes<'a, R> {
    /// What was written of the group before counts no longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) afresh: bool,
    /// More of the same change follows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unfinished: bool,
    pub(super) epoch: i32,
    pub(super) assignment_epoch: i32,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub(super) gone: Vec<Cow<'a, str>>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub(super) members: Vec<R>,
}

/// What is written of a member.
pub(super) trait Weighed {
    /// Bytes of the row, by estimate.
    fn bytes(&self) -> usize;
}

impl<'a, R: Weighed> Changes<'a, R> {
    /// A change in as many parts as the entries of the journal take.
    pub(super) fn split(
        (epoch, assignment_epoch): (i32, i32),
        afresh: bool,
        gone: Vec<Cow<'a, str>>,
        rows: impl Iterator<Item = R>,
    ) -> Vec<Self> {
        let part = |afresh, gone| Self {
            afresh,
            unfinished: true,
            epoch,
            assignment_epoch,
            gone,
            members: Vec::new(),
        };
        let mut parts = Vec::new();
        let (mut last, mut bytes) = (part(afresh, gone), 0);
        for row in rows {
            let more = row.bytes();
            if bytes > 0 && bytes + more > TARGET_ENTRY_BYTES {
                parts.push(std::mem::replace(&mut last, part(false, Vec::new())));
                bytes = 0;
            }
            bytes += more;
            last.members.push(row);
        }
        last.unfinished = false;
        parts.push(last);
        parts
    }
}

/// What of a member is not yet in the journal as it is in memory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Unwritten {
    /// What it says of itself.
    pub(super) who: bool,
    /// Its epochs and what it holds.
    pub(super) place: bool,
}

impl Unwritten {
    pub(super) const ALL: Self = Self { who: true, place: true };
    pub(super) const NONE: Self = Self { who: false, place: false };
}
