//! Messages of a client that nobody knows yet, by each mechanism: none ends well without password or signature, and what
//! is claimed stays within its bounds. The first byte chooses the mechanism; 0xFF, which no message has, ends a message.
#![no_main]

use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use schloss_identity::{
    BearerServer, CredentialStore, DelegationToken, FakeSaltKey, IssuerKeys, KeySource, MAX_BEARER_BYTES,
    MAX_USER_NAME_BYTES, MIN_ITERATIONS, Mechanism, NonceSource, Password, PasswordChecks, PlainServer,
    SaslServer, ScramCredential, ScramServer, Step, TokenAlgorithm, TokenLogin, TokenRules,
};
use schloss_wire::Principal;
use tokio::runtime::{Builder, Runtime};

/// The public key of RFC 7517, appendix A.1.
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

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

struct Issuer(Arc<IssuerKeys>);

impl KeySource for Issuer {
    fn keys(&self) -> Option<Arc<IssuerKeys>> {
        Some(Arc::clone(&self.0))
    }

    fn look_again(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime"));
static STORE: LazyLock<Arc<OneUser>> = LazyLock::new(|| {
    let password = Password::generate();
    let credential = ScramCredential::derive(Mechanism::ScramSha256, &password, MIN_ITERATIONS);
    Arc::new(OneUser(Arc::new(credential.expect("a credential"))))
});
static FAKE: LazyLock<Arc<FakeSaltKey>> = LazyLock::new(|| Arc::new(FakeSaltKey::generate()));
static LOGIN: LazyLock<Arc<TokenLogin>> = LazyLock::new(|| {
    let keys = IssuerKeys::read(KEYS.as_bytes()).expect("a set of keys");
    let rules = TokenRules {
        issuer: "i".to_owned(),
        audiences: vec!["a".to_owned()],
        algorithms: TokenAlgorithm::ALL.to_vec(),
        skew: Duration::from_secs(10),
        principal_claim: "sub".to_owned(),
        groups_claim: Some("groups".to_owned()),
    };
    Arc::new(TokenLogin::new(rules, Arc::new(Issuer(Arc::new(keys)))))
});

fn server(choice: u8) -> SaslServer {
    let store: Arc<dyn CredentialStore> = STORE.clone();
    let scram = |mechanism, store| ScramServer::new(mechanism, store, FAKE.clone(), &FixedNonce);
    match choice % 4 {
        0 => SaslServer::Scram(scram(Mechanism::ScramSha256, store)),
        1 => SaslServer::Scram(scram(Mechanism::ScramSha512, store)),
        2 => SaslServer::Plain(PlainServer::new(store, FAKE.clone(), PasswordChecks::with_turns(1))),
        _ => SaslServer::Bearer(BearerServer::new(LOGIN.clone())),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, messages)) = data.split_first() else { return };
    let mut server = server(*choice);
    let mut has_failed = false;
    for message in messages.split(|byte| *byte == 0xFF) {
        match RUNTIME.block_on(server.step(message)) {
            Ok(Step::Done { .. }) => panic!("let in without a password or a signature"),
            Ok(Step::Continue(reply)) => {
                assert!(!has_failed, "an exchange that has failed goes on");
                assert!(reply.len() <= MAX_BEARER_BYTES, "a reply of {} bytes", reply.len());
            }
            Err(failure) => {
                has_failed = true;
                let claimed = failure.claimed_user.unwrap_or_default();
                assert!(claimed.len() <= MAX_USER_NAME_BYTES && !claimed.chars().any(char::is_control));
            }
        }
    }
});
