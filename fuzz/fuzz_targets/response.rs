//! Responses of a broker that may be hostile, as the command line reads them.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use schloss_wire::{Api, DecodeBudget, Response};

fuzz_target!(|data: &[u8]| {
    let [key, version, body @ ..] = data else { return };
    let Some(api) = Api::from_key(i16::from(*key)).filter(|api| api.supports(i16::from(*version))) else {
        return;
    };
    let limits = DecodeBudget::Authenticated { max_request_bytes: 1 << 20 }.limits();
    if let Ok(response) = Response::decode(api, i16::from(*version), Bytes::copy_from_slice(body), limits) {
        assert!(response.encode_frame(1, i16::from(*version)).is_ok(), "{response:?}");
    }
});
