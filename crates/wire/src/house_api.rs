//! The two APIs that Kafka does not have: what Schloss knows of security beyond Kafka's own (groups, roles,
//! explanations, policies as a whole).
//!
//! Each carries one JSON document in a bytes field; the gate knows the documents. Their keys are far above those
//! that Kafka gives out one by one, and stock clients pass over keys that they don't know.

use bytes::Bytes;
use kafka_wire::{
    ApiDescriptor, KafkaMessage, KafkaRequest, KafkaResponse, MessageDescriptor, MessageDirection,
    RequestResponsePair, RetainedFootprint, RetainedSize,
};
use kafka_wire_core::{
    ApiKey, ApiVersion, DecodeError, Decoder, EncodeError, EncodeTarget, Encoder, KafkaDecode, KafkaEncode,
    StrBytes, VersionRange,
};

/// The first key of Schloss's own APIs.
pub(crate) const FIRST_KEY: i16 = 1000;
const VERSIONS: VersionRange = VersionRange::new(0, 0);

macro_rules! house_api {
    ($key:expr, $(#[$request_doc:meta])* $request:ident, $(#[$response_doc:meta])* $response:ident, $descriptor:ident) => {
        $(#[$request_doc])*
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct $request {
            /// What is asked or told, in JSON.
            pub document: Bytes,
        }

        $(#[$response_doc])*
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct $response {
            /// The code of an error, 0 if there is none.
            pub error_code: i16,
            /// The error in words.
            pub error_message: Option<StrBytes>,
            /// The answer, in JSON; empty with an error.
            pub document: Bytes,
        }

        static $descriptor: ApiDescriptor = ApiDescriptor::new(
            $key,
            &MessageDescriptor::new($key, $request::NAME, MessageDirection::Request, VERSIONS, None),
            &MessageDescriptor::new($key, $response::NAME, MessageDirection::Response, VERSIONS, None),
            VERSIONS,
            None,
            false,
        );

        impl KafkaRequest for $request {
            const API_KEY: ApiKey = ApiKey::new($key);
            const API_DESCRIPTOR: &'static ApiDescriptor = &$descriptor;
        }

        impl KafkaResponse for $response {
            const API_KEY: ApiKey = ApiKey::new($key);
        }

        impl RequestResponsePair for $request {
            type Response = $response;
        }

        impl KafkaMessage for $request {
            const NAME: &'static str = stringify!($request);
            const SUPPORTED_VERSIONS: VersionRange = VERSIONS;
            const FLEXIBLE_VERSIONS: Option<VersionRange> = None;
        }

        impl KafkaMessage for $response {
            const NAME: &'static str = stringify!($response);
            const SUPPORTED_VERSIONS: VersionRange = VERSIONS;
            const FLEXIBLE_VERSIONS: Option<VersionRange> = None;
        }

        impl RetainedSize for $request {
            fn retained_size(&self) -> RetainedFootprint {
                self.document.retained_size()
            }
        }

        impl RetainedSize for $response {
            fn retained_size(&self) -> RetainedFootprint {
                self.error_message.retained_size().saturating_add(self.document.retained_size())
            }
        }

        impl KafkaDecode for $request {
            fn decode(decoder: &mut Decoder, _: ApiVersion) -> Result<Self, DecodeError> {
                Ok(Self { document: decoder.read_bytes()? })
            }
        }

        impl KafkaEncode for $request {
            fn encode<T: EncodeTarget>(&self, encoder: &mut Encoder<T>, _: ApiVersion) -> Result<(), EncodeError> {
                encoder.write_bytes(&self.document)
            }
        }

        impl KafkaDecode for $response {
            fn decode(decoder: &mut Decoder, _: ApiVersion) -> Result<Self, DecodeError> {
                Ok(Self {
                    error_code: decoder.read_i16()?,
                    error_message: decoder.read_nullable_string()?,
                    document: decoder.read_bytes()?,
                })
            }
        }

        impl KafkaEncode for $response {
            fn encode<T: EncodeTarget>(&self, encoder: &mut Encoder<T>, _: ApiVersion) -> Result<(), EncodeError> {
                encoder.write_i16(self.error_code)?;
                encoder.write_nullable_string(self.error_message.as_ref())?;
                encoder.write_bytes(&self.document)
            }
        }
    };
}

house_api!(
    FIRST_KEY,
    /// Asks something about security; changes nothing.
    DescribeSecurityRequest,
    /// The answer to [`DescribeSecurityRequest`].
    DescribeSecurityResponse,
    DESCRIBE_SECURITY
);
house_api!(
    FIRST_KEY + 1,
    /// Changes something about security.
    AlterSecurityRequest,
    /// The answer to [`AlterSecurityRequest`].
    AlterSecurityResponse,
    ALTER_SECURITY
);
