//! One line of an audit file: an event in its CloudEvents 1.0 envelope.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::event::{Event, EventKind, SUCCESS, Traffic};
use crate::text::{SafeJson, bounded};

/// Most bytes of an event's `change`, as JSON. A larger one is replaced by its size and its beginning.
pub const MAX_CHANGE_BYTES: usize = 64 * 1024;
/// How much of a change that is too large is kept.
const CHANGE_EXCERPT_BYTES: usize = 4 * 1024;
/// What comes before the kind in a CloudEvents type.
const TYPE_PREFIX: &str = "io.schloss.audit/";
/// The service that all methods belong to.
const SERVICE_NAME: &str = "schloss";

/// An event as it is written: [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)
/// in JSON. Unknown fields are ignored when it is read, so files of newer versions can be queried.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique per event. A record that was written twice, since a failed flush leaves open what is on disk,
    /// has the same id both times.
    pub id: String,
    /// Which installation wrote it.
    pub source: String,
    /// `io.schloss.audit/<kind>`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The resource, as `topic=orders`, or else the principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened, RFC 3339 in UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// What happened.
    pub data: Data,
}

/// The data of an event, shaped like `AuditLogEntry` of Confluent's audit schema.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// Always `schloss`.
    pub service_name: String,
    /// What was called, such as `kafka.Produce`.
    pub method_name: String,
    /// The resource, as `topic=orders`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// Who, and how they proved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_info: Option<AuthenticationInfo>,
    /// What was decided, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_info: Option<AuthorizationInfo>,
    /// Which request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestInfo>,
    /// From where, as `address:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    /// How it ended.
    pub result: ResultInfo,
    /// Sums of allowed requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// What an administrative action changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<serde_json::Value>,
}

/// Who, and how they proved it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AuthenticationInfo {
    /// Such as `User:alice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// How and where they came in.
    #[serde(default)]
    pub metadata: AuthenticationMetadata,
}

/// How and where a client came in.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationMetadata {
    /// Such as `SCRAM-SHA-512`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// Which connection of this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<String>,
    /// Through which listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The groups that the proof names, with a log-in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// What was decided, and why.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationInfo {
    /// Whether it was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted: Option<bool>,
    /// The operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The type of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    /// The name of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// The pattern type of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern_type: Option<String>,
    /// The rule that decided, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Which request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestInfo {
    /// The request's correlation id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<i32>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The request's API version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<i16>,
}

/// How it ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ResultInfo {
    /// `SUCCESS`, or the name of a Kafka error.
    pub status: String,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl CloudEvent {
    /// Puts an event into its envelope.
    pub(crate) fn new(event: Event, id: String, source: &str) -> Self {
        let resource = match (&event.resource_type, &event.resource_name) {
            (Some(kind), Some(name)) => Some(format!("{}={name}", kind.to_lowercase())),
            (None, Some(name)) => Some(name.clone()),
            _ => None,
        };
        let metadata = AuthenticationMetadata {
            mechanism: event.mechanism,
            connection_id: event.connection_id,
            listener: event.listener,
            groups: event.groups,
        };
        let authentication = AuthenticationInfo { principal: event.principal, metadata };
        let authorization = AuthorizationInfo {
            granted: event.granted,
            operation: event.operation,
            resource_type: event.resource_type,
            resource_name: event.resource_name,
            pattern_type: event.pattern_type,
            rule: event.reason,
        };
        let request = RequestInfo {
            correlation_id: event.correlation_id,
            client_id: event.client_id,
            api_version: event.api_version,
        };
        Self {
            specversion: "1.0".to_owned(),
            id,
            source: source.to_owned(),
            event_type: format!("{TYPE_PREFIX}{}", event.kind.name()),
            subject: resource.clone().or_else(|| authentication.principal.clone()),
            time: event.time.to_offset(time::UtcOffset::UTC),
            datacontenttype: "application/json".to_owned(),
            data: Data {
                service_name: SERVICE_NAME.to_owned(),
                method_name: event.method,
                resource_name: resource,
                authentication_info: (authentication != AuthenticationInfo::EMPTY).then_some(authentication),
                authorization_info: (authorization != AuthorizationInfo::EMPTY).then_some(authorization),
                request: (request != RequestInfo::EMPTY).then_some(request),
                client_address: event.client_address.map(|address| address.to_string()),
                result: ResultInfo { status: event.result, message: event.message },
                traffic: event.traffic,
                change: event.change.map(bounded_change),
            },
        }
    }

    /// Appends the event as one line, its newline included.
    pub(crate) fn write_line(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let start = out.len();
        let result = self.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, SafeJson));
        match result {
            Ok(()) => out.push(b'\n'),
            Err(_) => out.truncate(start),
        }
        result
    }

    /// What sort of event, if this version knows it.
    #[must_use]
    pub fn kind(&self) -> Option<EventKind> {
        EventKind::from_name(self.event_type.strip_prefix(TYPE_PREFIX)?)
    }

    /// Who, such as `User:alice`.
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        self.data.authentication_info.as_ref()?.principal.as_deref()
    }

    /// Whether it was allowed: the decision, for an authentication whether it succeeded, and `false` for a
    /// connection that was turned away. `None` where nothing was decided.
    #[must_use]
    pub fn allowed(&self) -> Option<bool> {
        let decided = self.data.authorization_info.as_ref().and_then(|info| info.granted);
        let succeeded = self.data.result.status == SUCCESS;
        decided.or(match self.kind() {
            Some(EventKind::Authentication) => Some(succeeded),
            Some(EventKind::Connection) if !succeeded => Some(false),
            _ => None,
        })
    }
}

impl AuthenticationInfo {
    const EMPTY: Self = Self {
        principal: None,
        metadata: AuthenticationMetadata {
            mechanism: None,
            connection_id: None,
            listener: None,
            groups: Vec::new(),
        },
    };
}

impl AuthorizationInfo {
    const EMPTY: Self = Self {
        granted: None,
        operation: None,
        resource_type: None,
        resource_name: None,
        pattern_type: None,
        rule: None,
    };
}

impl RequestInfo {
    const EMPTY: Self = Self { correlation_id: None, client_id: None, api_version: None };
}

/// The change as it is, or its size and beginning if it is too large.
fn bounded_change(change: serde_json::Value) -> serde_json::Value {
    let mut text = change.to_string();
    if text.len() <= MAX_CHANGE_BYTES {
        return change;
    }
    let bytes = text.len();
    bounded(&mut text, CHANGE_EXCERPT_BYTES);
    serde_json::json!({ "tooLarge": true, "bytes": bytes, "beginning": text })
}
