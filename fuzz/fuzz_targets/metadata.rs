//! Records of the metadata, one a line, as a journal or a topic of somebody else's making may hold them: what they
//! make of the state is what that state, written down again, makes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schloss_metadata::{Record, State};

fuzz_target!(|data: &[u8]| {
    let lines = data.split(|byte| *byte == b'\n');
    let records: Vec<Record> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let Ok(state) = State::new(records, Vec::new()) else { return };
    let first: Vec<Record> = state.snapshot().records().collect();
    let again = State::new(first.clone(), Vec::new()).expect("its own records make a state");
    assert_eq!(first, again.snapshot().records().collect::<Vec<_>>());
});
