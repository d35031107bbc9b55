//! Groups, roles and whole policies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{acl, credential, home, open};
use schloss_identity::Mechanism;
use schloss_metadata::security::{
    AccountDocument, PolicyDocument, SecurityChange, SecurityQuestion, Step, StepKind,
};
use schloss_metadata::{
    Account, AccountKind, ChangeError, Metadata, QuotaChange, QuotaEntity, QuotaKey, QuotaName,
};
use schloss_policy::{Acl, Binding, Operation, Permission, ResourceType, Subject};
use schloss_wire::Principal;

fn admin() -> Subject {
    Subject::new(Principal::user("admin"), [127, 0, 0, 1].into())
}

fn user(name: &str) -> Subject {
    Subject::new(Principal::user(name), [127, 0, 0, 1].into())
}

async fn alter(metadata: &Arc<Metadata>, change: SecurityChange) -> Vec<Step> {
    metadata.alter_security(change, &admin()).await.unwrap()
}

async fn refusal(metadata: &Arc<Metadata>, change: SecurityChange, caller: &Subject) -> String {
    match metadata.alter_security(change, caller).await {
        Err(ChangeError::Refused(refusal)) => refusal.message,
        other => panic!("{other:?}"),
    }
}

fn add(group: &str, members: &[&str]) -> SecurityChange {
    let members = members.iter().map(|name| Principal::user(name)).collect();
    SecurityChange::AddToGroup { group: group.to_owned(), members }
}

fn reader(principal: Principal) -> Binding {
    Binding { role: "DeveloperRead".to_owned(), principal, resource: None, expires: None }
}

fn apply(policy: PolicyDocument) -> SecurityChange {
    SecurityChange::Apply { policy: Box::new(policy), dry_run: false }
}

fn may_read(metadata: &Metadata, name: &str) -> bool {
    metadata.snapshot().acls().decide(&user(name), Operation::Read, ResourceType::Topic, "t").allowed
}

#[tokio::test]
async fn groups_and_roles_are_lasting() {
    let directory = home();
    {
        let metadata = open(directory.path());
        assert_eq!(alter(&metadata, add("ops", &["alice"])).await[0].kind, StepKind::Add);
        let [step] = &alter(&metadata, add("ops", &["alice", "bob"])).await[..] else { panic!("one step") };
        // Who stays is not told: it may be thousands.
        let told = (step.kind, step.before.to_string(), step.after.to_string());
        assert_eq!(told, (StepKind::Change, "[]".to_owned(), r#"["User:bob"]"#.to_owned()));
        assert!(alter(&metadata, add("ops", &["bob"])).await.is_empty(), "nothing to do is no change");
        alter(&metadata, SecurityChange::Bind(reader(Principal::group("ops")))).await;
        let grants = [(ResourceType::Group, [Operation::Describe].into())].into();
        alter(&metadata, SecurityChange::SetRole { role: "auditor".to_owned(), grants }).await;
        assert!(may_read(&metadata, "alice") && may_read(&metadata, "bob") && !may_read(&metadata, "carol"));
    }
    let metadata = open(directory.path());
    assert!(may_read(&metadata, "alice") && may_read(&metadata, "bob") && !may_read(&metadata, "carol"));
    assert!(metadata.snapshot().acls().roles().contains_key("auditor"));

    let remove =
        SecurityChange::RemoveFromGroup { group: "ops".to_owned(), members: [Principal::user("bob")].into() };
    alter(&metadata, remove).await;
    assert!(may_read(&metadata, "alice") && !may_read(&metadata, "bob"));
    alter(&metadata, SecurityChange::Unbind(reader(Principal::group("ops")))).await;
    assert!(!may_read(&metadata, "alice"));
    alter(&metadata, SecurityChange::DeleteGroup { group: "ops".to_owned() }).await;
    alter(&metadata, SecurityChange::DeleteRole { role: "auditor".to_owned() }).await;
    drop(metadata);
    let metadata = open(directory.path());
    let snapshot = metadata.snapshot();
    assert!(snapshot.acls().groups().is_empty() && snapshot.acls().roles().is_empty());
    assert!(snapshot.acls().bindings().is_empty());
}

#[tokio::test]
async fn an_end_that_changes_is_a_change() {
    let directory = home();
    let metadata = open(directory.path());
    alter(&metadata, SecurityChange::Bind(reader(Principal::user("alice")))).await;
    assert!(may_read(&metadata, "alice"));
    let over =
        Binding { expires: Some(time::OffsetDateTime::UNIX_EPOCH), ..reader(Principal::user("alice")) };
    let before = metadata.snapshot().generation();
    assert_eq!(alter(&metadata, SecurityChange::Bind(over)).await[0].kind, StepKind::Change);
    assert!(metadata.snapshot().generation() > before, "sessions have to see it");
    assert!(!may_read(&metadata, "alice"));
    assert_eq!(metadata.snapshot().acls().bindings().len(), 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let directory = home();
    let metadata = open(directory.path());
    let grants = || [(ResourceType::Topic, [Operation::Read].into())].into();
    let nested =
        SecurityChange::AddToGroup { group: "a".to_owned(), members: [Principal::group("b")].into() };
    alter(&metadata, SecurityChange::SetRole { role: "mine".to_owned(), grants: grants() }).await;
    alter(
        &metadata,
        SecurityChange::Bind(Binding { role: "mine".to_owned(), ..reader(Principal::user("a")) }),
    )
    .await;
    for (change, words) in [
        (nested, "groups are not nested"),
        (SecurityChange::DeleteGroup { group: "none".to_owned() }, "there is no group none"),
        (SecurityChange::DeleteRole { role: "mine".to_owned() }, "is bound"),
        (SecurityChange::DeleteRole { role: "Operator".to_owned() }, "there is no role of your own"),
        (SecurityChange::SetRole { role: "Operator".to_owned(), grants: grants() }, "is a built-in role"),
        (
            SecurityChange::Bind(Binding { role: "none".to_owned(), ..reader(Principal::user("a")) }),
            "there is no role none",
        ),
        (SecurityChange::Unbind(reader(Principal::user("nobody"))), "there is no binding"),
    ] {
        let message = refusal(&metadata, change, &admin()).await;
        assert!(message.contains(words), "{message}");
    }
}

async fn furnished(metadata: &Arc<Metadata>) {
    for name in ["alice", "chief"] {
        metadata.set_scram(name, credential(Mechanism::ScramSha256, 4096)).await.unwrap();
    }
    let chief = |operation| Acl {
        resource_type: ResourceType::Cluster,
        resource_name: "kafka-cluster".to_owned(),
        operation,
        ..acl("chief", "x")
    };
    let acls = vec![acl("alice", "t"), chief(Operation::Alter), chief(Operation::Describe)];
    metadata.add_acls(acls).await.unwrap();
    alter(metadata, add("ops", &["alice"])).await;
    alter(metadata, SecurityChange::Bind(reader(Principal::group("ops")))).await;
    let change = QuotaChange {
        entity: QuotaEntity::User(QuotaName::Named("alice".to_owned())),
        changes: BTreeMap::from([(QuotaKey::ProducerByteRate, Some(1024.0))]),
    };
    metadata.alter_client_quotas(vec![change], false).await.unwrap();
}

#[tokio::test]
async fn what_was_exported_changes_nothing_when_it_is_applied() {
    let directory = home();
    let metadata = open(directory.path());
    furnished(&metadata).await;
    let exported = PolicyDocument::export(&metadata.snapshot());
    let text = serde_json::to_string(&exported).unwrap();
    assert!(!text.contains("0123456789abcdef") && !text.contains("salt"), "{text}");
    let again: PolicyDocument = serde_json::from_str(&text).unwrap();
    assert_eq!(again, exported);
    let version = metadata.snapshot().version();
    assert!(alter(&metadata, apply(again)).await.is_empty());
    assert_eq!(metadata.snapshot().version(), version, "nothing was written");
}

#[tokio::test]
async fn a_policy_adds_changes_and_removes_at_once_and_only_once() {
    let directory = home();
    let metadata = open(directory.path());
    furnished(&metadata).await;
    let mut policy = PolicyDocument::export(&metadata.snapshot());
    policy.groups.as_mut().unwrap().insert("new".to_owned(), [Principal::user("bob")].into());
    policy.groups.as_mut().unwrap().insert("ops".to_owned(), [Principal::user("carol")].into());
    policy.acls.as_mut().unwrap().retain(|acl| acl.principal != "User:alice");
    policy.bindings.as_mut().unwrap().push(reader(Principal::group("new")));
    policy.quotas = Some(Vec::new());
    policy.users.as_mut().unwrap().remove("alice");

    let planned = SecurityChange::Apply { policy: Box::new(policy.clone()), dry_run: true };
    let steps = alter(&metadata, planned).await;
    let shown: Vec<(StepKind, &str)> = steps.iter().map(|step| (step.kind, step.what.as_str())).collect();
    use StepKind::{Add, Change, Remove};
    assert_eq!(
        shown,
        [
            (Remove, "user"),
            (Add, "group"),
            (Change, "group"),
            (Add, "binding"),
            (Remove, "acl"),
            (Remove, "quota"),
        ]
    );
    assert!(may_read(&metadata, "alice"), "a plan changes nothing");
    let version = metadata.snapshot().version();
    assert_eq!(alter(&metadata, apply(policy.clone())).await, steps);
    assert_eq!(metadata.snapshot().version(), version + 1, "all of it is one change");
    assert!(!may_read(&metadata, "alice") && may_read(&metadata, "bob") && may_read(&metadata, "carol"));
    assert!(metadata.snapshot().user("alice").is_none() && metadata.snapshot().client_quotas().is_empty());
    assert!(alter(&metadata, apply(policy.clone())).await.is_empty());
    drop(metadata);
    let metadata = open(directory.path());
    assert!(alter(&metadata, apply(policy)).await.is_empty(), "it is lasting");
}

#[tokio::test]
async fn one_bad_part_spoils_the_whole_and_nothing_is_changed() {
    let directory = home();
    let metadata = open(directory.path());
    furnished(&metadata).await;
    let good = PolicyDocument::export(&metadata.snapshot());
    let spoil = |change: &dyn Fn(&mut PolicyDocument)| {
        let mut policy = good.clone();
        policy.groups.as_mut().unwrap().insert("new".to_owned(), Default::default());
        change(&mut policy);
        apply(policy)
    };
    let version = metadata.snapshot().version();
    for (change, words) in [
        (spoil(&|policy| policy.version = 2), "version 2 is not known"),
        (spoil(&|policy| policy.super_users = Some([].into())), "super_users differ"),
        (
            spoil(&|policy| {
                let all = [Mechanism::ScramSha512].into();
                policy.users.as_mut().unwrap().insert("ghost".to_owned(), all);
            }),
            "schloss user add ghost",
        ),
        (
            spoil(&|policy| {
                policy.acls.as_mut().unwrap().push(Acl { host: "nowhere".to_owned(), ..acl("a", "t") });
            }),
            "'nowhere' is not a host",
        ),
        (spoil(&|policy| policy.acls.as_mut().unwrap().push(acl("alice", "t"))), "stands there twice"),
        (
            spoil(&|policy| {
                let ghost = Binding { role: "ghost".to_owned(), ..reader(Principal::user("a")) };
                policy.bindings.as_mut().unwrap().push(ghost);
            }),
            "there is no role ghost",
        ),
    ] {
        let message = refusal(&metadata, change, &admin()).await;
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(metadata.snapshot().version(), version);
}

#[tokio::test]
async fn nobody_locks_itself_out() {
    let directory = home();
    let metadata = open(directory.path());
    furnished(&metadata).await;
    let without = |gone: &str| {
        let mut policy = PolicyDocument::export(&metadata.snapshot());
        policy.acls.as_mut().unwrap().retain(|acl| acl.principal != gone);
        policy
    };
    let message = refusal(&metadata, apply(without("User:chief")), &user("chief")).await;
    assert!(message.contains("User:chief, who asks for it"), "{message}");
    let mut no_login = PolicyDocument::export(&metadata.snapshot());
    no_login.users.as_mut().unwrap().remove("chief");
    let message = refusal(&metadata, apply(no_login), &user("chief")).await;
    assert!(message.contains("last credential"), "{message}");
    let mut denied = PolicyDocument::export(&metadata.snapshot());
    denied.acls.as_mut().unwrap().push(Acl {
        resource_type: ResourceType::Cluster,
        resource_name: "kafka-cluster".to_owned(),
        operation: Operation::Describe,
        permission: Permission::Deny,
        principal: "User:*".to_owned(),
        ..acl("x", "x")
    });
    assert!(refusal(&metadata, apply(denied), &user("chief")).await.contains("describe on the cluster"));
    // Others may, and a super user is never locked out.
    alter(&metadata, apply(without("User:chief"))).await;
    assert!(
        !metadata
            .snapshot()
            .acls()
            .decide(&user("chief"), Operation::Alter, ResourceType::Cluster, "kafka-cluster")
            .allowed
    );
}

#[tokio::test]
async fn parts_that_are_left_out_stay() {
    let directory = home();
    let metadata = open(directory.path());
    furnished(&metadata).await;
    let policy = PolicyDocument { version: 1, groups: Some(Default::default()), ..PolicyDocument::default() };
    let steps = alter(&metadata, apply(policy)).await;
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(metadata.snapshot().user("alice").is_some() && metadata.snapshot().acls().iter().len() == 3);
}

#[tokio::test]
async fn accounts_stand_in_the_file_without_their_keys() {
    let directory = home();
    let metadata = open(directory.path());
    furnished(&metadata).await;
    let end = time::OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap();
    let owner = Some("alice".to_owned());
    let facts =
        |keys| Account { kind: AccountKind::Service, owner, expires: Some(end), keys, disabled: false };
    let billing = facts(["billing:key:one".to_owned()].into());
    let set =
        |name: &str, account| SecurityChange::SetAccount { name: name.to_owned(), account: Some(account) };
    alter(&metadata, set("billing", billing.clone())).await;
    metadata.set_scram("billing:key:one", credential(Mechanism::ScramSha256, 4096)).await.unwrap();
    alter(&metadata, set("gone", Account { disabled: true, ..Account::default() })).await;

    let policy = PolicyDocument::export(&metadata.snapshot());
    let text = serde_json::to_string(&policy).unwrap();
    let read: PolicyDocument = serde_json::from_str(&text).unwrap();
    assert_eq!(read, policy);
    assert!(
        text.contains(r#""billing":{"kind":"service","owner":"alice","expires":"2096-10-02T07:06:40Z"}"#),
        "{text}"
    );
    assert!(alter(&metadata, apply(policy.clone())).await.is_empty(), "it is so already");

    let mut other = policy.clone();
    let accounts = other.accounts.as_mut().unwrap();
    accounts.get_mut("billing").unwrap().disabled = true;
    accounts.remove("gone");
    accounts
        .insert("new".to_owned(), AccountDocument { owner: Some("bob".to_owned()), ..Default::default() });
    let steps = alter(&metadata, apply(other.clone())).await;
    let told: Vec<_> = steps.iter().map(|step| (step.kind, step.what.as_str(), step.name.as_str())).collect();
    let account = |kind, name| (kind, "account", name);
    assert_eq!(
        told,
        [
            account(StepKind::Change, "billing"),
            account(StepKind::Add, "new"),
            account(StepKind::Remove, "gone")
        ]
    );
    let snapshot = metadata.snapshot();
    assert_eq!(
        snapshot.accounts()["billing"],
        Account { disabled: true, ..billing.clone() },
        "the key stays"
    );
    assert!(alter(&metadata, apply(other.clone())).await.is_empty(), "the second time does nothing");

    // An account that is left out is neither disabled nor over, and its keys are its own still.
    other.accounts.as_mut().unwrap().remove("billing");
    alter(&metadata, apply(other.clone())).await;
    let bare = Account { keys: billing.keys, ..Account::default() };
    assert_eq!(metadata.snapshot().accounts()["billing"], bare);
    // A key that is no user any more is no key.
    other.users.as_mut().unwrap().remove("billing:key:one");
    let keyless = PolicyDocument { version: 1, users: other.users.clone(), ..PolicyDocument::default() };
    alter(&metadata, apply(keyless)).await;
    let snapshot = metadata.snapshot();
    assert!(snapshot.user("billing:key:one").is_none());
    assert!(snapshot.accounts().get("billing").is_none_or(|account| account.keys.is_empty()));

    let mut wrong = other;
    let nameless = AccountDocument { owner: Some(String::new()), ..AccountDocument::default() };
    wrong.accounts.as_mut().unwrap().insert("x".to_owned(), nameless);
    assert!(refusal(&metadata, apply(wrong), &admin()).await.contains("account x"));
}

#[tokio::test]
async fn nobody_disables_itself_by_a_file() {
    let directory = home();
    let metadata = open(directory.path());
    furnished(&metadata).await;
    let mut policy = PolicyDocument::export(&metadata.snapshot());
    let disabled = AccountDocument { disabled: true, ..AccountDocument::default() };
    policy.accounts.as_mut().unwrap().insert("chief".to_owned(), disabled);
    assert!(refusal(&metadata, apply(policy), &user("chief")).await.contains("User:chief, who asks for it"));
}

#[tokio::test]
async fn an_api_key_comes_and_goes_with_its_credentials_in_one_change() {
    let directory = home();
    let metadata = open(directory.path());
    furnished(&metadata).await;
    let made = credential(Mechanism::ScramSha256, 4096);
    let credential = || made.clone();
    let add = |key: &str, credentials| SecurityChange::AddKey {
        user: "billing".to_owned(),
        key: key.to_owned(),
        credentials,
    };
    let before = metadata.snapshot().version();
    let steps = alter(&metadata, add("billing:key:one", vec![credential()])).await;
    let told: Vec<_> = steps.iter().map(|step| (step.kind, step.name.as_str())).collect();
    let mechanism = credential().mechanism();
    assert_eq!(
        told,
        [(StepKind::Add, "billing"), (StepKind::Add, &*format!("billing:key:one ({mechanism})"))]
    );
    let snapshot = metadata.snapshot();
    assert_eq!(snapshot.version(), before + 1);
    assert!(snapshot.user("billing:key:one").is_some());
    assert!(snapshot.accounts()["billing"].keys.contains("billing:key:one"));
    for secret in ["salt", "stored_key", "server_key"] {
        let value = serde_json::to_value(credential()).unwrap()[secret].as_str().unwrap().to_owned();
        assert!(!serde_json::to_string(&steps).unwrap().contains(&value), "{secret}");
        assert!(!format!("{:?}", add("billing:key:two", vec![credential()])).contains(&value), "{secret}");
    }

    metadata.set_scram("billing:key:taken", credential()).await.unwrap();
    let before = metadata.snapshot().version();
    for (change, words) in [
        (add("billing:key:one", vec![credential()]), "take another one"),
        (add("billing:key:taken", vec![credential()]), "take another one"),
        (add("other:key:two", vec![credential()]), "does not begin with billing:key:"),
        (add("billing:key:two", vec![]), "needs a credential"),
        (add("billing:key:two", vec![credential(), credential()]), "one alone for each mechanism"),
        (SecurityChange::RemoveKey { key: "billing:key:two".to_owned() }, "there is no API key"),
    ] {
        let message = refusal(&metadata, change, &admin()).await;
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(metadata.snapshot().version(), before);

    let steps = alter(&metadata, SecurityChange::RemoveKey { key: "billing:key:one".to_owned() }).await;
    assert_eq!(steps.len(), 2, "{steps:?}");
    let snapshot = metadata.snapshot();
    assert_eq!(snapshot.version(), before + 1);
    assert!(snapshot.user("billing:key:one").is_none() && snapshot.accounts()["billing"].keys.is_empty());
    assert!(snapshot.user("alice").is_some());
}

#[test]
fn what_fuzzing_begins_with_can_be_read() {
    let mut lines = include_str!("../../../fuzz/seeds/policy/rules").lines();
    let document: PolicyDocument = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert!(document.compile().is_super_user(&Principal::user("root")));
    let questions = lines.map(serde_json::from_str::<SecurityQuestion>).collect::<Result<Vec<_>, _>>();
    assert_eq!(questions.unwrap().len(), 3);
}
