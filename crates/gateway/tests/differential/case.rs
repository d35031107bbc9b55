//! One scenario of one API: what its user may do, and what the user asks, in every version.

use std::ops::RangeInclusive;
use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use schloss_wire::{Api, RequestResponsePair};

use crate::names::Names;
use crate::side::{At, Side};

type Script = Rc<dyn for<'a> Fn(&'a mut Side<'_>) -> LocalBoxFuture<'a, ()>>;

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) api: Api,
    pub(crate) scenario: String,
    pub(crate) grants: Vec<String>,
    /// Topics that the scenario needs for itself, with `{v}` one for each version.
    pub(crate) topics: Vec<String>,
    /// Those of the API that it is about.
    pub(crate) versions: RangeInclusive<i16>,
    pub(crate) script: Script,
}

impl Case {
    pub(crate) fn new(
        api: Api,
        scenario: &str,
        grants: &[&str],
        script: impl for<'a> Fn(&'a mut Side<'_>) -> LocalBoxFuture<'a, ()> + 'static,
    ) -> Self {
        Self {
            api,
            scenario: scenario.to_owned(),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            topics: Vec::new(),
            versions: 0..=i16::MAX,
            script: Rc::new(script),
        }
    }

    /// One request and its answer.
    pub(crate) fn ask<R>(
        api: Api,
        scenario: &str,
        at: At,
        grants: &[&str],
        build: impl Fn(&Side<'_>) -> R + Clone + 'static,
    ) -> Self
    where
        R: RequestResponsePair + 'static,
        R::Response: std::fmt::Debug,
    {
        Self::new(api, scenario, grants, move |side| {
            let build = build.clone();
            async move {
                let request = build(side);
                side.ask("", at, &request).await;
            }
            .boxed_local()
        })
    }

    pub(crate) fn topics(mut self, labels: &[&str]) -> Self {
        self.topics.extend(labels.iter().map(|label| (*label).to_owned()));
        self
    }

    pub(crate) fn versions(self, versions: RangeInclusive<i16>) -> Self {
        Self { versions, ..self }
    }

    /// The topics in one version, of one twin.
    pub(crate) fn topic_names(&self, names: &Names) -> Vec<String> {
        self.topics.iter().map(|label| names.name(label)).collect()
    }
}

/// A scenario's name and its ACLs.
pub(crate) type Scenario = (String, Vec<String>);

/// The ways to be allowed and denied an operation on resources `a`, `b`, `c`, `pre-a` and one that is missing.
pub(crate) fn ways(operation: &str, resource: &str) -> Vec<Scenario> {
    let may = |what: &str, name: &str| format!("allow {what} {resource} {name}");
    let may_not = |what: &str, name: &str| format!("deny {what} {resource} {name}");
    let all = ["a", "b", "c", "pre-a", "missing"].map(|name| may(operation, name));
    let scenarios = [
        ("no ACL", vec![]),
        ("all allowed by name", all.to_vec()),
        ("one allowed", vec![may(operation, "a")]),
        ("one allowed and what is missing", vec![may(operation, "b"), may(operation, "missing")]),
        ("ALL on one", vec![may("all", "c")]),
        ("all of them by wildcard", vec![may(operation, "*")]),
        ("DENY on top of a wildcard", vec![may(operation, "*"), may_not(operation, "b")]),
        ("DENY of ALL on top of ALL", vec![may("all", "*"), may_not("all", "a"), may_not("all", "missing")]),
        ("a prefix", vec![may(operation, "pre*")]),
        ("DENY of a prefix", vec![may(operation, "*"), may_not(operation, "pre*")]),
        ("only DESCRIBE", vec![may("describe", "*")]),
        ("DENY of DESCRIBE", vec![may(operation, "*"), may_not("describe", "b")]),
        ("DELETE and nothing else", vec![may("delete", "*")]),
        (
            "an address",
            vec![
                format!("{} from 127.0.0.1", may(operation, "a")),
                format!("{} from 10.1.2.3", may(operation, "b")),
            ],
        ),
    ];
    scenarios.map(|(name, grants)| (name.to_owned(), grants)).into()
}

/// The same scenarios with more ACLs in each.
pub(crate) fn with(scenarios: Vec<Scenario>, more: &[&str]) -> Vec<Scenario> {
    let more: Vec<String> = more.iter().map(|grant| (*grant).to_owned()).collect();
    let added = |(name, mut grants): Scenario| {
        grants.extend(more.iter().cloned());
        (format!("{name}, {}", more.join(", ")), grants)
    };
    scenarios.into_iter().map(added).collect()
}

/// Whether the cluster's own operations are allowed.
pub(crate) fn cluster_ways(operation: &str) -> Vec<Scenario> {
    let may = |what: &str| format!("allow {what} cluster");
    let scenarios = [
        ("nothing on the cluster", vec![]),
        ("the operation on the cluster", vec![may(operation)]),
        ("ALL on the cluster", vec![may("all")]),
        ("DENY on top of ALL on the cluster", vec![may("all"), format!("deny {operation} cluster")]),
        (
            "another operation on the cluster",
            vec![may(if operation == "create" { "alter" } else { "create" })],
        ),
        (
            "ALL on every topic and group",
            vec!["allow all topic *".to_owned(), "allow all group *".to_owned()],
        ),
    ];
    scenarios.map(|(name, grants)| (name.to_owned(), grants)).into()
}

/// One request in all these scenarios.
pub(crate) fn each<R>(
    api: Api,
    what: &str,
    at: At,
    scenarios: Vec<Scenario>,
    build: impl Fn(&Side<'_>) -> R + Clone + 'static,
) -> Vec<Case>
where
    R: RequestResponsePair + 'static,
    R::Response: std::fmt::Debug,
{
    let case = |(name, grants): Scenario| {
        let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
        Case::ask(api, &format!("{what}: {name}"), at, &grants, build.clone())
    };
    scenarios.into_iter().map(case).collect()
}
