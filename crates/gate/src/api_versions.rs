//! `18 ApiVersions`: what the gate and its engine offer (KIP-35, KIP-511, KIP-1242).

use bytes::Bytes;
use schloss_wire::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use schloss_wire::messages::{ApiVersionsRequest, ApiVersionsResponse};
use schloss_wire::{
    Api, ApiRange, DecodeBudget, DecodeError, ErrorCode, Request, RequestHead, Response, StrBytes, build,
};

/// The APIs that the gate serves itself, whatever the engine.
pub(crate) const OWN_APIS: [Api; 14] = [
    Api::SaslHandshake,
    Api::ApiVersions,
    Api::DescribeAcls,
    Api::CreateAcls,
    Api::DeleteAcls,
    Api::SaslAuthenticate,
    Api::CreateDelegationToken,
    Api::RenewDelegationToken,
    Api::ExpireDelegationToken,
    Api::DescribeDelegationToken,
    Api::DescribeUserScramCredentials,
    Api::AlterUserScramCredentials,
    Api::DescribeSecurity,
    Api::AlterSecurity,
];

/// What is served at an entrance: the APIs with their versions, and who it is that serves them.
#[derive(Clone, Debug)]
pub struct Offer {
    // By API key; none where it is not served.
    ranges: Vec<Option<ApiRange>>,
    features: Features,
    cluster_id: String,
    node_id: Option<i32>,
}

/// The features that a cluster supports and has agreed on (KIP-584).
#[derive(Clone, Debug)]
pub struct Features {
    /// Version ranges that the broker supports.
    pub supported: Vec<SupportedFeatureKey>,
    /// Version levels in force in the cluster.
    pub finalized: Vec<FinalizedFeatureKey>,
    /// The epoch of what is in force; -1 when unknown.
    pub finalized_epoch: i64,
}

impl Default for Features {
    fn default() -> Self {
        Self { supported: Vec::new(), finalized: Vec::new(), finalized_epoch: -1 }
    }
}

impl Offer {
    /// The offer of an engine that serves `ranges`; the gate's own APIs are added. `node_id` is the broker that
    /// is meant here (`None` where any will do), compared as `cluster_id` is with what an ApiVersions v5
    /// request names (KIP-1242).
    #[must_use]
    pub fn new(
        ranges: impl IntoIterator<Item = ApiRange>,
        features: Features,
        cluster_id: &str,
        node_id: Option<i32>,
    ) -> Self {
        let own = OWN_APIS.into_iter().map(Api::range);
        let mut table = Vec::new();
        for range in ranges.into_iter().filter(|range| !OWN_APIS.contains(&range.api)).chain(own) {
            // Keys are small and known: `Api` has no other.
            let index = usize::from(range.api.key().unsigned_abs());
            if table.len() <= index {
                table.resize(index + 1, None);
            }
            table[index] = Some(range);
        }
        Self { ranges: table, features, cluster_id: cluster_id.to_owned(), node_id }
    }

    /// Whether requests of this API and version are served.
    #[must_use]
    pub fn serves(&self, api: Api, version: i16) -> bool {
        let range = self.ranges.get(usize::from(api.key().unsigned_abs())).copied().flatten();
        range.is_some_and(|range| (range.min..=range.max).contains(&version))
    }

    /// Answers a request, of whatever version. Returns the answer and the version to encode it in.
    ///
    /// # Errors
    /// Malformed bytes of a version that is known.
    pub(crate) fn answer(&self, head: &RequestHead, body: Bytes) -> Result<(Response, i16), DecodeError> {
        if !Api::ApiVersions.supports(head.api_version) {
            // A client of the future reads version 0 and asks again within the range it finds there.
            let response = build!(ApiVersionsResponse {
                error_code: ErrorCode::UnsupportedVersion.code(),
                api_keys: vec![advertised(Api::ApiVersions.range())],
            });
            return Ok((response.into(), 0));
        }
        let limits = DecodeBudget::Unauthenticated.limits();
        let error = match Request::decode(Api::ApiVersions, head.api_version, body, limits)? {
            Request::ApiVersions(request) => self.objection(&request, head.api_version),
            _ => ErrorCode::InvalidRequest,
        };
        if error != ErrorCode::None {
            let response = build!(ApiVersionsResponse { error_code: error.code() });
            return Ok((response.into(), head.api_version));
        }
        let response = build!(ApiVersionsResponse {
            api_keys: self.ranges.iter().flatten().copied().map(advertised).collect(),
            supported_features: self.features.supported.clone(),
            finalized_features: self.features.finalized.clone(),
            finalized_features_epoch: self.features.finalized_epoch,
        });
        Ok((response.into(), head.api_version))
    }

    fn objection(&self, request: &ApiVersionsRequest, version: i16) -> ErrorCode {
        let named = is_software_name(&request.client_software_name)
            && is_software_name(&request.client_software_version);
        if version >= 3 && !named {
            return ErrorCode::InvalidRequest;
        }
        let other_cluster =
            request.cluster_id.as_ref().is_some_and(|id: &StrBytes| id.as_str() != self.cluster_id);
        let other_node = self.node_id.is_some_and(|id| request.node_id != -1 && request.node_id != id);
        if other_cluster || other_node {
            return ErrorCode::RebootstrapRequired;
        }
        ErrorCode::None
    }
}

fn advertised(range: ApiRange) -> ApiVersion {
    // librdkafka takes a minimum above 0 for a broker that lacks message formats it needs (KAFKA-18659).
    // Kafka advertises 0 as well, and refuses the versions that it does not have.
    let min = if range.api == Api::Produce { 0 } else { range.min };
    build!(ApiVersion { api_key: range.api.key(), min_version: min, max_version: range.max })
}

/// The grammar of KIP-511: letters, digits, dots and dashes, with a letter or digit at both ends.
fn is_software_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    outer(bytes.first())
        && outer(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn offer() -> Offer {
        let ranges = [Api::Produce, Api::Metadata].map(Api::range);
        Offer::new(ranges, Features::default(), "cluster-1", Some(7))
    }

    fn ask(version: i16, request: ApiVersionsRequest) -> (ApiVersionsResponse, i16) {
        let mut body = BytesMut::new();
        if Api::ApiVersions.supports(version) {
            Request::from(request).encode_body(&mut body, version).unwrap();
        }
        let mut head = BytesMut::new();
        head.extend_from_slice(&18_i16.to_be_bytes());
        head.extend_from_slice(&version.to_be_bytes());
        head.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
        if version >= 3 {
            head.extend_from_slice(&[0]);
        }
        let (head, _) = RequestHead::parse(head.freeze()).unwrap();
        match offer().answer(&head, body.freeze()).unwrap() {
            (Response::ApiVersions(response), version) => (response, version),
            (other, _) => panic!("{other:?}"),
        }
    }

    fn named() -> ApiVersionsRequest {
        build!(ApiVersionsRequest {
            client_software_name: "apache-kafka-java".into(),
            client_software_version: "4.4.0".into()
        })
    }

    #[test]
    fn the_gate_adds_its_own_apis_and_produce_begins_at_zero() {
        let (response, _) = ask(3, named());
        let keys: Vec<i16> = response.api_keys.iter().map(|range| range.api_key).collect();
        assert_eq!(keys, [0, 3, 17, 18, 29, 30, 31, 36, 38, 39, 40, 41, 50, 51, 1000, 1001]);
        assert_eq!(response.api_keys[0].min_version, 0, "KAFKA-18659");
    }

    #[test]
    fn an_unknown_version_is_answered_in_version_0_with_the_range() {
        let (response, version) = ask(99, named());
        assert_eq!((response.error_code, version), (35, 0));
        let range = &response.api_keys[0];
        assert_eq!((range.api_key, range.min_version, range.max_version), (18, 0, 5));
        assert_eq!(response.api_keys.len(), 1);
    }

    #[test]
    fn a_software_name_outside_the_grammar_is_invalid() {
        for name in ["", "-a", "a b", "a\u{e9}", "a."] {
            let mut request = named();
            request.client_software_name = name.into();
            assert_eq!(ask(3, request).0.error_code, 42, "{name:?}");
        }
    }

    #[test]
    fn a_client_of_another_cluster_or_node_is_sent_to_bootstrap_again() {
        let mut other_cluster = named();
        other_cluster.cluster_id = Some("cluster-2".into());
        assert_eq!(ask(5, other_cluster).0.error_code, 129);
        let mut other_node = named();
        other_node.node_id = 8;
        assert_eq!(ask(5, other_node).0.error_code, 129);
        let mut right = named();
        right.cluster_id = Some("cluster-1".into());
        right.node_id = 7;
        assert_eq!(ask(5, right).0.error_code, 0);
    }
}
