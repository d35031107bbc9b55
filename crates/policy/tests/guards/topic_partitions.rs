//! DescribeTopicPartitions, page by page.

use schloss_policy::ResourceType;
use schloss_wire::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use schloss_wire::messages::describe_topic_partitions_response as answer;
use schloss_wire::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use schloss_wire::{Request, Response, Uuid, build};

use crate::house::{House, Outcome, body, id, text};

/// What Apache Kafka 4.3 has: topics in the order of their names, each with this many partitions.
const CLUSTER: [(&str, i32); 6] =
    [("__schloss_metadata", 1), ("a", 2), ("b", 3), ("c", 2), ("secret", 5), ("z", 1)];

fn request(names: &[&str], cursor: Option<(&str, i32)>, limit: i32) -> DescribeTopicPartitionsRequest {
    let topics = names.iter().map(|name| build!(TopicRequest { name: text(name) }));
    let cursor =
        cursor.map(|(name, index)| build!(Cursor { topic_name: text(name), partition_index: index }));
    build!(DescribeTopicPartitionsRequest {
        topics: topics.collect(),
        response_partition_limit: limit,
        cursor
    })
}

/// Pages through [`CLUSTER`] as Kafka does for one who may see everything.
fn kafka(request: &Request) -> Response {
    let request = body!(request, Request::DescribeTopicPartitions);
    let all = request.topics.is_empty();
    let from = request.cursor.as_ref().map_or("", |cursor| &cursor.topic_name);
    let mut names: Vec<&str> = if all {
        CLUSTER.iter().map(|(name, _)| *name).collect()
    } else {
        request.topics.iter().map(|topic| &*topic.name).collect()
    };
    names.retain(|name| *name >= from);
    names.sort_unstable();
    names.dedup();
    if let Some(cursor) = &request.cursor {
        assert!(all || names.contains(&&*cursor.topic_name), "Kafka would answer that this is invalid");
    }
    let mut room = request.response_partition_limit.max(1);
    let mut response = build!(DescribeTopicPartitionsResponse { next_cursor: None });
    for name in names {
        let mut topic = build!(answer::DescribeTopicPartitionsResponseTopic {
            name: Some(text(name)),
            topic_authorized_operations: 12345,
        });
        let Some((_, count)) = CLUSTER.iter().find(|(known, _)| *known == name) else {
            topic.error_code = 3;
            response.topics.push(topic);
            continue;
        };
        topic.topic_id = id(9);
        let first = match &request.cursor {
            Some(cursor) if &*cursor.topic_name == name => cursor.partition_index,
            _ => 0,
        };
        let next = (first + room).min(*count);
        let cursor = |index| Some(build!(answer::Cursor { topic_name: text(name), partition_index: index }));
        if room == 0 {
            response.next_cursor = cursor(0);
            break;
        }
        topic.partitions = (first..next)
            .map(|index| build!(answer::DescribeTopicPartitionsResponsePartition { partition_index: index }))
            .collect();
        response.topics.push(topic);
        room -= next - first;
        if next < *count {
            response.next_cursor = cursor(next);
            break;
        }
    }
    response.into()
}

fn ask(house: &House, request: DescribeTopicPartitionsRequest) -> Outcome {
    house.ask_engine(request, 0, kafka)
}

fn answered(outcome: &Outcome) -> &DescribeTopicPartitionsResponse {
    body!(&outcome.response, Response::DescribeTopicPartitions)
}

fn told(outcome: &Outcome) -> Vec<(&str, i16, usize)> {
    let topics = &answered(outcome).topics;
    topics.iter().map(|t| (t.name.as_deref().unwrap(), t.error_code, t.partitions.len())).collect()
}

fn next(outcome: &Outcome) -> Option<(&str, i32)> {
    let cursor = answered(outcome).next_cursor.as_ref();
    cursor.map(|cursor| (&*cursor.topic_name, cursor.partition_index))
}

fn reader() -> House {
    let house = House::new().allow("read topic a").allow("describe topic c").allow("alter topic z");
    CLUSTER.iter().zip(1..).fold(house, |house, ((name, _), n)| house.topic(n, name))
}

#[test]
fn a_denied_topic_is_named_without_its_id_and_the_others_are_described() {
    let outcome = ask(&reader(), request(&["secret", "c", "nowhere", "a", "secret"], None, 2000));
    assert!(outcome.is_part());
    let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::DescribeTopicPartitions);
    assert_eq!(admitted.topics.iter().map(|t| &*t.name).collect::<Vec<_>>(), ["c", "a"]);
    assert_eq!(told(&outcome), [("a", 0, 2), ("c", 0, 2), ("nowhere", 29, 0), ("secret", 29, 0)]);
    let denied = &answered(&outcome).topics[3];
    assert_eq!((denied.topic_id, denied.topic_authorized_operations), (Uuid::ZERO, i32::MIN));
    assert!(outcome.decided().contains(&"deny describe topic secret".to_owned()));

    let outcome = ask(&reader(), request(&["secret"], None, 2000));
    assert!(outcome.is_refused(), "an empty list would be one for all");
    assert_eq!(told(&outcome), [("secret", 29, 0)]);
    assert!(ask(&reader(), request(&["c", "a"], None, 2000)).is_whole());
}

#[test]
fn who_may_see_a_topic_hears_that_it_is_not_there() {
    let house = reader().allow("describe topic nowhere");
    assert_eq!(told(&ask(&house, request(&["nowhere", "a"], None, 9))), [("a", 0, 2), ("nowhere", 3, 0)]);
}

#[test]
fn what_may_be_done_is_what_the_caller_may_do() {
    let outcome = ask(&reader(), request(&["a"], None, 2000));
    assert_eq!(answered(&outcome).topics[0].topic_authorized_operations, 1 << 3 | 1 << 8);
    let every: i32 = ResourceType::Topic.operations().iter().map(|o| 1 << o.code()).sum();
    let outcome = ask(&reader().super_user(), request(&["a"], None, 2000));
    assert_eq!(answered(&outcome).topics[0].topic_authorized_operations, every);
}

/// All pages of `names`, as a client fetches them: topics with the number of their partitions.
fn pages(house: &House, names: &[&str], limit: i32) -> Vec<(String, usize)> {
    let mut cursor: Option<(String, i32)> = None;
    let mut seen: Vec<(String, usize)> = Vec::new();
    for _ in 0..30 {
        let at = cursor.as_ref().map(|(name, index)| (name.as_str(), *index));
        let outcome = ask(house, request(names, at, limit));
        for (name, code, partitions) in told(&outcome).into_iter().filter(|(_, code, _)| *code != 29) {
            assert_eq!(code, 0);
            match seen.last_mut() {
                Some(last) if last.0 == name => last.1 += partitions,
                _ => seen.push((name.to_owned(), partitions)),
            }
        }
        let Some((name, index)) = next(&outcome) else { return seen };
        assert!(["a", "c", "z"].contains(&name), "the cursor gives {name} away");
        cursor = Some((name.to_owned(), index));
    }
    panic!("the pages have no end");
}

#[test]
fn pages_of_any_size_show_what_may_be_seen_and_no_cursor_names_anything_else() {
    let visible = [("a".to_owned(), 2), ("c".to_owned(), 2), ("z".to_owned(), 1)];
    let named = ["z", "secret", "b", "c", "a", "__schloss_metadata"];
    for limit in 0..=8 {
        assert_eq!(pages(&reader(), &[], limit), visible, "all, by {limit}");
        assert_eq!(pages(&reader(), &named, limit), visible, "named, by {limit}");
    }
}

#[test]
fn all_topics_are_never_asked_for_and_none_is_recorded() {
    let outcome = ask(&reader(), request(&[], None, 2000));
    assert!(outcome.is_part() && outcome.decisions.is_empty());
    let admitted = body!(&outcome.admitted.as_ref().unwrap().0, Request::DescribeTopicPartitions);
    assert_eq!(admitted.topics.len(), 3);
    assert!(ask(&House::new().topic(1, "secret"), request(&[], None, 9)).is_refused());
    assert_eq!(told(&ask(&House::new().topic(1, "secret"), request(&[], None, 9))), []);
    assert!(ask(&reader(), request(&[], Some(("zz", 0)), 9)).is_refused(), "beyond the last one");
    let everything = ask(&reader().super_user(), request(&[], None, 2000));
    assert_eq!(told(&everything).len(), CLUSTER.len() - 1, "reserved topics are nobody's");
}

#[test]
fn a_topic_that_is_gone_by_now_is_left_out_of_all_topics() {
    let house = reader().allow("describe topic gone").topic(77, "gone");
    assert_eq!(told(&ask(&house, request(&[], None, 9))), [("a", 0, 2), ("c", 0, 2), ("z", 0, 1)]);
}

#[test]
fn a_cursor_at_a_topic_that_may_not_be_seen_goes_on_with_the_next_one_from_its_start() {
    for names in [&["a", "b", "c", "z"][..], &[]] {
        let outcome = ask(&reader(), request(names, Some(("b", 1)), 2000));
        let shown: Vec<_> = told(&outcome).into_iter().filter(|(_, code, _)| *code == 0).collect();
        assert_eq!(shown, [("c", 0, 2), ("z", 0, 1)]);
    }
    let outcome = ask(&reader(), request(&["a", "b", "c", "secret"], Some(("b", 1)), 2000));
    let named: Vec<_> = told(&outcome).into_iter().map(|(name, code, _)| (name, code)).collect();
    assert_eq!(named, [("c", 0), ("b", 29), ("secret", 29)], "earlier pages answered for the others");
    let outcome = ask(&reader(), request(&["a", "b", "c"], Some(("c", 1)), 2000));
    assert_eq!(told(&outcome), [("c", 0, 1)]);
}

#[test]
fn a_cursor_that_names_nothing_asked_for_or_nothing_at_all_is_invalid_for_everybody() {
    for house in [reader(), reader().super_user()] {
        for cursor in [("b", 0), ("a", -1)] {
            let outcome = ask(&house, request(&["a", "secret"], Some(cursor), 9));
            assert!(outcome.is_refused());
            assert_eq!(told(&outcome), [("a", 42, 0), ("secret", 42, 0)]);
        }
        assert_eq!(told(&ask(&house, request(&[], Some(("a", -1)), 9))), []);
    }
}

#[test]
fn an_engine_that_says_more_than_it_was_asked_is_not_passed_on() {
    let outcome = reader().ask_engine(request(&["a"], None, 9), 0, |_| {
        let topic =
            |name: &str| build!(answer::DescribeTopicPartitionsResponseTopic { name: Some(text(name)) });
        build!(DescribeTopicPartitionsResponse {
            topics: vec![topic("a"), topic("secret"), topic("__schloss_metadata")],
            next_cursor: Some(build!(answer::Cursor { topic_name: text("secret") })),
        })
        .into()
    });
    assert_eq!((told(&outcome), next(&outcome)), (vec![("a", 0, 0)], None));
}
