//! Record batches as a producer sends them: the checks of the broker, and the decoder of the client behind them.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use schloss_wire::records::{RecordBatch, RecordDecodeLimits, check_batches};

fuzz_target!(|data: &[u8]| {
    let records = Bytes::copy_from_slice(data);
    if let Ok(batches) = check_batches(&records) {
        assert_eq!(batches.iter().map(|(header, _)| header.total_bytes).sum::<usize>(), data.len());
        for (header, mut batch) in batches {
            let limits = RecordDecodeLimits::new(1 << 20, 1 << 20, RecordDecodeLimits::default().wire);
            if let Ok(decoded) = RecordBatch::decode(&mut batch, limits) {
                assert_eq!(decoded.records.len(), usize::try_from(header.record_count).unwrap());
            }
        }
    }
});
