//! Tokens of a client that nobody knows yet: no step may end well without the password.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use schloss_identity::{
    CredentialStore, DelegationToken, FakeSaltKey, MIN_ITERATIONS, Mechanism, NonceSource, Password, ScramCredential,
    ScramServer, Step,
};
use schloss_wire::Principal;

struct OneUser(Arc<ScramCredential>);

impl CredentialStore for OneUser {
    fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>> {
        (user == "fuzz" && mechanism == self.0.mechanism()).then(|| Arc::clone(&self.0))
    }

    fn delegation_token(&self, id: &str, mechanism: Mechanism) -> Option<DelegationToken> {
        Some(DelegationToken {
            owner: Principal::user("fuzz"),
            groups: Arc::default(),
            expires: SystemTime::now() + Duration::from_secs(60),
            credential: self.scram(id, mechanism)?,
        })
    }
}

struct FixedNonce;

impl NonceSource for FixedNonce {
    fn nonce(&self) -> String {
        "server".to_owned()
    }
}

static STORE: LazyLock<Arc<OneUser>> = LazyLock::new(|| {
    let password = Password::generate();
    let credential = ScramCredential::derive(Mechanism::ScramSha256, &password, MIN_ITERATIONS);
    Arc::new(OneUser(Arc::new(credential.expect("a credential"))))
});
static FAKE: LazyLock<Arc<FakeSaltKey>> = LazyLock::new(|| Arc::new(FakeSaltKey::generate()));

fuzz_target!(|data: (&[u8], &[u8])| {
    let store: Arc<dyn CredentialStore> = STORE.clone();
    let mut server = ScramServer::new(Mechanism::ScramSha256, store, FAKE.clone(), &FixedNonce);
    if server.step(data.0).is_ok() {
        assert!(!matches!(server.step(data.1), Ok(Step::Done { .. })), "let in without the password");
    }
});
