//! Answers that come, grow old and don't come, by a clock that is moved by hand.

use schloss_identity::groups;
use tokio::time::advance;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const TIMES: Times = Times { refresh: MINUTE, max_stale: Duration::from_secs(600), max_users: 3 };

/// A directory of few words.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Words>>);

#[derive(Default)]
struct Words {
    groups: HashMap<String, Vec<&'static str>>,
    is_down: bool,
    hangs: bool,
    asked: Vec<String>,
}

impl Script {
    fn says(&self, user: &str, groups: &[&'static str]) {
        self.0.lock().groups.insert(user.to_owned(), groups.to_vec());
    }

    fn is_down(&self, is_down: bool) {
        self.0.lock().is_down = is_down;
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().asked)
    }
}

impl Source for Script {
    async fn look(&self, asked: &str) -> Result<Option<Arc<[Principal]>>, Trouble> {
        if self.0.lock().hangs {
            std::future::pending::<()>().await;
        }
        let mut words = self.0.lock();
        words.asked.push(asked.to_owned());
        if words.is_down {
            return Err(Trouble::Busy);
        }
        Ok(words.groups.get(&folded(asked)).map(|names| groups(names).unwrap()))
    }
}

fn house() -> (Script, Members<Script>) {
    let script = Script::default();
    script.says("alice", &["ops"]);
    (script.clone(), Members::new(script, TIMES))
}

fn known(names: &[&str]) -> DirectoryGroups {
    DirectoryGroups::Known(groups(names).unwrap())
}

fn now_of(user: &User) -> DirectoryGroups {
    user.groups(Instant::now())
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_a_while_however_the_name_is_typed() {
    let (script, members) = house();
    let user = members.of("alice").await;
    assert_eq!(now_of(&user), known(&["ops"]));
    assert!(Arc::ptr_eq(&user, &members.of("ALICE").await));
    assert_eq!(script.asked(), ["alice"]);
    assert_eq!(members.known("Alice"), Some(groups(["ops"]).unwrap()));
    advance(MINUTE).await;
    members.of("alice").await;
    assert_eq!(script.asked(), ["alice"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_there_after_the_next_look_and_no_change_is_the_same_list() {
    let (script, members) = house();
    let user = members.of("alice").await;
    let DirectoryGroups::Known(first) = now_of(&user) else { panic!("unknown") };
    advance(MINUTE / 2).await;
    members.renew().await;
    assert_eq!(script.asked().len(), 1, "it is too early");
    advance(MINUTE / 2).await;
    members.renew().await;
    let DirectoryGroups::Known(second) = now_of(&user) else { panic!("unknown") };
    assert!(Arc::ptr_eq(&first, &second));
    script.says("alice", &["dev"]);
    advance(MINUTE).await;
    members.renew().await;
    assert_eq!(now_of(&user), known(&["dev"]));
    script.0.lock().groups.clear();
    advance(MINUTE).await;
    members.renew().await;
    assert_eq!(now_of(&user), DirectoryGroups::Nobody);
}

#[tokio::test(start_paused = true)]
async fn groups_outlive_an_outage_for_their_time_and_no_longer() {
    let (script, members) = house();
    let user = members.of("alice").await;
    script.is_down(true);
    for _ in 0..10 {
        advance(MINUTE).await;
        assert_eq!(members.renew().await, 0);
        assert_eq!(now_of(&user), known(&["ops"]));
    }
    advance(Duration::from_millis(1)).await;
    // Even if nobody looks in the background any more.
    assert_eq!(now_of(&user), DirectoryGroups::Unknown);
    assert_eq!(members.known("alice"), None);
    assert_eq!(members.renew().await, 1);
    assert_eq!(members.renew().await, 0, "it is told once");
    script.is_down(false);
    advance(MINUTE).await;
    members.renew().await;
    assert_eq!(now_of(&user), known(&["ops"]));
}

#[tokio::test(start_paused = true)]
async fn who_comes_during_an_outage_is_unknown_until_it_ends() {
    let (script, members) = house();
    script.is_down(true);
    let user = members.of("alice").await;
    assert_eq!(now_of(&user), DirectoryGroups::Unknown);
    script.is_down(false);
    advance(MINUTE).await;
    members.renew().await;
    assert_eq!(now_of(&user), known(&["ops"]));
}

#[tokio::test(start_paused = true)]
async fn who_needs_no_directory_to_log_in_waits_for_it_a_while_at_most() {
    let (script, members) = house();
    script.0.lock().hangs = true;
    let begun = Instant::now();
    let user = members.of_late("alice", MINUTE).await;
    assert_eq!(begun.elapsed(), MINUTE);
    assert_eq!(now_of(&user), DirectoryGroups::Unknown);
    script.0.lock().hangs = false;
    members.renew().await;
    assert_eq!(now_of(&user), known(&["ops"]), "it was tried a minute ago");
    script.0.lock().hangs = true;
    advance(MINUTE).await;
    let begun = Instant::now();
    members.of_late("alice", MINUTE).await;
    assert_eq!(begun.elapsed(), Duration::ZERO, "what was said is still good");
}

#[tokio::test(start_paused = true)]
async fn only_users_with_a_session_are_asked_about_and_others_are_forgotten() {
    let (script, members) = house();
    script.says("bob", &[]);
    let user = members.of("alice").await;
    drop(members.of("bob").await);
    script.asked();
    advance(MINUTE).await;
    members.renew().await;
    assert_eq!(script.asked(), ["alice"]);
    assert_eq!(members.users.lock().len(), 1);
    drop(user);
    advance(MINUTE).await;
    members.renew().await;
    assert!(members.users.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_more_users_are_kept_than_there_is_room_for() {
    let (_, members) = house();
    for number in 0..100 {
        drop(members.of(&format!("user{number}")).await);
        assert!(members.users.lock().len() <= TIMES.max_users);
    }
    let mut held = Vec::new();
    for number in 0..10 {
        held.push(members.of(&format!("held{number}")).await);
        assert!(members.users.lock().len() <= TIMES.max_users);
    }
    // Those without room are served all the same, until what was said of them is too old.
    let last = members.of("alice").await;
    assert_eq!(now_of(&last), known(&["ops"]));
    advance(TIMES.max_stale + MINUTE).await;
    members.renew().await;
    assert_eq!(now_of(&last), DirectoryGroups::Unknown);
    assert_eq!(now_of(&held[0]), DirectoryGroups::Nobody);
}
