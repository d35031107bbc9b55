//! The Kafka wire: frames, headers, API versions and requests.
//!
//! A thin facade over the `kafka-wire` crates. The rest of Schloss names protocol types through this crate
//! only, so the codec below can be replaced without moving a wall. What it adds: bounded framing, the list
//! of APIs that Schloss understands, error codes with names, principals, and a view of record batches that
//! does not decode them.

mod api;
mod error_code;
mod fetch_scan;
mod frame;
mod header;
mod house_api;
mod limits;
mod principal;
mod raw_snappy;
pub mod records;
mod throttle;

pub use api::{Api, ApiRange, Request, Response};
pub use error_code::ErrorCode;
pub use fetch_scan::{FetchScan, ScanError, ScannedPartition, ScannedTopic};
pub use frame::{FrameError, LENGTH_PREFIX_BYTES, split_frame};
pub use header::RequestHead;
pub use house_api::{
    AlterSecurityRequest, AlterSecurityResponse, DescribeSecurityRequest, DescribeSecurityResponse,
};
pub use limits::DecodeBudget;
pub use principal::{Principal, PrincipalError};

pub use kafka_wire as messages;
pub use kafka_wire::{KafkaMessage, KafkaRequest, KafkaResponse, RequestResponsePair};
pub use kafka_wire_core::{
    ApiVersion, DecodeError, DecodeLimits, Decoder, EncodeError, Encoder, KafkaDecode, KafkaEncode, StrBytes,
    Uuid,
};

/// Builds a protocol message from the fields named; the others keep their protocol default.
///
/// The generated messages are `#[non_exhaustive]`, so a struct expression can't be written outside their
/// crate.
#[macro_export]
macro_rules! build {
    ($ty:path { $($field:ident $(: $value:expr)?),* $(,)? }) => {{
        #[allow(unused_mut, clippy::field_reassign_with_default)]
        let mut message = <$ty>::default();
        $( message.$field = $crate::build!(@value $field $($value)?); )*
        message
    }};
    (@value $field:ident $value:expr) => { $value };
    (@value $field:ident) => { $field };
}
