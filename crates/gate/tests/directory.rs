//! Users and groups of a directory: who gets in by it, and what becomes of sessions as it changes its mind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::client::produce;
use common::{Client, House, PASSWORD, message};
use schloss_gate::GateConfig;
use schloss_identity::{
    Asking, AuthFailureReason, Directory, DirectoryEntry, DirectoryGroups, Mechanism, Member, Membership,
    Method, Password, SaslMechanism, TokenHmac, groups,
};
use schloss_metadata::{Account, AccountKind, security::SecurityChange};
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType, Subject};
use schloss_wire::messages::CreateDelegationTokenRequest;
use schloss_wire::{Principal, Response, build};

/// A directory with one user, who is `Carol` however the name is typed.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Page>>);

#[derive(Default)]
struct Page {
    says: Option<DirectoryGroups>,
    is_down: bool,
    /// Passwords that were looked at.
    checks: usize,
}

struct Carol(Book);

impl Membership for Carol {
    fn name(&self) -> &str {
        "Carol"
    }

    fn groups(&self) -> DirectoryGroups {
        self.0.0.lock().unwrap().says.clone().unwrap()
    }
}

impl Book {
    fn says(&self, says: DirectoryGroups) {
        self.0.lock().unwrap().says = Some(says);
    }

    fn says_groups(&self, names: &[&str]) {
        self.says(DirectoryGroups::Known(groups(names).unwrap()));
    }

    fn checks(&self) -> usize {
        self.0.lock().unwrap().checks
    }

    fn member(&self) -> Member {
        Member::new(Arc::new(Carol(self.clone())))
    }
}

impl Directory for Book {
    fn find<'a>(&'a self, user: &'a str) -> Asking<'a, Result<Option<DirectoryEntry>, AuthFailureReason>> {
        Box::pin(async move {
            if self.0.lock().unwrap().is_down {
                return Err(AuthFailureReason::DirectoryDown("no answer".to_owned()));
            }
            let name = match user.to_lowercase().as_str() {
                "carol" => "Carol",
                // Other ways to write who is known here, and who has a name to itself.
                "alice" => "alice",
                "billing" => "billing",
                _ => return Ok(None),
            };
            let entry =
                DirectoryEntry { asked: user.to_owned(), name: name.to_owned(), place: String::new() };
            Ok(Some(entry))
        })
    }

    fn check<'a>(
        &'a self,
        _: &'a DirectoryEntry,
        password: &'a Password,
    ) -> Asking<'a, Result<Member, AuthFailureReason>> {
        self.0.lock().unwrap().checks += 1;
        let is_right = password.expose() == PASSWORD;
        Box::pin(
            async move { if is_right { Ok(self.member()) } else { Err(AuthFailureReason::WrongPassword) } },
        )
    }

    fn member<'a>(&'a self, user: &'a str, method: Option<Method>) -> Asking<'a, Option<Member>> {
        let is_asked = match method {
            Some(method) => user == "alice" && method == Method::Sasl(Mechanism::ScramSha256.into()),
            None => user == "Carol",
        };
        Box::pin(async move { is_asked.then(|| self.member()) })
    }

    fn known(&self, user: &str) -> Option<Arc<[Principal]>> {
        match self.member().groups() {
            DirectoryGroups::Known(groups) if user == "Carol" => Some(groups),
            _ => None,
        }
    }
}

async fn open() -> (House, Book) {
    open_with(|_| {}).await
}

async fn open_with(change: impl FnOnce(&mut GateConfig)) -> (House, Book) {
    let book = Book::default();
    book.says_groups(&["ops"]);
    let house = House::open_with(|config| {
        config.listeners[0].mechanisms.push(SaslMechanism::Plain);
        config.directory = Some(Arc::new(book.clone()));
        // Clocks of connections are looked at four times as often.
        config.write_timeout = Duration::from_millis(400);
        change(config);
    })
    .await;
    add_acl(&house, "Group:ops", Permission::Allow).await;
    (house, book)
}

async fn add_acl(house: &House, principal: &str, permission: Permission) {
    let acl = Acl {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        resource_name: "orders".to_owned(),
        principal: principal.to_owned(),
        host: "*".to_owned(),
        operation: Operation::Write,
        permission,
    };
    house.metadata.add_acls(vec![acl]).await.unwrap()[0].as_ref().unwrap();
}

async fn carol(house: &House) -> Client {
    let mut client = house.connect().await;
    assert_eq!(client.login_plainly("carol", PASSWORD).await.error_code, 0);
    client
}

/// The error of a record.
async fn write(client: &mut Client) -> i16 {
    match client.call(9, produce(1, &["orders"])).await {
        Response::Produce(answer) => answer.responses[0].partition_responses[0].error_code,
        other => panic!("{other:?}"),
    }
}

const DENIED: i16 = 29;

#[tokio::test]
async fn one_user_is_one_principal_with_the_groups_of_the_directory() {
    let (house, _) = open().await;
    for typed in ["carol", "CAROL", "Carol"] {
        let mut client = house.connect().await;
        assert_eq!(client.login_plainly(typed, PASSWORD).await.error_code, 0);
        assert_eq!(write(&mut client).await, 0);
    }
    assert!(house.engine.callers().iter().all(|caller| caller.principal.as_str() == "User:Carol"));
    let event = house.event("the log-in", |event| message(event) == "by the directory").await;
    assert_eq!(event.data.authentication_info.unwrap().metadata.groups, ["Group:ops"]);
    assert!(!house.records.text().contains(PASSWORD));
}

#[tokio::test]
async fn who_is_known_here_is_nobodys_else_however_the_name_is_written() {
    let (house, book) = open().await;
    let admin = Subject::new(Principal::user("admin"), "127.0.0.1".parse().unwrap());
    let account = Some(Account { kind: AccountKind::Service, ..Account::default() });
    let change = SecurityChange::SetAccount { name: "billing".to_owned(), account };
    house.metadata.alter_security(change, &admin).await.unwrap();
    // The password of the directory's alice is the same; it is not asked about her.
    assert_eq!(house.connect().await.login_plainly("alice", PASSWORD).await.error_code, 0);
    for typed in ["Alice", "BILLING"] {
        assert_eq!(house.connect().await.login_plainly(typed, PASSWORD).await.error_code, 58);
    }
    assert_eq!(house.connect().await.login_plainly("billing", PASSWORD).await.error_code, 58);
    assert_eq!(book.checks(), 0);
    house.event("the attempt", |event| message(event).contains("alice is a local user")).await;
    house.event("the attempt", |event| message(event).contains("billing is a local user")).await;
}

#[tokio::test]
async fn all_failures_are_told_alike_and_none_sooner_than_another() {
    let (house, book) = open().await;
    let mut told = Vec::new();
    for (user, password) in
        [("carol", "wrong"), ("nobody", PASSWORD), ("alice", "wrong"), ("Alice", PASSWORD), ("*", "x")]
    {
        let begun = Instant::now();
        let answer = house.connect().await.login_plainly(user, password).await;
        assert!(begun.elapsed() >= Duration::from_millis(250), "{user}");
        told.push((answer.error_code, answer.error_message, answer.auth_bytes));
    }
    book.0.lock().unwrap().is_down = true;
    let answer = house.connect().await.login_plainly("carol", PASSWORD).await;
    told.push((answer.error_code, answer.error_message, answer.auth_bytes));
    assert!(told.iter().all(|one| *one == told[0]) && told[0].0 == 58, "{told:?}");
    for words in ["wrong password", "unknown user", "the directory can't be asked: no answer"] {
        house.event(words, |event| message(event).contains(words)).await;
    }
}

#[tokio::test]
async fn wrong_passwords_lock_out_by_the_directorys_name_and_an_outage_does_not() {
    let (house, book) = open_with(|config| {
        config.lockout.principal_failures = 3;
        config.lockout.first = Duration::from_secs(60);
    })
    .await;
    book.0.lock().unwrap().is_down = true;
    for _ in 0..5 {
        assert_eq!(house.connect().await.login_plainly("carol", PASSWORD).await.error_code, 58);
    }
    book.0.lock().unwrap().is_down = false;
    for typed in ["carol", "Carol", "CAROL"] {
        assert_eq!(house.connect().await.login_plainly(typed, "wrong").await.error_code, 58);
    }
    assert_eq!(book.checks(), 3);
    for typed in ["carol", "cArOl"] {
        assert_eq!(house.connect().await.login_plainly(typed, PASSWORD).await.error_code, 58);
    }
    assert_eq!(book.checks(), 3, "the directory is spared what can't succeed");
    house.event("the attempt", |event| message(event).starts_with("this user is locked out")).await;
}

#[tokio::test]
async fn a_change_of_groups_is_in_force_at_the_next_request() {
    let (house, book) = open().await;
    let mut client = carol(&house).await;
    assert_eq!(write(&mut client).await, 0);
    book.says_groups(&["dev"]);
    assert_eq!(write(&mut client).await, DENIED);
    let event = house.event("the change", |event| message(event).contains("other groups")).await;
    assert_eq!(event.data.authentication_info.unwrap().metadata.groups, ["Group:dev"]);
    book.says_groups(&["ops"]);
    assert_eq!(write(&mut client).await, 0);
}

#[tokio::test]
async fn groups_that_are_unknown_count_for_nothing_and_come_back() {
    let (house, book) = open().await;
    let mut client = carol(&house).await;
    book.says(DirectoryGroups::Unknown);
    assert_eq!(write(&mut client).await, DENIED);
    house.event("the outage", |event| message(event).contains("the directory does not answer")).await;
    book.says_groups(&["ops"]);
    assert_eq!(write(&mut client).await, 0);
}

#[tokio::test]
async fn nobody_gets_past_a_deny_by_an_outage() {
    let (house, book) = open().await;
    add_acl(&house, "User:Carol", Permission::Allow).await;
    let (mut client, mut idle) = (carol(&house).await, carol(&house).await);
    add_acl(&house, "Group:interns", Permission::Deny).await;
    assert_eq!(write(&mut client).await, 0);
    book.says(DirectoryGroups::Unknown);
    assert!(client.try_call(9, produce(1, &["orders"])).await.is_none());
    idle.is_closed().await;
    house.complaint("a DENY for one of its groups may concern the user").await;
    house.still_serves().await;
}

#[tokio::test]
async fn who_is_gone_from_the_directory_loses_open_connections() {
    let (house, book) = open().await;
    let mut client = carol(&house).await;
    book.says(DirectoryGroups::Nobody);
    client.is_closed().await;
    house.complaint("the directory knows no such user any more").await;
}

#[tokio::test]
async fn changes_of_local_users_close_nobodys_connection_who_is_of_the_directory() {
    let (house, _) = open().await;
    let mut client = carol(&house).await;
    house.add_user("dave").await;
    assert_eq!(write(&mut client).await, 0);
    let admin = Subject::new(Principal::user("admin"), "127.0.0.1".parse().unwrap());
    let account = Some(Account { disabled: true, ..Account::default() });
    let change = SecurityChange::SetAccount { name: "Carol".to_owned(), account };
    house.metadata.alter_security(change, &admin).await.unwrap();
    client.is_closed().await;
    house.complaint("the account is disabled").await;
}

#[tokio::test]
async fn users_of_other_mechanisms_are_in_its_groups_where_it_is_asked() {
    let (house, book) = open().await;
    let mut client = house.login("alice").await;
    assert_eq!(write(&mut client).await, 0);
    // The directory has no say in who they are.
    book.says(DirectoryGroups::Nobody);
    assert_eq!(write(&mut client).await, DENIED);
    client.ping().await;
}

/// Makes a token of Carol's, and logs in with it.
async fn by_token(house: &House, maker: &mut Client) -> Client {
    let request = build!(CreateDelegationTokenRequest {
        owner_principal_type: Some("User".into()),
        owner_principal_name: Some("Carol".into()),
        max_lifetime_ms: -1,
    });
    let Response::CreateDelegationToken(made) = maker.call(3, request).await else { panic!("no token") };
    assert_eq!(made.error_code, 0);
    let mut client = house.connect().await;
    let password = TokenHmac::new(&made.hmac).password();
    client.login_with_token(Mechanism::ScramSha256, &made.token_id, password).await.unwrap();
    client
}

#[tokio::test]
async fn a_token_of_who_is_of_the_directory_follows_it() {
    let (house, book) = open().await;
    let mut client = by_token(&house, &mut carol(&house).await).await;
    assert_eq!(write(&mut client).await, 0);
    book.says_groups(&["dev"]);
    assert_eq!(write(&mut client).await, DENIED, "a group that was left");
    book.says_groups(&["ops"]);
    assert_eq!(write(&mut client).await, 0);
    book.says(DirectoryGroups::Nobody);
    assert_eq!(write(&mut client).await, DENIED, "nobody knows the owner any more");
}

#[tokio::test]
async fn a_token_that_somebody_else_made_gets_past_no_deny_of_a_group() {
    let (house, _) = open().await;
    let mut client = by_token(&house, &mut house.login("admin").await).await;
    assert_eq!(write(&mut client).await, 0);
    add_acl(&house, "Group:ops", Permission::Deny).await;
    assert_eq!(write(&mut client).await, DENIED);
}
