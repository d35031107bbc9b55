//! A caller, its ACLs, the topics there are, and an engine that grants whatever reaches it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_policy::{
    Acl, AclSet, Decision, DecisionCache, Judge, PatternType, Permission, Subject, TopicNames, Verdict,
    admit, refuse,
};
use schloss_wire::{ErrorCode, Principal, Request, Response, StrBytes, Uuid};

/// The caller is `User:a` from 10.0.0.1.
#[derive(Default)]
pub(crate) struct House {
    acls: Vec<Acl>,
    super_user: bool,
    topics: BTreeMap<Uuid, Arc<str>>,
    creates: Option<bool>,
    generation: u64,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What reached the engine, and whether as it came.
    pub(crate) admitted: Option<(Request, bool)>,
    /// Whether the answer could be forwarded as it is.
    pub(crate) unrepaired: bool,
    /// What the caller gets.
    pub(crate) response: Response,
    /// What was recorded.
    pub(crate) decisions: Vec<Decision>,
}

impl TopicNames for House {
    fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        self.topics.get(&id).cloned()
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.topics.values().cloned().collect()
    }

    fn exists(&self, name: &str) -> bool {
        self.topics.values().any(|known| **known == *name)
    }

    fn creates_missing_topics(&self) -> Option<bool> {
        self.creates
    }
}

impl House {
    pub(crate) fn new() -> Self {
        Self { creates: Some(false), ..Self::default() }
    }

    /// As in `allow("read topic orders")`.
    pub(crate) fn allow(self, rule: &str) -> Self {
        self.rule(Permission::Allow, rule)
    }

    pub(crate) fn deny(self, rule: &str) -> Self {
        self.rule(Permission::Deny, rule)
    }

    pub(crate) fn super_user(mut self) -> Self {
        self.super_user = true;
        self
    }

    /// There is a topic of this name with the id `id(n)`.
    pub(crate) fn topic(mut self, n: u8, name: &str) -> Self {
        self.topics.insert(id(n), name.into());
        self
    }

    /// The engine creates missing topics.
    pub(crate) fn creating(mut self) -> Self {
        self.creates = Some(true);
        self
    }

    /// Nobody knows whether the engine creates missing topics.
    pub(crate) fn perhaps_creating(mut self) -> Self {
        self.creates = None;
        self
    }

    fn rule(mut self, permission: Permission, rule: &str) -> Self {
        self.generation += 1;
        let words: Vec<&str> = rule.split(' ').collect();
        let [operation, resource_type, name] = words[..] else { panic!("not a rule: {rule}") };
        self.acls.push(Acl {
            resource_type: resource_type.parse().unwrap(),
            pattern_type: PatternType::Literal,
            resource_name: name.to_owned(),
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation: operation.parse().unwrap(),
            permission,
        });
        self
    }

    /// Sends the request to an engine that grants every entry it gets.
    pub(crate) fn ask(&self, request: impl Into<Request>, version: i16) -> Outcome {
        self.ask_engine(request, version, |request| refuse(request, version, ErrorCode::None, None))
    }

    /// Sends the request to this engine.
    pub(crate) fn ask_engine(
        &self,
        request: impl Into<Request>,
        version: i16,
        engine: impl FnOnce(&Request) -> Response,
    ) -> Outcome {
        self.ask_in(&mut DecisionCache::default(), request, version, engine)
    }

    /// Sends the request to this engine, in the session that keeps `cache`.
    pub(crate) fn ask_in(
        &self,
        cache: &mut DecisionCache,
        request: impl Into<Request>,
        version: i16,
        engine: impl FnOnce(&Request) -> Response,
    ) -> Outcome {
        let principal = Principal::user("a");
        let super_users = if self.super_user { vec![principal.clone()] } else { Vec::new() };
        let set = AclSet::new(self.acls.clone(), super_users, self.generation);
        let subject = Subject::new(principal, "10.0.0.1".parse().unwrap());
        let mut judge = Judge::new(&set, &subject, cache);
        let verdict = admit(request.into(), version, &mut judge, self);
        let mut decisions = judge.into_decisions();
        let (admitted, unrepaired, response) = match verdict {
            Verdict::Refused(response) => (None, false, response),
            Verdict::Admitted(admitted, repair) => {
                let unrepaired = repair.is_nothing();
                let mut response = engine(admitted.request());
                let mut judge = Judge::new(&set, &subject, cache);
                repair.apply(&mut response, &mut judge, self);
                let afterwards = judge.into_decisions();
                // Which topics are missing shows the answer alone.
                let may_decide = matches!(response, Response::Metadata(_));
                assert!(
                    may_decide || afterwards.is_empty(),
                    "a repair decides nothing that is worth a record"
                );
                decisions.extend(afterwards);
                let whole = admitted.whole();
                (Some((admitted.into_request(), whole)), unrepaired, response)
            }
        };
        assert_sendable(&response, version);
        Outcome { admitted, unrepaired, response, decisions }
    }
}

/// A response that can't be encoded in its version is no answer.
pub(crate) fn assert_sendable(response: &Response, version: i16) {
    if let Err(error) = response.encode_frame(1, version) {
        panic!("{} v{version}: {error}: {response:?}", response.api().name());
    }
}

pub(crate) fn id(n: u8) -> Uuid {
    Uuid::from_bytes([n; 16])
}

pub(crate) fn text(name: &str) -> StrBytes {
    StrBytes::from(name)
}

impl Outcome {
    /// Whether it reached the engine as it came.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.admitted, Some((_, true)))
    }

    /// Whether some of it, but not all, reached the engine.
    pub(crate) fn is_part(&self) -> bool {
        matches!(self.admitted, Some((_, false)))
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.admitted.is_none()
    }

    /// The decisions as "deny read topic orders".
    pub(crate) fn decided(&self) -> Vec<String> {
        let word = |d: &Decision| if d.allowed { "allow" } else { "deny" };
        let line =
            |d: &Decision| format!("{} {} {} {}", word(d), d.operation, d.resource_type, d.resource_name);
        self.decisions.iter().map(line).collect()
    }
}

/// The body of a response or an admitted request that must be of this API.
macro_rules! body {
    ($value:expr, $kind:ident::$api:ident) => {
        match $value {
            schloss_wire::$kind::$api(body) => body,
            other => panic!("not what was asked for: {other:?}"),
        }
    };
}
pub(crate) use body;
