//! `18 ApiVersions`: what the gate and its engine offer (KIP-35, KIP-511, KIP-1242).

use bytes::Bytes;
use schloss_wire::messages::api_versions_response::ApiVersion;
use schloss_wire::messages::{ApiVersionsRequest, ApiVersionsResponse};
use schloss_wire::{
    Api, DecodeBudget, DecodeError, ErrorCode, Request, RequestHead, Response, StrBytes, build,
};

/// The APIs that the gate serves itself, whatever the engine.
pub(crate) const OWN_APIS: [Api; 9] = [
    Api::SaslHandshake,
    Api::ApiVersions,
    Api::DescribeAcls,
    Api::CreateAcls,
    Api::DeleteAcls,
    Api::SaslAuthenticate,
    Api::DescribeClientQuotas,
    Api::DescribeUserScramCredentials,
    Api::AlterUserScramCredentials,
];

/// The list of what is served, made once.
pub(crate) struct ApiCatalogue {
    served: Vec<Api>,
    ranges: Vec<ApiVersion>,
    cluster_id: String,
    node_id: i32,
}

impl ApiCatalogue {
    pub(crate) fn new(engine: &[Api], cluster_id: String, node_id: i32) -> Self {
        let mut served: Vec<Api> = engine.iter().copied().chain(OWN_APIS).collect();
        served.sort_unstable();
        served.dedup();
        let ranges = served.iter().copied().map(advertised).collect();
        Self { served, ranges, cluster_id, node_id }
    }

    /// Whether requests of this API are served at all.
    pub(crate) fn serves(&self, api: Api) -> bool {
        self.served.binary_search(&api).is_ok()
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
                api_keys: vec![advertised(Api::ApiVersions)],
            });
            return Ok((response.into(), 0));
        }
        let limits = DecodeBudget::Unauthenticated.limits();
        let error = match Request::decode(Api::ApiVersions, head.api_version, body, limits)? {
            Request::ApiVersions(request) => self.objection(&request, head.api_version),
            _ => ErrorCode::InvalidRequest,
        };
        let api_keys = if error == ErrorCode::None { self.ranges.clone() } else { Vec::new() };
        let response = build!(ApiVersionsResponse { error_code: error.code(), api_keys });
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
        if other_cluster || (request.node_id != -1 && request.node_id != self.node_id) {
            return ErrorCode::RebootstrapRequired;
        }
        ErrorCode::None
    }
}

fn advertised(api: Api) -> ApiVersion {
    let range = api.range();
    // librdkafka takes a minimum above 0 for a broker that lacks message formats it needs (KAFKA-18659).
    // Kafka advertises 0 as well, and refuses the versions that it does not have.
    let min = if api == Api::Produce { 0 } else { range.min };
    build!(ApiVersion { api_key: api.key(), min_version: min, max_version: range.max })
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

    fn catalogue() -> ApiCatalogue {
        ApiCatalogue::new(&[Api::Produce, Api::Metadata], "cluster-1".to_owned(), 7)
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
        match catalogue().answer(&head, body.freeze()).unwrap() {
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
        assert_eq!(keys, [0, 3, 17, 18, 29, 30, 31, 36, 48, 50, 51]);
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
