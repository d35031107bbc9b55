//! What can still be taken out of a request that was admitted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use schloss_policy::{AclSet, Admitted, DecisionCache, Judge, Mutation, Subject, TopicNames, Verdict, admit};
use schloss_wire::messages::create_topics_request::CreatableTopic;
use schloss_wire::messages::delete_topics_request::DeleteTopicState;
use schloss_wire::messages::{CreateTopicsRequest, DeleteTopicsRequest, FetchRequest};
use schloss_wire::{Principal, Request, Uuid, build};

struct NoTopics;

impl TopicNames for NoTopics {
    fn name_of(&self, _: Uuid) -> Option<Arc<str>> {
        None
    }
}

fn admitted(request: impl Into<Request>, version: i16) -> Admitted {
    let principal = Principal::user("root");
    let acls = AclSet::new(Vec::new(), vec![principal.clone()], 1);
    let subject = Subject::new(principal, Ipv4Addr::LOCALHOST.into());
    let mut cache = DecisionCache::default();
    let mut judge = Judge::new(&acls, &subject, &mut cache);
    let Verdict::Admitted(mut admitted, _) = admit(request.into(), version, &mut judge, &NoTopics) else {
        panic!("it was refused")
    };
    admitted.remember_frame(Bytes::from_static(b"frame"));
    admitted
}

fn creation(names: &[&str]) -> CreateTopicsRequest {
    let topic = |name: &&str| build!(CreatableTopic { name: (*name).into(), num_partitions: 1 });
    build!(CreateTopicsRequest { topics: names.iter().map(topic).collect() })
}

fn names(request: &Request) -> Vec<&str> {
    match request {
        Request::CreateTopics(request) => request.topics.iter().map(|topic| topic.name.as_str()).collect(),
        Request::DeleteTopics(request) => {
            let states = request.topics.iter().filter_map(|state| state.name.as_deref());
            request.topic_names.iter().map(|name| name.as_str()).chain(states).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_that_are_not_kept_are_split_off() {
    let mut left = admitted(creation(&["a", "b", "c"]), 7);
    let keep = |name: &'static str| move |mutation: Mutation<'_>| matches!(mutation, Mutation::Create(topic) if topic.name.as_str() != name);
    assert!(left.split_off(keep("x")).is_none());
    assert!(left.whole() && left.frame().is_some(), "nothing was changed");
    let taken = left.split_off(keep("b")).unwrap();
    assert_eq!((names(&taken), names(left.request())), (vec!["b"], vec!["a", "c"]));
    assert!(!left.whole() && left.frame().is_none(), "an engine must not send what came");
    assert!(!left.mutates_nothing());
    left.split_off(|_| false).unwrap();
    assert!(left.mutates_nothing());
}

#[test]
fn topics_to_be_deleted_are_in_either_list() {
    let states = ["a", "b"].map(|name| build!(DeleteTopicState { name: Some(name.into()) })).to_vec();
    let mut left = admitted(build!(DeleteTopicsRequest { topics: states }), 6);
    let taken = left.split_off(
        |mutation| matches!(mutation, Mutation::Delete(state) if state.name.as_deref() == Some("a")),
    );
    assert_eq!((names(&taken.unwrap()), names(left.request())), (vec!["b"], vec!["a"]));
    let topic_names = vec!["a".into(), "b".into()];
    let mut left = admitted(build!(DeleteTopicsRequest { topic_names }), 5);
    let taken =
        left.split_off(|mutation| matches!(mutation, Mutation::DeleteNamed(name) if name.as_str() == "a"));
    assert_eq!((names(&taken.unwrap()), names(left.request())), (vec!["b"], vec!["a"]));
}

#[test]
fn a_fetch_gets_a_lower_bound_and_never_a_higher_one() {
    let bounds = |admitted: &Admitted| match admitted.request() {
        Request::Fetch(request) => (request.max_bytes, request.min_bytes),
        other => panic!("{other:?}"),
    };
    let mut fetch = admitted(build!(FetchRequest { max_bytes: 1000, min_bytes: 500 }), 12);
    fetch.limit_fetch(1000);
    assert!(fetch.whole() && bounds(&fetch) == (1000, 500));
    fetch.limit_fetch(100);
    assert!(!fetch.whole() && fetch.frame().is_none());
    assert_eq!(bounds(&fetch), (100, 100), "what never comes is not waited for");
    fetch.limit_fetch(i32::MAX);
    assert_eq!(bounds(&fetch), (100, 100));
}
