//! The APIs that Schloss understands, and their requests and responses as values.

use bytes::{Bytes, BytesMut};
use kafka_wire::{ApiDescriptor, KafkaMessage, KafkaRequest};
use kafka_wire_core::{
    ApiVersion, DecodeError, DecodeLimits, Decoder, EncodeError, Encoder, KafkaDecode, KafkaEncode,
};

use crate::frame::LENGTH_PREFIX_BYTES;
use crate::house_api::FIRST_KEY;

/// Every message, Kafka's and ours.
mod k {
    pub(super) use kafka_wire::*;

    pub(super) use crate::house_api::{
        AlterSecurityRequest, AlterSecurityResponse, DescribeSecurityRequest, DescribeSecurityResponse,
    };
}

/// The versions of one API that are offered to clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ApiRange {
    /// The API.
    pub api: Api,
    /// Lowest version.
    pub min: i16,
    /// Highest version.
    pub max: i16,
}

macro_rules! apis {
    ($($name:ident = $key:literal, $request:ident, $response:ident;)+) => {
        /// A Kafka API that Schloss knows; what is not here can't be decoded, so it can't be served.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(i16)]
        #[expect(missing_docs, reason = "the names are Kafka's own")]
        pub enum Api { $($name = $key,)+ }

        /// A decoded request. Record batches inside stay the bytes of the frame.
        #[derive(Clone, Debug)]
        #[expect(missing_docs, reason = "the names are Kafka's own")]
        pub enum Request { $($name(k::$request),)+ }

        /// A response, not yet encoded.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "the names are Kafka's own")]
        pub enum Response { $($name(k::$response),)+ }

        $(
            impl From<k::$request> for Request {
                fn from(body: k::$request) -> Self { Self::$name(body) }
            }
            impl From<k::$response> for Response {
                fn from(body: k::$response) -> Self { Self::$name(body) }
            }
        )+

        impl Api {
            /// Every API, in the order of its key.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The API with this key.
            #[must_use]
            pub const fn from_key(key: i16) -> Option<Self> {
                match key { $($key => Some(Self::$name),)+ _ => None }
            }

            /// Kafka's name of it, such as `Produce`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            fn descriptor(self) -> &'static ApiDescriptor {
                match self { $(Self::$name => <k::$request as KafkaRequest>::API_DESCRIPTOR,)+ }
            }
        }

        impl Request {
            /// Which API this is a request of.
            #[must_use]
            pub const fn api(&self) -> Api {
                match self { $(Self::$name(_) => Api::$name,)+ }
            }

            /// Decodes a body. Bytes left over are ignored, as Kafka does: librdkafka ends an all-topics
            /// Metadata request with three of them (librdkafka issue 5049).
            ///
            /// # Errors
            /// Malformed bytes, an unsupported version, or a limit passed.
            pub fn decode(api: Api, version: i16, body: Bytes, limits: DecodeLimits) -> Result<Self, DecodeError> {
                let version = ApiVersion::new(version);
                let mut decoder = Decoder::new(body, limits)?;
                Ok(match api {
                    $(Api::$name => Self::$name(k::$request::decode(&mut decoder, version)?),)+
                })
            }

            /// Encodes the body alone.
            ///
            /// # Errors
            /// A field that this version can't carry.
            pub fn encode_body(&self, buffer: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
                let version = ApiVersion::new(version);
                match self { $(Self::$name(body) => body.encode_into(buffer, version).map(|_| ()),)+ }
            }
        }

        impl Response {
            /// Which API this answers.
            #[must_use]
            pub const fn api(&self) -> Api {
                match self { $(Self::$name(_) => Api::$name,)+ }
            }

            /// Decodes a whole body.
            ///
            /// # Errors
            /// Malformed bytes, an unsupported version, or a limit passed.
            pub fn decode(api: Api, version: i16, body: Bytes, limits: DecodeLimits) -> Result<Self, DecodeError> {
                let version = ApiVersion::new(version);
                Ok(match api {
                    $(Api::$name => Self::$name(k::$response::decode_from_bytes(body, version, limits)?),)+
                })
            }

            fn encode_body(&self, encoder: &mut BytesMut, version: ApiVersion) -> Result<(), EncodeError> {
                match self { $(Self::$name(body) => {
                    debug_assert!(k::$response::supports(version));
                    body.encode(&mut Encoder::new(encoder), version)
                })+ }
            }

            fn body_len(&self, version: ApiVersion) -> Result<usize, EncodeError> {
                match self { $(Self::$name(body) => body.encoded_len(version),)+ }
            }
        }
    };
}

apis! {
    Produce = 0, ProduceRequest, ProduceResponse;
    Fetch = 1, FetchRequest, FetchResponse;
    ListOffsets = 2, ListOffsetsRequest, ListOffsetsResponse;
    Metadata = 3, MetadataRequest, MetadataResponse;
    OffsetCommit = 8, OffsetCommitRequest, OffsetCommitResponse;
    OffsetFetch = 9, OffsetFetchRequest, OffsetFetchResponse;
    FindCoordinator = 10, FindCoordinatorRequest, FindCoordinatorResponse;
    JoinGroup = 11, JoinGroupRequest, JoinGroupResponse;
    Heartbeat = 12, HeartbeatRequest, HeartbeatResponse;
    LeaveGroup = 13, LeaveGroupRequest, LeaveGroupResponse;
    SyncGroup = 14, SyncGroupRequest, SyncGroupResponse;
    DescribeGroups = 15, DescribeGroupsRequest, DescribeGroupsResponse;
    ListGroups = 16, ListGroupsRequest, ListGroupsResponse;
    SaslHandshake = 17, SaslHandshakeRequest, SaslHandshakeResponse;
    ApiVersions = 18, ApiVersionsRequest, ApiVersionsResponse;
    CreateTopics = 19, CreateTopicsRequest, CreateTopicsResponse;
    DeleteTopics = 20, DeleteTopicsRequest, DeleteTopicsResponse;
    DeleteRecords = 21, DeleteRecordsRequest, DeleteRecordsResponse;
    InitProducerId = 22, InitProducerIdRequest, InitProducerIdResponse;
    OffsetForLeaderEpoch = 23, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    AddPartitionsToTxn = 24, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
    AddOffsetsToTxn = 25, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
    EndTxn = 26, EndTxnRequest, EndTxnResponse;
    WriteTxnMarkers = 27, WriteTxnMarkersRequest, WriteTxnMarkersResponse;
    TxnOffsetCommit = 28, TxnOffsetCommitRequest, TxnOffsetCommitResponse;
    DescribeAcls = 29, DescribeAclsRequest, DescribeAclsResponse;
    CreateAcls = 30, CreateAclsRequest, CreateAclsResponse;
    DeleteAcls = 31, DeleteAclsRequest, DeleteAclsResponse;
    DescribeConfigs = 32, DescribeConfigsRequest, DescribeConfigsResponse;
    AlterConfigs = 33, AlterConfigsRequest, AlterConfigsResponse;
    AlterReplicaLogDirs = 34, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
    DescribeLogDirs = 35, DescribeLogDirsRequest, DescribeLogDirsResponse;
    SaslAuthenticate = 36, SaslAuthenticateRequest, SaslAuthenticateResponse;
    CreatePartitions = 37, CreatePartitionsRequest, CreatePartitionsResponse;
    CreateDelegationToken = 38, CreateDelegationTokenRequest, CreateDelegationTokenResponse;
    RenewDelegationToken = 39, RenewDelegationTokenRequest, RenewDelegationTokenResponse;
    ExpireDelegationToken = 40, ExpireDelegationTokenRequest, ExpireDelegationTokenResponse;
    DescribeDelegationToken = 41, DescribeDelegationTokenRequest, DescribeDelegationTokenResponse;
    DeleteGroups = 42, DeleteGroupsRequest, DeleteGroupsResponse;
    ElectLeaders = 43, ElectLeadersRequest, ElectLeadersResponse;
    IncrementalAlterConfigs = 44, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    AlterPartitionReassignments = 45, AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
    ListPartitionReassignments = 46, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
    OffsetDelete = 47, OffsetDeleteRequest, OffsetDeleteResponse;
    DescribeClientQuotas = 48, DescribeClientQuotasRequest, DescribeClientQuotasResponse;
    AlterClientQuotas = 49, AlterClientQuotasRequest, AlterClientQuotasResponse;
    DescribeUserScramCredentials = 50, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
    AlterUserScramCredentials = 51, AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse;
    DescribeQuorum = 55, DescribeQuorumRequest, DescribeQuorumResponse;
    UpdateFeatures = 57, UpdateFeaturesRequest, UpdateFeaturesResponse;
    DescribeCluster = 60, DescribeClusterRequest, DescribeClusterResponse;
    DescribeProducers = 61, DescribeProducersRequest, DescribeProducersResponse;
    UnregisterBroker = 64, UnregisterBrokerRequest, UnregisterBrokerResponse;
    DescribeTransactions = 65, DescribeTransactionsRequest, DescribeTransactionsResponse;
    ListTransactions = 66, ListTransactionsRequest, ListTransactionsResponse;
    ConsumerGroupHeartbeat = 68, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    ConsumerGroupDescribe = 69, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
    GetTelemetrySubscriptions = 71, GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse;
    PushTelemetry = 72, PushTelemetryRequest, PushTelemetryResponse;
    ListConfigResources = 74, ListConfigResourcesRequest, ListConfigResourcesResponse;
    DescribeTopicPartitions = 75, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
    ShareGroupHeartbeat = 76, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse;
    ShareGroupDescribe = 77, ShareGroupDescribeRequest, ShareGroupDescribeResponse;
    ShareFetch = 78, ShareFetchRequest, ShareFetchResponse;
    ShareAcknowledge = 79, ShareAcknowledgeRequest, ShareAcknowledgeResponse;
    AddRaftVoter = 80, AddRaftVoterRequest, AddRaftVoterResponse;
    RemoveRaftVoter = 81, RemoveRaftVoterRequest, RemoveRaftVoterResponse;
    StreamsGroupHeartbeat = 88, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse;
    StreamsGroupDescribe = 89, StreamsGroupDescribeRequest, StreamsGroupDescribeResponse;
    DescribeShareGroupOffsets = 90, DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse;
    AlterShareGroupOffsets = 91, AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse;
    DeleteShareGroupOffsets = 92, DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse;
    DescribeSecurity = 1000, DescribeSecurityRequest, DescribeSecurityResponse;
    AlterSecurity = 1001, AlterSecurityRequest, AlterSecurityResponse;
}

impl Api {
    /// The numeric key.
    #[must_use]
    pub const fn key(self) -> i16 {
        self as i16
    }

    /// Whether it is Schloss's own, which no Kafka has.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        self.key() >= FIRST_KEY
    }

    /// The stable versions that the codec can read and write, both ends included.
    #[must_use]
    pub fn range(self) -> ApiRange {
        let descriptor = self.descriptor();
        let min = descriptor.supported_versions.min().value();
        let max = descriptor.latest_stable_version().map_or(min, ApiVersion::value);
        ApiRange { api: self, min, max }
    }

    /// Whether this version can be served.
    #[must_use]
    pub fn supports(self, version: i16) -> bool {
        let range = self.range();
        (range.min..=range.max).contains(&version)
    }

    /// Whether this version's header and body carry tagged fields. Versions above ours count as flexible,
    /// which is how a client of the future frames them.
    #[must_use]
    pub fn is_flexible(self, version: i16) -> bool {
        self.descriptor().flexible_versions.is_some_and(|range| version >= range.min().value())
    }

    fn response_header_is_flexible(self, version: i16) -> bool {
        // KIP-511: an ApiVersions answer keeps the old header, since its reader may not know our version.
        self != Self::ApiVersions && self.is_flexible(version)
    }

    /// Bytes of the header before a response body of this version: the correlation id and, if flexible, an
    /// empty tagged section.
    #[must_use]
    pub fn response_header_bytes(self, version: i16) -> usize {
        4 + usize::from(self.response_header_is_flexible(version))
    }
}

impl Request {
    /// Encodes a frame from the header on, without its length.
    ///
    /// # Errors
    /// A field that this version can't carry, or a client id over 32 KiB.
    pub fn encode_frame(
        &self,
        correlation_id: i32,
        client_id: Option<&str>,
        version: i16,
    ) -> Result<Bytes, EncodeError> {
        let api = self.api();
        let mut frame = BytesMut::new();
        frame.extend_from_slice(&api.key().to_be_bytes());
        frame.extend_from_slice(&version.to_be_bytes());
        frame.extend_from_slice(&correlation_id.to_be_bytes());
        // Even a flexible header keeps the old form of the client id (KIP-511).
        let id = client_id.unwrap_or_default();
        let length = i16::try_from(id.len()).map_err(|_| EncodeError::FrameTooLarge { bytes: id.len() })?;
        frame.extend_from_slice(&client_id.map_or(-1, |_| length).to_be_bytes());
        frame.extend_from_slice(id.as_bytes());
        if api.is_flexible(version) {
            frame.extend_from_slice(&[0]);
        }
        self.encode_body(&mut frame, version)?;
        Ok(frame.freeze())
    }
}

impl Response {
    /// Encodes a whole frame: length, header and body.
    ///
    /// # Errors
    /// A field that this version can't carry, or a frame over 2 GiB.
    pub fn encode_frame(&self, correlation_id: i32, version: i16) -> Result<BytesMut, EncodeError> {
        let api = self.api();
        let body_version = ApiVersion::new(version);
        let length = api.response_header_bytes(version) + self.body_len(body_version)?;
        let prefix = i32::try_from(length).map_err(|_| EncodeError::FrameTooLarge { bytes: length })?;
        let mut frame = BytesMut::with_capacity(LENGTH_PREFIX_BYTES + length);
        frame.extend_from_slice(&prefix.to_be_bytes());
        frame.extend_from_slice(&correlation_id.to_be_bytes());
        if api.response_header_is_flexible(version) {
            frame.extend_from_slice(&[0]);
        }
        self.encode_body(&mut frame, body_version)?;
        debug_assert_eq!(frame.len(), LENGTH_PREFIX_BYTES + length);
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build;

    #[test]
    fn keys_and_names_are_kafkas() {
        for &api in Api::ALL {
            assert_eq!(Api::from_key(api.key()), Some(api));
            assert_eq!(api.descriptor().api_key.value(), api.key(), "{}", api.name());
            assert!(api.descriptor().request.name.starts_with(api.name()));
        }
    }

    #[test]
    fn the_ranges_reach_stock_clients() {
        // The lowest version that a Kafka 4.x client is able to send, and librdkafka 2's highest.
        for (api, client_min) in
            [(Api::Produce, 3), (Api::Fetch, 4), (Api::ListOffsets, 1), (Api::OffsetCommit, 2)]
        {
            let range = api.range();
            assert!(range.min <= client_min && range.max >= client_min, "{range:?}");
        }
        assert_eq!(Api::InitProducerId.range().max, 5, "version 6 is unstable and not offered");
    }

    #[test]
    fn bytes_after_a_request_are_ignored() {
        let all_topics_of_librdkafka = Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0]);
        let limits = crate::DecodeBudget::Unauthenticated.limits();
        let request = Request::decode(Api::Metadata, 12, all_topics_of_librdkafka, limits).unwrap();
        assert!(matches!(request, Request::Metadata(body) if body.topics.is_none()));
    }

    #[test]
    fn an_api_versions_answer_keeps_the_old_header() {
        let response: Response = build!(k::ApiVersionsResponse { error_code: 35 }).into();
        let frame = response.encode_frame(7, 3).unwrap();
        assert_eq!(&frame[4..10], [0, 0, 0, 7, 0, 35]);
    }
}
