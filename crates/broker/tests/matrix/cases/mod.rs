//! Every API, in every way in which its sender may need something.

mod cluster;
mod configs;
mod data;
mod groups;
mod members;
mod security;
mod share;
mod streams;
mod tokens;
mod topics;
mod transactions;

use crate::case::Case;

/// The last version of AddPartitionsToTxn that clients use.
pub(crate) const ADD_PARTITIONS_OF_CLIENTS: i16 = 3;

pub(crate) fn all() -> Vec<Case> {
    let files = [
        data::cases(),
        topics::cases(),
        configs::cases(),
        groups::cases(),
        members::cases(),
        share::cases(),
        streams::cases(),
        transactions::cases(),
        cluster::cases(),
        security::cases(),
        tokens::cases(),
    ];
    files.into_iter().flatten().collect()
}
