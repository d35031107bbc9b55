//! Metadata and DescribeCluster.

use schloss_policy::ResourceType;
use schloss_wire::messages::metadata_request::MetadataRequestTopic;
use schloss_wire::messages::metadata_response::{MetadataResponseBroker, MetadataResponseTopic};
use schloss_wire::messages::{
    DescribeClusterRequest, DescribeClusterResponse, MetadataRequest, MetadataResponse,
};
use schloss_wire::{Request, Response, Uuid, build};

use crate::house::{House, Outcome, body, id, text};

fn by_name(names: &[&str]) -> MetadataRequest {
    let topics = names.iter().map(|name| build!(MetadataRequestTopic { name: Some(text(name)) }));
    build!(MetadataRequest { topics: Some(topics.collect()), allow_auto_topic_creation: false })
}

fn by_id(ids: &[u8]) -> MetadataRequest {
    let topics = ids.iter().map(|n| build!(MetadataRequestTopic { name: None, topic_id: id(*n) }));
    build!(MetadataRequest { topics: Some(topics.collect()), allow_auto_topic_creation: false })
}

fn all() -> MetadataRequest {
    build!(MetadataRequest { topics: None })
}

/// An engine with the topics `mine` (id 1) and `yours` (id 2) that answers what it is asked for, and takes an
/// empty list in version 0 for all, as a careless one would.
fn engine(request: &Request, version: i16) -> Response {
    let request = body!(request, Request::Metadata);
    let topic = |name: &str, n: u8| {
        build!(MetadataResponseTopic {
            name: Some(text(name)),
            topic_id: id(n),
            topic_authorized_operations: 7
        })
    };
    let everything = vec![topic("mine", 1), topic("yours", 2)];
    let topics = match &request.topics {
        None => everything,
        Some(list) if list.is_empty() && version == 0 => everything,
        Some(list) => list
            .iter()
            .filter_map(|asked| {
                let mut topic = everything
                    .iter()
                    .find(|topic| asked.name == topic.name || asked.topic_id == topic.topic_id)
                    .cloned()
                    .or_else(|| {
                        Some(build!(MetadataResponseTopic { error_code: 3, name: asked.name.clone() }))
                    })?;
                if version < 8 {
                    topic.topic_authorized_operations = i32::MIN;
                }
                Some(topic)
            })
            .collect(),
    };
    build!(MetadataResponse { brokers: vec![MetadataResponseBroker::default()], topics }).into()
}

fn ask(house: &House, request: MetadataRequest, version: i16) -> Outcome {
    house.ask_engine(request, version, |request| engine(request, version))
}

fn told(outcome: &Outcome) -> Vec<(Option<&str>, Uuid, i16)> {
    let response = body!(&outcome.response, Response::Metadata);
    assert_eq!(response.brokers.len(), 1, "the brokers are told in any case");
    response.topics.iter().map(|t| (t.name.as_deref(), t.topic_id, t.error_code)).collect()
}

#[test]
fn a_named_topic_without_describe_is_refused_whether_or_not_it_exists_and_without_its_id() {
    for version in 0..=13 {
        let outcome = ask(&House::new(), by_name(&["yours", "nowhere"]), version);
        let zero = Uuid::ZERO;
        assert_eq!(told(&outcome), [(Some("yours"), zero, 29), (Some("nowhere"), zero, 29)], "v{version}");
        assert_eq!(outcome.decided(), ["deny describe topic yours", "deny describe topic nowhere"]);
    }
}

#[test]
fn of_a_mixed_request_the_allowed_topic_is_described() {
    let house = House::new().allow("write topic mine");
    for version in 0..=13 {
        let outcome = ask(&house, by_name(&["yours", "mine"]), version);
        assert!(outcome.is_part());
        assert_eq!(told(&outcome), [(Some("mine"), id(1), 0), (Some("yours"), Uuid::ZERO, 29)], "v{version}");
        assert!(ask(&house, by_name(&["mine"]), version).is_whole());
    }
}

#[test]
fn all_topics_means_those_that_the_caller_may_describe() {
    let house = House::new().allow("read topic mine");
    for version in 1..=13 {
        let outcome = ask(&house, all(), version);
        assert!(outcome.is_whole());
        assert_eq!(told(&outcome), [(Some("mine"), id(1), 0)], "v{version}");
        assert!(outcome.decisions.is_empty(), "what is left out of a listing is no denial");
    }
    let empty = build!(MetadataRequest { topics: Some(Vec::new()) });
    let outcome = ask(&house, empty, 0);
    assert_eq!(told(&outcome), [(Some("mine"), id(1), 0)], "an empty list in version 0");
    assert_eq!(body!(&outcome.admitted.as_ref().unwrap().0, Request::Metadata).topics, None);
    let none = build!(MetadataRequest { topics: Some(Vec::new()), allow_auto_topic_creation: false });
    assert_eq!(told(&ask(&house, none, 1)), [], "an empty list later");
    assert_eq!(told(&ask(&House::new(), all(), 9)), []);
}

#[test]
fn a_version_0_request_that_is_denied_as_a_whole_does_not_become_one_for_all() {
    let outcome = ask(&House::new().allow("describe topic mine"), by_name(&["yours"]), 0);
    assert_eq!(told(&outcome), [(Some("yours"), Uuid::ZERO, 29)]);
    let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::Metadata);
    assert_eq!(admitted.topics.as_deref(), Some(&[][..]));
}

#[test]
fn an_id_that_may_not_be_seen_keeps_its_name_to_itself_and_an_unknown_one_is_unknown() {
    let house = House::new().allow("describe topic mine").topic(1, "mine").topic(2, "yours");
    let outcome = ask(&house, by_id(&[1, 2, 3]), 12);
    assert_eq!(told(&outcome), [(Some("mine"), id(1), 0), (None, id(2), 29), (None, id(3), 100)]);
    assert!(ask(&house, by_id(&[1]), 13).is_whole());
}

#[test]
fn a_name_that_comes_with_an_authorized_id_does_not_reach_the_engine() {
    let house = House::new().allow("describe topic mine").topic(1, "mine");
    let mut request = by_id(&[1]);
    request.topics.as_mut().unwrap()[0].name = Some(text("yours"));
    let outcome = ask(&house, request, 12);
    assert!(outcome.is_part(), "or its bytes would carry the name");
    assert_eq!(told(&outcome), [(Some("mine"), id(1), 0)]);
    let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::Metadata);
    assert_eq!(admitted.topics.as_ref().unwrap()[0].name, None);
}

#[test]
fn before_version_12_ids_and_missing_names_are_invalid_as_in_kafka() {
    let house = House::new().super_user().topic(1, "mine");
    let nameless =
        build!(MetadataRequest { topics: Some(vec![build!(MetadataRequestTopic { name: None })]) });
    for (request, version) in
        [(by_id(&[1]), 10), (by_id(&[1]), 11), (nameless.clone(), 10), (nameless.clone(), 12)]
    {
        let outcome = house.ask(request, version);
        assert!(outcome.is_refused());
        let response = body!(&outcome.response, Response::Metadata);
        assert_eq!(response.topics[0].error_code, 42);
    }
}

#[test]
fn a_topic_is_created_by_asking_only_with_create_on_the_cluster_or_on_it() {
    let mut request = by_name(&["new"]);
    request.allow_auto_topic_creation = true;
    let house = || House::new().allow("describe topic new").creating();
    let may_create = |outcome: &Outcome| {
        body!(&outcome.admitted.as_ref().unwrap().0, Request::Metadata).allow_auto_topic_creation
    };
    for version in 0..=13 {
        let outcome = ask(&house(), request.clone(), version);
        assert_eq!(told(&outcome), [(Some("new"), Uuid::ZERO, 29)], "v{version}");
        assert_eq!(outcome.decided(), ["allow describe topic new", "deny create topic new"]);
        assert!(!may_create(&outcome));
        // Where brokers may be set otherwise, a missing topic is missing.
        let outcome = ask(&house().perhaps_creating(), request.clone(), version);
        assert_eq!(told(&outcome), [(Some("new"), Uuid::ZERO, 3)], "v{version}");
        assert!(!may_create(&outcome));
    }
    for create in ["create cluster kafka-cluster", "create topic new"] {
        let outcome = ask(&house().allow(create), request.clone(), 9);
        assert!(outcome.is_whole() && may_create(&outcome));
        assert_eq!(told(&outcome), [(Some("new"), Uuid::ZERO, 3)], "as long as it is being created");
    }
    request.allow_auto_topic_creation = false;
    let outcome = ask(&house(), request, 9);
    assert!(outcome.is_whole());
    assert_eq!(told(&outcome), [(Some("new"), Uuid::ZERO, 3)], "it is not to be created");
}

#[test]
fn that_a_topic_may_not_be_created_is_told_of_missing_ones_alone_and_to_those_who_may_describe_them() {
    let mut request = by_name(&["mine", "yours", "new", "hidden"]);
    request.allow_auto_topic_creation = true;
    let house = House::new().allow("describe topic mine").allow("describe topic new").creating();
    let zero = Uuid::ZERO;
    let outcome = ask(&house, request, 9);
    let expected = [("mine", id(1), 0), ("new", zero, 29), ("yours", zero, 29), ("hidden", zero, 29)];
    assert_eq!(told(&outcome), expected.map(|(name, id, code)| (Some(name), id, code)));
    assert_eq!(outcome.decided()[4..], ["deny create topic new"]);
}

#[test]
fn nothing_is_created_by_asking_while_a_topic_that_may_not_be_is_among_those_asked_for() {
    let mut request = by_name(&["old", "new"]);
    request.allow_auto_topic_creation = true;
    let may_create = |outcome: &Outcome| {
        body!(&outcome.admitted.as_ref().unwrap().0, Request::Metadata).allow_auto_topic_creation
    };
    let house = || {
        House::new().allow("describe topic *").allow("create topic new").topic(1, "old").perhaps_creating()
    };
    for version in 0..=13 {
        // It is there, but may be gone by the time that it is looked for.
        let outcome = ask(&house(), request.clone(), version);
        assert!(outcome.is_part() && !may_create(&outcome), "v{version}");
        assert_eq!(body!(&outcome.admitted.as_ref().unwrap().0, Request::Metadata).topics, request.topics);
        let asked = ["allow describe topic old", "allow describe topic new"];
        assert_eq!(outcome.decided(), asked, "that it may not create the other is no event");
    }
    for create in ["create topic old", "create cluster kafka-cluster"] {
        let outcome = ask(&house().allow(create), request.clone(), 9);
        assert!(outcome.is_whole() && may_create(&outcome));
    }
    // What is taken out of the request, or asked for by its id, is not created.
    let denied = House::new().allow("describe topic new").allow("create topic new").creating();
    assert!(may_create(&ask(&denied, request.clone(), 9)));
    request.topics.as_mut().unwrap()[0] = build!(MetadataRequestTopic { name: None, topic_id: id(1) });
    let outcome = ask(&house().topic(1, "old"), request, 12);
    assert!(outcome.is_whole() && may_create(&outcome));
}

#[test]
fn an_engine_that_does_not_say_that_it_creates_topics_is_never_asked_to() {
    let mut request = by_name(&["new"]);
    request.allow_auto_topic_creation = true;
    let outcome = ask(&House::new().super_user(), request, 9);
    assert!(!body!(&outcome.admitted.as_ref().unwrap().0, Request::Metadata).allow_auto_topic_creation);
    assert!(outcome.is_part());
}

#[test]
fn authorized_operations_are_told_only_where_asked_for() {
    let house = House::new().allow("read topic mine").allow("alter cluster kafka-cluster");
    let read_and_describe = 1 << 3 | 1 << 8;
    let alter_and_describe = 1 << 7 | 1 << 8;
    let topic_bits = |outcome: &Outcome| {
        body!(&outcome.response, Response::Metadata).topics[0].topic_authorized_operations
    };
    let cluster_bits =
        |outcome: &Outcome| body!(&outcome.response, Response::Metadata).cluster_authorized_operations;
    let mut request = by_name(&["mine"]);
    for version in 8..=13 {
        let outcome = ask(&house, request.clone(), version);
        assert_eq!((topic_bits(&outcome), cluster_bits(&outcome)), (i32::MIN, i32::MIN), "v{version}");
    }
    request.include_topic_authorized_operations = true;
    request.include_cluster_authorized_operations = true;
    for version in 8..=13 {
        let outcome = ask(&house, request.clone(), version);
        assert!(outcome.is_whole());
        assert_eq!(topic_bits(&outcome), read_and_describe, "v{version}");
        let expected = if version <= 10 { alter_and_describe } else { i32::MIN };
        assert_eq!(cluster_bits(&outcome), expected, "v{version}");
    }
    let outcome = ask(&House::new().allow("read topic mine"), request, 9);
    assert_eq!(cluster_bits(&outcome), 0, "without DESCRIBE on the cluster");
}

#[test]
fn everybody_may_describe_the_cluster_and_learns_what_it_may_do_there_if_it_may_describe_it() {
    let ask = |house: House, include: bool, version: i16| {
        let request = build!(DescribeClusterRequest { include_cluster_authorized_operations: include });
        let outcome = house.ask_engine(request, version, |_| {
            build!(DescribeClusterResponse { cluster_authorized_operations: -1, cluster_id: text("c") })
                .into()
        });
        assert!(outcome.is_whole());
        body!(outcome.response, Response::DescribeCluster).cluster_authorized_operations
    };
    for version in 0..=2 {
        assert_eq!(ask(House::new(), false, version), i32::MIN);
        assert_eq!(ask(House::new(), true, version), 0);
        let every: i32 = ResourceType::Cluster.operations().iter().map(|o| 1 << o.code()).sum();
        assert_eq!(ask(House::new().super_user(), true, version), every);
    }
    let request =
        build!(DescribeClusterRequest { include_cluster_authorized_operations: true, endpoint_type: 2 });
    let outcome = House::new().super_user().ask_engine(request, 1, |_| {
        build!(DescribeClusterResponse { error_code: 115, cluster_authorized_operations: 0 }).into()
    });
    let told = body!(outcome.response, Response::DescribeCluster).cluster_authorized_operations;
    assert_eq!(told, i32::MIN, "an error tells nothing of operations");
}
