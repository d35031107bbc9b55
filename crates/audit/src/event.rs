//! What happened, as the rest of Schloss tells it to the audit.

use std::net::SocketAddr;

use time::OffsetDateTime;

use crate::text::bounded;

/// Most bytes of one text field that are kept. Client ids, user names and group ids come from outside and
/// can be as long as a frame; a longer one is cut, and says how much was cut.
pub const MAX_TEXT_BYTES: usize = 1024;

/// Most groups of one event that are kept; a log-in with more is refused.
const MAX_GROUPS: usize = 1024;

/// The result text of something that went well.
pub const SUCCESS: &str = "SUCCESS";

/// What sort of event this is; it becomes the CloudEvents type.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum EventKind {
    /// Somebody proved who they are, or failed to.
    Authentication,
    /// A request was allowed or denied.
    Authorization,
    /// Something was changed: a topic, a user, an ACL, a setting.
    Administration,
    /// Allowed produce and fetch, summed.
    Traffic,
    /// A connection was refused, closed or broken.
    Connection,
    /// The server itself: started, stopped, audit records dropped.
    System,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Authentication,
        Self::Authorization,
        Self::Administration,
        Self::Traffic,
        Self::Connection,
        Self::System,
    ];

    /// The kind in one lower-case word, as the command line takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Administration => "administration",
            Self::Traffic => "traffic",
            Self::Connection => "connection",
            Self::System => "system",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Allowed requests of one session on one resource, summed over a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Traffic {
    /// How many requests.
    pub requests: u64,
    /// How many records they carried; zero where it is not known.
    pub records: u64,
    /// How many bytes of record batches they carried.
    pub bytes: u64,
    /// When the first of them came.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    /// When the last of them came.
    #[serde(with = "time::serde::rfc3339")]
    pub to: OffsetDateTime,
}

/// One event. Make it with a constructor named by its kind and fill it with the methods, or set the fields.
///
/// No field may ever hold a secret: what is put here is written in clear.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What sort of event.
    pub kind: EventKind,
    /// When it happened.
    pub time: OffsetDateTime,
    /// Who, such as `User:alice`; for a failed authentication, who they claimed to be.
    pub principal: Option<String>,
    /// The groups that the proof of a log-in names, such as `Group:ops`.
    pub groups: Vec<String>,
    /// From where.
    pub client_address: Option<SocketAddr>,
    /// Through which listener.
    pub listener: Option<String>,
    /// Proved by which mechanism, such as `SCRAM-SHA-512`.
    pub mechanism: Option<String>,
    /// What was called, such as `kafka.Produce`.
    pub method: String,
    /// The operation that was decided on, such as `Write`.
    pub operation: Option<String>,
    /// The type of the resource, such as `Topic`.
    pub resource_type: Option<String>,
    /// The name of the resource.
    pub resource_name: Option<String>,
    /// The pattern type of the rule that decided, such as `LITERAL`.
    pub pattern_type: Option<String>,
    /// Whether it was allowed; `None` where nothing was decided.
    pub granted: Option<bool>,
    /// The rule that decided, in words.
    pub reason: Option<String>,
    /// What the client calls itself.
    pub client_id: Option<String>,
    /// The request's correlation id.
    pub correlation_id: Option<i32>,
    /// The request's API version.
    pub api_version: Option<i16>,
    /// Which connection of this process.
    pub connection_id: Option<String>,
    /// `SUCCESS`, or the name of a Kafka error.
    pub result: String,
    /// What happened, in words.
    pub message: Option<String>,
    /// Sums, for [`EventKind::Traffic`].
    pub traffic: Option<Traffic>,
    /// What an administrative action changed: before and after, without secrets.
    pub change: Option<serde_json::Value>,
}

impl Event {
    /// An event of this kind, now, with the result `SUCCESS`.
    #[must_use]
    pub fn new(kind: EventKind, method: impl Into<String>) -> Self {
        Self {
            kind,
            time: OffsetDateTime::now_utc(),
            principal: None,
            groups: Vec::new(),
            client_address: None,
            listener: None,
            mechanism: None,
            method: method.into(),
            operation: None,
            resource_type: None,
            resource_name: None,
            pattern_type: None,
            granted: None,
            reason: None,
            client_id: None,
            correlation_id: None,
            api_version: None,
            connection_id: None,
            result: SUCCESS.to_owned(),
            message: None,
            traffic: None,
            change: None,
        }
    }

    /// An authentication, such as `kafka.SaslAuthenticate`.
    #[must_use]
    pub fn authentication(method: impl Into<String>) -> Self {
        Self::new(EventKind::Authentication, method)
    }

    /// A decision.
    #[must_use]
    pub fn authorization(method: impl Into<String>) -> Self {
        Self::new(EventKind::Authorization, method)
    }

    /// A change.
    #[must_use]
    pub fn administration(method: impl Into<String>) -> Self {
        Self::new(EventKind::Administration, method)
    }

    /// Summed traffic.
    #[must_use]
    pub fn traffic(method: impl Into<String>, sums: Traffic) -> Self {
        Self { traffic: Some(sums), granted: Some(true), ..Self::new(EventKind::Traffic, method) }
    }

    /// Something about a connection.
    #[must_use]
    pub fn connection(method: impl Into<String>) -> Self {
        Self::new(EventKind::Connection, method)
    }

    /// Something about the server.
    #[must_use]
    pub fn system(method: impl Into<String>) -> Self {
        Self::new(EventKind::System, method)
    }

    /// Sets who.
    #[must_use]
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// Sets the groups that the proof of a log-in names.
    #[must_use]
    pub fn groups(mut self, groups: impl IntoIterator<Item = String>) -> Self {
        self.groups = groups.into_iter().take(MAX_GROUPS).collect();
        self
    }

    /// Sets when; without it, the time the event was made.
    #[must_use]
    pub fn at(mut self, time: OffsetDateTime) -> Self {
        self.time = time;
        self
    }

    /// Sets from where.
    #[must_use]
    pub fn client_address(mut self, address: SocketAddr) -> Self {
        self.client_address = Some(address);
        self
    }

    /// Sets through which listener.
    #[must_use]
    pub fn listener(mut self, listener: impl Into<String>) -> Self {
        self.listener = Some(listener.into());
        self
    }

    /// Sets the mechanism.
    #[must_use]
    pub fn mechanism(mut self, mechanism: impl Into<String>) -> Self {
        self.mechanism = Some(mechanism.into());
        self
    }

    /// Sets the operation.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Sets the resource.
    #[must_use]
    pub fn resource(mut self, resource_type: impl Into<String>, name: impl Into<String>) -> Self {
        self.resource_type = Some(resource_type.into());
        self.resource_name = Some(name.into());
        self
    }

    /// Sets the pattern type of the rule that decided.
    #[must_use]
    pub fn pattern_type(mut self, pattern_type: impl Into<String>) -> Self {
        self.pattern_type = Some(pattern_type.into());
        self
    }

    /// Sets the decision and the rule it came from.
    #[must_use]
    pub fn decision(mut self, granted: bool, reason: impl Into<String>) -> Self {
        self.granted = Some(granted);
        self.reason = Some(reason.into());
        self
    }

    /// Sets what the client calls itself.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Sets the correlation id.
    #[must_use]
    pub fn correlation_id(mut self, correlation_id: i32) -> Self {
        self.correlation_id = Some(correlation_id);
        self
    }

    /// Sets the API version.
    #[must_use]
    pub fn api_version(mut self, api_version: i16) -> Self {
        self.api_version = Some(api_version);
        self
    }

    /// Sets which connection.
    #[must_use]
    pub fn connection_id(mut self, connection_id: impl Into<String>) -> Self {
        self.connection_id = Some(connection_id.into());
        self
    }

    /// Sets the result: [`SUCCESS`] or the name of a Kafka error.
    #[must_use]
    pub fn result(mut self, result: impl Into<String>) -> Self {
        self.result = result.into();
        self
    }

    /// Sets what happened in words.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Sets what changed. It must hold no secret.
    #[must_use]
    pub fn change(mut self, change: serde_json::Value) -> Self {
        self.change = Some(change);
        self
    }

    /// Cuts every text to [`MAX_TEXT_BYTES`], so that a full queue has a bound in bytes too.
    pub(crate) fn bound(mut self) -> Self {
        let texts = [
            &mut self.principal,
            &mut self.listener,
            &mut self.mechanism,
            &mut self.operation,
            &mut self.resource_type,
            &mut self.resource_name,
            &mut self.pattern_type,
            &mut self.reason,
            &mut self.client_id,
            &mut self.connection_id,
            &mut self.message,
        ];
        for text in texts.into_iter().flatten() {
            bounded(text, MAX_TEXT_BYTES);
        }
        self.groups.iter_mut().for_each(|group| bounded(group, MAX_TEXT_BYTES));
        bounded(&mut self.method, MAX_TEXT_BYTES);
        bounded(&mut self.result, MAX_TEXT_BYTES);
        self
    }
}
