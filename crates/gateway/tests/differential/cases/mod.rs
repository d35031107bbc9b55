//! What is asked, by area.

mod cluster;
mod configs;
mod data;
mod groups;
mod listings;
mod members;
mod metadata;
mod offsets;
mod security;
mod share;
mod streams;
mod tokens;
mod topics;
mod transactions;

use crate::case::Case;

/// Topics that everybody asks for, in requests that mix them.
const LABELS: [&str; 5] = ["a", "b", "c", "pre-a", "missing"];

pub(crate) fn all() -> Vec<Case> {
    let mut cases = [
        metadata::cases(),
        listings::cases(),
        security::cases(),
        tokens::cases(),
        data::cases(),
        groups::cases(),
        offsets::cases(),
        members::cases(),
        share::cases(),
        streams::cases(),
        // From here on there are many topics.
        configs::cases(),
        transactions::cases(),
        topics::cases(),
        cluster::cases(),
    ]
    .concat();
    for (number, case) in cases.iter_mut().enumerate() {
        case.number = number;
    }
    cases
}
