//! Keys that come, change and can't be had.

use std::path::Path;

use super::*;

/// A set with one key; only its id matters here.
fn set(id: &str) -> String {
    // The key of RFC 7517, appendix A.1.
    format!(
        r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"{id}",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}}]}}"#
    )
}

fn config(directory: &Path) -> JwksConfig {
    JwksConfig {
        place: Place::File(directory.join("jwks.json")),
        refresh: Duration::from_secs(3600),
        max_age: Duration::from_secs(3600),
        min_interval: Duration::from_millis(200),
        cache: Some(directory.join("cache.json")),
    }
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_but_not_more_often_than_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    let jwks = Jwks::start(config(directory.path()));
    assert!(!jwks.first_look().await);
    std::fs::write(&path, set("one")).unwrap();
    jwks.look_again().await;
    assert!(jwks.keys().is_none(), "it was looked a moment ago");
    sleep(Duration::from_millis(250)).await;
    jwks.look_again().await;
    let first = jwks.keys().unwrap();
    sleep(Duration::from_millis(250)).await;
    // However many ask at once, it is looked once.
    let (before, _) = *jwks.shared.looks.borrow();
    let all = (0..50).map(|_| {
        let jwks = Arc::clone(&jwks);
        tokio::spawn(async move { jwks.look_again().await })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let (after, _) = *jwks.shared.looks.borrow();
    assert_eq!(after, before + 1);
    assert!(!Arc::ptr_eq(&first, &jwks.keys().unwrap()));
}

#[tokio::test]
async fn keys_outlive_an_outage_and_a_restart_for_their_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jwks.json");
    std::fs::write(&path, set("one")).unwrap();
    let jwks = Jwks::start(config(directory.path()));
    assert!(jwks.first_look().await);
    std::fs::write(&path, "nothing").unwrap();
    sleep(Duration::from_millis(250)).await;
    jwks.look_again().await;
    assert!(jwks.keys().is_some());
    drop(jwks);
    let jwks = Jwks::start(config(directory.path()));
    assert!(jwks.keys().is_some(), "from the cache, at once");
    assert!(jwks.first_look().await);
    let old = Jwks::start(JwksConfig { max_age: Duration::ZERO, ..config(directory.path()) });
    assert!(!old.first_look().await);
}
