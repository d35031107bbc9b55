//! Delegation tokens.

use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType, Subject};
use schloss_policy::{AclSet, DecisionCache, Judge, shows_token};
use schloss_wire::messages as m;
use schloss_wire::{Principal, Request, build};

use crate::house::{House, Outcome, body, text};

fn create(kind: &str, name: &str) -> m::CreateDelegationTokenRequest {
    build!(m::CreateDelegationTokenRequest {
        owner_principal_type: Some(text(kind)),
        owner_principal_name: Some(text(name)),
    })
}

fn told(outcome: &Outcome) -> (i16, String, String) {
    let response = body!(&outcome.response, Response::CreateDelegationToken);
    let joined = |kind: &str, name: &str| format!("{kind}:{name}");
    (
        response.error_code,
        joined(&response.principal_type, &response.principal_name),
        joined(&response.token_requester_principal_type, &response.token_requester_principal_name),
    )
}

#[test]
fn everybody_makes_tokens_for_themselves_and_nothing_is_asked() {
    let nobody =
        build!(m::CreateDelegationTokenRequest { owner_principal_type: None, owner_principal_name: None });
    for request in [nobody, create("", ""), create("User", " "), create("User", "a")] {
        let outcome = House::new().deny("all user *").ask(request, 3);
        assert!(outcome.is_whole());
        assert!(outcome.decided().is_empty());
    }
}

#[test]
fn for_others_by_create_tokens_on_the_user_as_a_whole_principal() {
    let outcome = House::new().ask(create("User", "b"), 3);
    assert!(outcome.is_refused());
    assert_eq!(told(&outcome), (65, "User:b".to_owned(), "User:a".to_owned()));
    assert_eq!(outcome.decided(), ["deny create-tokens user-principal User:b"]);
    let older = House::new().ask(create("User", "b"), 2);
    assert_eq!(told(&older), (65, "User:b".to_owned(), ":".to_owned()), "no place for it before version 3");

    assert!(House::new().allow("create-tokens user User:b").ask(create("User", "b"), 3).is_whole());
    assert!(House::new().allow("create-tokens user *").ask(create("User", "b"), 3).is_whole());
    for other in ["create-tokens user b", "create-tokens user User:c", "describe-tokens user User:b"] {
        assert!(House::new().allow(other).ask(create("User", "b"), 3).is_refused(), "{other}");
    }
    let denied = House::new().allow("create-tokens user *").deny("create-tokens user User:b");
    assert!(denied.ask(create("User", "b"), 3).is_refused());
    // The parts can't be shifted against each other to come out as oneself.
    assert!(House::new().ask(create("Other", "a"), 3).is_refused());
}

#[test]
fn what_somebody_holds_the_hmac_of_is_for_the_gate_to_judge() {
    for request in [
        Request::from(m::RenewDelegationTokenRequest::default()),
        m::ExpireDelegationTokenRequest::default().into(),
        m::DescribeDelegationTokenRequest::default().into(),
    ] {
        assert!(House::new().ask(request, 2).is_whole());
    }
}

#[test]
fn a_token_of_others_is_shown_by_an_acl_on_it_or_on_its_owner() {
    let shows = |rules: &[(Operation, ResourceType, &str, Permission)]| {
        let acl = |&(operation, resource_type, name, permission): &(_, _, &str, _)| Acl {
            resource_type,
            pattern_type: PatternType::Literal,
            resource_name: name.to_owned(),
            principal: "User:a".to_owned(),
            host: "*".to_owned(),
            operation,
            permission,
        };
        let acls = AclSet::new(rules.iter().map(acl).collect(), Vec::new(), 1);
        let subject = Subject::new(Principal::user("a"), [10, 0, 0, 1].into());
        let mut cache = DecisionCache::default();
        let mut judge = Judge::new(&acls, &subject, &mut cache);
        let shown = shows_token(&mut judge, "id", &Principal::user("b"));
        assert!(judge.into_decisions().is_empty());
        shown
    };
    use Operation::{CreateTokens, Describe, DescribeTokens};
    use Permission::{Allow, Deny};
    use ResourceType::{DelegationToken, User};
    assert!(!shows(&[]));
    assert!(shows(&[(Describe, DelegationToken, "id", Allow)]));
    assert!(shows(&[(DescribeTokens, User, "User:b", Allow)]));
    assert!(!shows(&[(Describe, DelegationToken, "other", Allow), (CreateTokens, User, "User:b", Allow)]));
    // As in Kafka: either is enough, so a DENY on one of them does not stand against the other.
    let one = (Describe, DelegationToken, "id", Deny);
    assert!(shows(&[one, (DescribeTokens, User, "User:b", Allow)]));
    assert!(!shows(&[one, (Describe, DelegationToken, "*", Allow)]));
}
