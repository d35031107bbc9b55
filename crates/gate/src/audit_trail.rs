//! From what the gate saw to events of the audit trail.

use schloss_audit::{Event, EventKind};
use schloss_identity::{AuthFailure, Authenticated, Method, SaslMechanism};
use schloss_policy::{Decision, Reason, ResourceType};
use schloss_wire::{Api, ErrorCode, RequestHead};

use crate::Caller;
use crate::sasl::Refusal;
use crate::session::{Peer, Session};

/// How the audit trail names what comes before any request.
pub(crate) const TLS_HANDSHAKE: &str = "tls.Handshake";

/// Which request an event is about.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) caller: Caller,
    pub(crate) method: Method,
    pub(crate) api: Api,
}

/// Something about a connection whose peer is not known: `method` says in which part of the gate.
pub(crate) fn connection(peer: &Peer, method: &str, error: ErrorCode, words: impl Into<String>) -> Event {
    at(peer, Event::connection(method)).result(error.name()).message(words)
}

/// Something about the connection of a session.
pub(crate) fn session_broken(session: &Session, method: &str, error: ErrorCode, words: String) -> Event {
    with_session(session, Event::connection(method)).result(error.name()).message(words)
}

/// Why a connection was closed before its peer was authenticated.
pub(crate) fn refused(peer: &Peer, refusal: Refusal) -> Event {
    let Refusal { error, words, mechanism, claimed_user, head, is_failed_login } = refusal;
    let method = head
        .as_ref()
        .and_then(|head| Api::from_key(head.api_key))
        .map_or_else(|| "kafka.Connection".to_owned(), method_name);
    let kind = if is_failed_login { EventKind::Authentication } else { EventKind::Connection };
    let mut event = at(peer, Event::new(kind, method)).result(error.name()).message(words);
    event.mechanism = mechanism;
    event.principal = claimed_user.map(|user| format!("User:{user}"));
    match head {
        Some(head) => with_head(event, &head),
        None => event,
    }
}

/// Somebody proved who they are.
pub(crate) fn logged_in(peer: &Peer, proof: &Authenticated) -> Event {
    let method = match proof.method() {
        Method::Sasl(_) => "kafka.SaslAuthenticate",
        Method::Certificate => TLS_HANDSHAKE,
    };
    let groups = proof.all_groups();
    let groups = groups.iter().map(ToString::to_string);
    let event = with_proof(peer, proof, Event::authentication(method)).groups(groups);
    if let Some(id) = proof.delegation_token() {
        return event.message(format!("by the delegation token {id}"));
    }
    match proof.method() {
        Method::Certificate => event.message(format!("by {}", proof.login())),
        Method::Sasl(SaslMechanism::Gssapi) => {
            event.message(format!("by a ticket of the Kerberos principal {}", proof.login()))
        }
        Method::Sasl(_) if proof.login() != proof.principal().name() => {
            event.message(format!("by the API key {}", proof.login()))
        }
        Method::Sasl(_) if proof.is_of_directory() => event.message("by the directory"),
        Method::Sasl(_) => event,
    }
}

/// A certificate was good and names nobody who could be served.
pub(crate) fn refused_certificate(peer: &Peer, failure: AuthFailure) -> Event {
    let AuthFailure { reason, claimed_user } = failure;
    let mut event = at(peer, Event::authentication(TLS_HANDSHAKE));
    event = event.result(ErrorCode::SaslAuthenticationFailed.name()).message(reason.to_string());
    event.principal = claimed_user.map(|user| format!("User:{user}"));
    event.mechanism(Method::Certificate.name())
}

/// Adds who and from where.
pub(crate) fn with_session(session: &Session, event: Event) -> Event {
    with_proof(session.peer(), session.proof(), event)
}

fn with_proof(peer: &Peer, proof: &Authenticated, event: Event) -> Event {
    at(peer, event).principal(proof.principal().as_str()).mechanism(proof.method().name())
}

impl Origin {
    /// A decision that went against the caller.
    pub(crate) fn denied(&self, decision: &Decision) -> Event {
        let event = Event::authorization(method_name(self.api));
        let event = if decision.enforced {
            event.result(denial_error(decision).name())
        } else {
            event.message("let through: insecure_observe_only is on, this would be denied")
        };
        decided(self.on(event), decision)
    }

    /// An administrative action, done or refused as a whole, without a decision to name.
    pub(crate) fn administration(&self, error: ErrorCode) -> Event {
        self.on(Event::administration(method_name(self.api))).result(error.name())
    }

    /// A request that could not be served.
    pub(crate) fn broken(&self, error: ErrorCode, words: impl Into<String>) -> Event {
        self.on(Event::connection(method_name(self.api))).result(error.name()).message(words)
    }

    fn on(&self, event: Event) -> Event {
        let caller = &self.caller;
        event
            .principal(caller.principal.as_str())
            .mechanism(self.method.name())
            .client_address(caller.address)
            .listener(&*caller.listener)
            .connection_id(caller.connection_id.to_string())
            .client_id(&*caller.client_id)
            .api_version(caller.api_version)
            .correlation_id(caller.correlation_id)
    }
}

/// Adds a decision and the rule that it rests on.
pub(crate) fn decided(event: Event, decision: &Decision) -> Event {
    let event = event
        .operation(format!("{:?}", decision.operation))
        .resource(format!("{:?}", decision.resource_type), &*decision.resource_name)
        .decision(decision.allowed, decision.reason.to_string());
    match &decision.reason {
        Reason::Acl(acl) => event.pattern_type(acl.pattern_type.kafka_name()),
        Reason::Role(binding) => match &binding.resource {
            Some(pattern) => event.pattern_type(pattern.pattern_type.kafka_name()),
            None => event,
        },
        _ => event,
    }
}

/// How the audit trail names an API.
pub(crate) fn method_name(api: Api) -> String {
    let whose = if api.is_ours() { "schloss" } else { "kafka" };
    format!("{whose}.{}", api.name())
}

fn at(peer: &Peer, event: Event) -> Event {
    event.client_address(peer.address).listener(&*peer.listener).connection_id(peer.connection_id.to_string())
}

fn with_head(event: Event, head: &RequestHead) -> Event {
    event.client_id(head.client_id()).correlation_id(head.correlation_id).api_version(head.api_version)
}

// The error that Kafka's clients see for a denial on this type of resource.
const fn denial_error(decision: &Decision) -> ErrorCode {
    match decision.resource_type {
        ResourceType::Topic => ErrorCode::TopicAuthorizationFailed,
        ResourceType::Group => ErrorCode::GroupAuthorizationFailed,
        ResourceType::Cluster => ErrorCode::ClusterAuthorizationFailed,
        ResourceType::TransactionalId => ErrorCode::TransactionalIdAuthorizationFailed,
        ResourceType::DelegationToken | ResourceType::User => ErrorCode::DelegationTokenAuthorizationFailed,
    }
}
