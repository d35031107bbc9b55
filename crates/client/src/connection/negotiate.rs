//! Which versions of which API both sides know (ApiVersions, KIP-35 and KIP-511).

use std::collections::HashMap;

use schloss_wire::messages::{ApiVersionsRequest, ApiVersionsResponse};
use schloss_wire::{Api, ApiVersion, ErrorCode, KafkaDecode, RequestResponsePair, StrBytes, build};

use super::Connection;
use crate::error::ClientError;

/// What the broker serves.
#[derive(Default)]
pub(super) struct Versions {
    answer: ApiVersionsResponse,
    served: HashMap<i16, (i16, i16)>,
}

impl Versions {
    /// The highest version of an API that both know and that is stable, at most `ceiling`.
    pub(super) fn pick<R: RequestResponsePair>(&self, ceiling: i16) -> Option<i16> {
        let &(server_min, server_max) = self.served.get(&R::API_KEY.value())?;
        let (our_min, our_max) = ours::<R>();
        let highest = server_max.min(our_max).min(ceiling);
        (highest >= server_min.max(our_min)).then_some(highest)
    }

    pub(super) fn answer(&self) -> &ApiVersionsResponse {
        &self.answer
    }

    pub(super) fn is_empty(&self) -> bool {
        self.served.is_empty()
    }

    /// In words, why [`Versions::pick`] found nothing.
    pub(super) fn describe<R: RequestResponsePair>(&self) -> String {
        let name = R::API_DESCRIPTOR.request.name.trim_end_matches("Request");
        let (our_min, our_max) = ours::<R>();
        match self.served.get(&R::API_KEY.value()) {
            None => name.to_owned(),
            Some((min, max)) => {
                format!("{name} {our_min} to {our_max} (it serves {min} to {max})")
            }
        }
    }
}

fn ours<R: RequestResponsePair>() -> (i16, i16) {
    let descriptor = R::API_DESCRIPTOR;
    let min = descriptor.supported_versions.min().value();
    (min, descriptor.latest_stable_version().map_or(min, ApiVersion::value))
}

/// The version that is asked at first: every broker since 2.4 knows it.
const FIRST_VERSION: i16 = 3;
/// The version whose answer leaves nothing out: before it, features that begin at level 0 are missing.
const WHOLE_VERSION: i16 = 4;

/// Asks the broker what it serves before anything else is known of it. A broker that does not know that version
/// answers with error 35 in a version 0 body that holds its range.
pub(super) async fn first(connection: &mut Connection) -> Result<Versions, ClientError> {
    let mut response = exchange(connection, FIRST_VERSION).await?;
    if response.error_code == ErrorCode::UnsupportedVersion.code() {
        let theirs = response.api_keys.iter().find(|range| range.api_key == Api::ApiVersions.key());
        // Brokers before 2.4 send no range here: version 0 works everywhere.
        let version = theirs.map_or(0, |range| range.max_version.clamp(0, FIRST_VERSION));
        response = exchange(connection, version).await?;
    }
    Versions::from(connection, response)
}

/// Asks again if there may be more to learn: after authentication, or at a version that says more.
pub(super) async fn whole(connection: &mut Connection) -> Result<Versions, ClientError> {
    let version = connection.version::<ApiVersionsRequest>(WHOLE_VERSION)?;
    if connection.user.is_none() && version < WHOLE_VERSION {
        return Ok(std::mem::take(&mut connection.versions));
    }
    let response = exchange(connection, version).await?;
    Versions::from(connection, response)
}

impl Versions {
    fn from(connection: &Connection, answer: ApiVersionsResponse) -> Result<Self, ClientError> {
        if answer.error_code != 0 {
            return Err(ClientError::Broker {
                code: answer.error_code,
                doing: format!("agreeing on versions with {}", connection.address),
                message: None,
            });
        }
        let ranges = answer.api_keys.iter();
        let served = ranges.map(|range| (range.api_key, (range.min_version, range.max_version))).collect();
        Ok(Self { answer, served })
    }
}

async fn exchange(connection: &mut Connection, version: i16) -> Result<ApiVersionsResponse, ClientError> {
    let mut request = ApiVersionsRequest::default();
    if version >= 3 {
        request = build!(ApiVersionsRequest {
            client_software_name: StrBytes::from("schloss"),
            client_software_version: StrBytes::from(env!("CARGO_PKG_VERSION")),
        });
    }
    connection.send(&request, version).await?;
    let (sent, body) = connection.next_body().await?;
    let unsupported = ErrorCode::UnsupportedVersion.code().to_be_bytes();
    let written = if body.starts_with(&unsupported) { ApiVersion::new(0) } else { sent };
    ApiVersionsResponse::decode_from_bytes(body, written, connection.limits)
        .map_err(|error| connection.malformed(&error))
}
