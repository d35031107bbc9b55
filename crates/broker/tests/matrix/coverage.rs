//! The cases are about every need of every row.

use std::collections::BTreeSet;

use schloss_policy::table::{Need, TABLE};
use schloss_policy::{Operation, ResourceType};
use schloss_wire::{Api, ErrorCode};

use crate::case::{Case, pair};
use crate::cases;

#[test]
fn every_need_of_every_row_is_asked_with_and_without() {
    let cases = cases::all();
    for row in TABLE.iter().filter(|row| row.after_authentication.is_none()) {
        let of_row: Vec<&Case> = cases.iter().filter(|case| case.api.key() == row.api_key).collect();
        assert!(!of_row.is_empty(), "{} has no case", row.name);
        let needs = || of_row.iter().flat_map(|case| &case.needs);
        let asked: BTreeSet<(Operation, ResourceType)> = needs().map(|need| pair(need.words)).collect();
        let can_be_asked = |need: &&Need| !CANT_BE_ASKED.contains(&(row.api_key, need.operation));
        let wanted: BTreeSet<(Operation, ResourceType)> =
            row.needs.iter().filter(can_be_asked).map(|need| (need.operation, need.resource_type)).collect();
        assert_eq!(asked, wanted, "{}", row.name);
        for need in row.needs.iter().filter(can_be_asked).filter(|need| need.error != ErrorCode::None) {
            let code = need.error.code().to_string();
            let without = needs().filter(|asked| pair(asked.words) == (need.operation, need.resource_type));
            // Where the answer has no room for it, or another word, that is a case of its own.
            let is_told =
                without.map(|asked| asked.told).any(|told| told.split([' ', ';']).any(|w| w == code));
            assert!(is_told || SAID_OTHERWISE.contains(&(row.name, need.operation)), "{} {code}", row.name);
        }
    }
    for case in &cases {
        assert!(TABLE.iter().any(|row| row.api_key == case.api.key()), "{} has no row", case.api.name());
    }
}

/// Two-phase commit is of a version that is not on offer.
const CANT_BE_ASKED: [(i16, Operation); 1] = [(Api::InitProducerId.key(), Operation::TwoPhaseCommit)];

#[test]
fn what_cant_be_asked_is_not_on_offer() {
    const TWO_PHASE_COMMIT: i16 = 6;
    assert!(Api::InitProducerId.range().max < TWO_PHASE_COMMIT, "it wants a case");
}

/// What Kafka tells by a status in place of the error.
const SAID_OTHERWISE: [(&str, Operation); 1] = [("StreamsGroupHeartbeat", Operation::Create)];
