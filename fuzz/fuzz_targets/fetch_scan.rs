//! A fetch answer as it passes through a gateway, in pieces: never a panic, and the same result however it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schloss_wire::FetchScan;

fuzz_target!(|data: &[u8]| {
    let [version, cut, frame @ ..] = data else { return };
    let version = 4 + i16::from(version % 15);
    let scan = |piece: usize| {
        let mut scan = FetchScan::new(version);
        let mut seen = Vec::new();
        let ended = frame
            .chunks(piece)
            .try_for_each(|bytes| scan.feed(bytes, |topic, partition| seen.push((topic.clone(), partition))));
        (ended.is_ok().then(|| scan.is_at_end()), seen)
    };
    let (whole, seen) = scan(frame.len().max(1));
    let (pieces, seen_in_pieces) = scan(usize::from(*cut).max(1));
    if whole.is_some() && pieces.is_some() {
        assert_eq!((whole, seen), (pieces, seen_in_pieces));
    }
});
