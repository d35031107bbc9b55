//! What is asked, by area.

mod data;
mod metadata;

use crate::case::Case;

pub(crate) fn all() -> Vec<Case> {
    [metadata::cases(), data::cases()].concat()
}
