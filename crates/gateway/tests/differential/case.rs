//! One scenario of one API: what its user may do, and what the user asks, in every version.

use std::ops::RangeInclusive;
use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use schloss_wire::{Api, RequestResponsePair};

use crate::side::{At, Side};

type Script = Rc<dyn for<'a> Fn(&'a mut Side<'_>) -> LocalBoxFuture<'a, ()>>;

#[derive(Clone)]
pub(crate) struct Case {
    /// Tells its things from those of other cases.
    pub(crate) number: usize,
    pub(crate) api: Api,
    pub(crate) scenario: String,
    pub(crate) grants: Vec<String>,
    /// Topics that the scenario needs for itself: with `{c}` and `{v}` one for each case and version.
    pub(crate) topics: Vec<String>,
    /// Groups with offsets, in the same way.
    pub(crate) groups: Vec<String>,
    /// Those of the API that it is about.
    pub(crate) versions: RangeInclusive<i16>,
    pub(crate) script: Script,
    /// It changes what others see, so nothing else runs meanwhile.
    pub(crate) alone: bool,
}

impl Case {
    pub(crate) fn new(
        api: Api,
        scenario: &str,
        grants: &[&str],
        script: impl for<'a> Fn(&'a mut Side<'_>) -> LocalBoxFuture<'a, ()> + 'static,
    ) -> Self {
        Self {
            number: 0,
            api,
            scenario: scenario.to_owned(),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            topics: Vec::new(),
            groups: Vec::new(),
            versions: 0..=i16::MAX,
            script: Rc::new(script),
            alone: false,
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

    pub(crate) fn groups(mut self, labels: &[&str]) -> Self {
        self.groups.extend(labels.iter().map(|label| (*label).to_owned()));
        self
    }

    pub(crate) fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    pub(crate) fn versions(self, versions: RangeInclusive<i16>) -> Self {
        Self { versions, ..self }
    }
}

/// A scenario's name and its ACLs.
pub(crate) type Scenario = (String, Vec<String>);

/// The ways to be allowed and denied an operation on resources `a`, `b`, `c`, `pre-a` and one that is missing.
pub(crate) fn ways(operation: &str, resource: &str) -> Vec<Scenario> {
    ways_on(operation, resource, "")
}

/// The same for resources whose labels begin with `stem`.
pub(crate) fn ways_on(operation: &str, resource: &str, stem: &str) -> Vec<Scenario> {
    let may = |what: &str, name: &str| {
        let stem = if name == "*" { "" } else { stem };
        format!("allow {what} {resource} {stem}{name}")
    };
    let may_not = |what: &str, name: &str| format!("deny {what} {resource} {stem}{name}");
    let all = ["a", "b", "c", "pre-a", "missing"].map(|name| may(operation, name));
    let another = if resource == "transactional-id" { "describe" } else { "delete" };
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
        ("another operation", vec![may(another, "*")]),
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

/// Those of the ways that a change is tried in: each makes things of its own.
pub(crate) fn few_ways(operation: &str, resource: &str, stem: &str) -> Vec<Scenario> {
    const FEW: [&str; 6] = [
        "no ACL",
        "all allowed by name",
        "one allowed and what is missing",
        "DENY of ALL on top of ALL",
        "a prefix",
        "only DESCRIBE",
    ];
    let mut scenarios = ways_on(operation, resource, stem);
    scenarios.retain(|(name, _)| FEW.contains(&name.as_str()));
    scenarios
}

/// One resource: allowed in the ways there are, and not.
pub(crate) fn yes_or_no(operation: &str, resource: &str, label: &str) -> Vec<Scenario> {
    let may = |what: &str, name: &str| format!("allow {what} {resource} {name}");
    let scenarios = [
        ("no ACL", vec![]),
        ("allowed", vec![may(operation, label)]),
        ("allowed by wildcard", vec![may(operation, "*")]),
        ("DENY on top", vec![may("all", "*"), format!("deny {operation} {resource} {label}")]),
        ("only DESCRIBE", vec![may("describe", label)]),
    ];
    scenarios.map(|(name, grants)| (format!("{resource} {name}"), grants)).into()
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

/// One script in all these scenarios.
pub(crate) fn scripts(
    api: Api,
    what: &str,
    scenarios: Vec<Scenario>,
    script: impl for<'a> Fn(&'a mut Side<'_>) -> LocalBoxFuture<'a, ()> + Clone + 'static,
) -> Vec<Case> {
    let case = |(name, grants): Scenario| {
        let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
        Case::new(api, &format!("{what}: {name}"), &grants, script.clone())
    };
    scenarios.into_iter().map(case).collect()
}
