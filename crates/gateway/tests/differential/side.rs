//! One of the two who ask the same.

use std::collections::HashMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use schloss_client::Connection;
use schloss_wire::{Api, RequestResponsePair, StrBytes, Uuid};

use crate::names::{MISSING_ID, Names, Twin};
use crate::normal::Normaliser;
use crate::tree::Tree;
use crate::world::World;

/// Which broker is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    Broker(i32),
    /// The coordinator of all groups.
    Groups,
    /// The coordinator of all transactional ids.
    Transactions,
}

/// What a side was told.
pub(crate) struct Exchange {
    pub(crate) step: String,
    pub(crate) answer: Tree,
}

pub(crate) struct Side<'a> {
    pub(crate) world: &'a World,
    pub(crate) names: Names,
    user: &'a str,
    api: Api,
    connections: &'a mut HashMap<i32, Connection>,
    told: Vec<Exchange>,
}

/// Errors that pass by themselves: a coordinator loads, a transaction ends, an unclear leader.
const PASSING: [i16; 4] = [5, 14, 15, 51];
const PATIENCE: Duration = Duration::from_secs(10);

impl<'a> Side<'a> {
    pub(crate) fn new(
        world: &'a World,
        names: Names,
        user: &'a str,
        api: Api,
        connections: &'a mut HashMap<i32, Connection>,
    ) -> Self {
        Self { world, names, user, api, connections, told: Vec::new() }
    }

    /// The version in which this API is asked.
    pub(crate) fn version_of(&self, api: Api) -> i16 {
        if api == self.api { self.names.version } else { *self.world.range(api).end() }
    }

    pub(crate) fn user(&self) -> &str {
        self.user
    }

    pub(crate) fn version(&self) -> i16 {
        self.names.version
    }

    pub(crate) fn text(&self, label: &str) -> StrBytes {
        self.names.text(label)
    }

    /// The name of a group or a transactional id.
    pub(crate) fn kept(&self, label: &str) -> StrBytes {
        StrBytes::from(self.names.kept(label).as_str())
    }

    /// The id of a topic that was there from the beginning.
    pub(crate) fn id(&self, label: &str) -> Uuid {
        let name = self.names.name(label);
        self.world.ids.get(&name).copied().unwrap_or(MISSING_ID)
    }

    pub(crate) fn into_told(self) -> Vec<Exchange> {
        self.told
    }

    /// Asks, in the version that the case is about or, for another API on the way, in the highest one.
    pub(crate) async fn ask<R>(&mut self, step: &str, at: At, request: &R) -> Option<R::Response>
    where
        R: RequestResponsePair,
        R::Response: Debug,
    {
        let version = self.version_of(Api::from_key(R::API_KEY.value()).unwrap());
        self.ask_in(step, at, request, version).await
    }

    /// The service asks, and nobody compares what it is told.
    pub(crate) async fn service<R>(&self, at: At, request: &R) -> R::Response
    where
        R: RequestResponsePair,
        R::Response: Debug,
    {
        let node = self.node(at).await;
        let begun = Instant::now();
        loop {
            let answer = self.world.service(node, request).await;
            if begun.elapsed() > PATIENCE || !has_passing_error(&Tree::read(&format!("{answer:?}"))) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks in this version.
    pub(crate) async fn ask_in<R>(
        &mut self,
        step: &str,
        at: At,
        request: &R,
        version: i16,
    ) -> Option<R::Response>
    where
        R: RequestResponsePair,
        R::Response: Debug,
    {
        let node = self.node(at).await;
        let begun = Instant::now();
        loop {
            let answer = self.exchange(node, request, version).await;
            let tree = match &answer {
                Ok(response) => Tree::read(&format!("{response:?}")),
                // What the connection's end is called names addresses.
                Err(_) => Tree::Leaf("(the connection ends)".to_owned()),
            };
            if has_passing_error(&tree) && begun.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            let name = R::API_DESCRIPTOR.request.name.trim_end_matches("Request");
            let normal = Normaliser::new(&self.names, &self.world.labels, name);
            let step = format!("{name} {step}").trim_end().to_owned();
            self.told.push(Exchange { step, answer: normal.apply(&tree) });
            return answer.ok();
        }
    }

    async fn exchange<R: RequestResponsePair>(
        &mut self,
        node: i32,
        request: &R,
        version: i16,
    ) -> Result<R::Response, schloss_client::ClientError> {
        if !self.connections.contains_key(&node) {
            let connection = self.world.connect(self.names.twin, self.user, node).await;
            self.connections.insert(node, connection);
        }
        let connection = self.connections.get_mut(&node).unwrap();
        let answer = connection.call_at(request, version).await;
        if let Err(error) = &answer {
            let case = (self.api, self.names.twin, version);
            assert!(matches!(error, schloss_client::ClientError::Closed { .. }), "{case:?}: {error}");
            self.connections.remove(&node);
        }
        answer
    }

    async fn node(&self, at: At) -> i32 {
        match at {
            At::Broker(node) => node,
            At::Groups => self.world.coordinator(0, &self.names.kept("a")).await,
            At::Transactions => self.world.coordinator(1, &self.names.kept("a")).await,
        }
    }
}

pub(crate) fn has_passing_error(tree: &Tree) -> bool {
    match tree {
        Tree::Leaf(_) => false,
        Tree::List(items) => items.iter().any(has_passing_error),
        Tree::Fields(fields) => fields.iter().any(|(name, value)| {
            let code = value.to_string().parse::<i16>().ok().filter(|_| name == "error_code");
            code.is_some_and(|code| PASSING.contains(&code)) || has_passing_error(value)
        }),
    }
}

impl Twin {
    pub(crate) const fn called(self) -> &'static str {
        match self {
            Self::Kafka => "Apache Kafka",
            Self::Gateway => "the gateway",
        }
    }
}
