//! Good tokens, and every attack on them that has a name.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::{AuthFailureReason, Authenticated, Step};

/// One key pair of an issuer.
struct Signer {
    id: &'static str,
    key: EncodingKey,
    public: Vec<u8>,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap();
        Self { id, key: EncodingKey::from_ec_der(der.as_ref()), public: pair.public_key().as_ref().to_vec() }
    }

    fn jwk(&self) -> Value {
        let part = |range| URL_SAFE_NO_PAD.encode(&self.public[range]);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id,
            "x": part(1..33), "y": part(33..65) })
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.key).unwrap()
    }
}

#[derive(Default)]
struct Source {
    keys: Mutex<Option<Arc<IssuerKeys>>>,
    later: Mutex<Option<Arc<IssuerKeys>>>,
    looks: Mutex<usize>,
}

impl KeySource for Source {
    fn keys(&self) -> Option<Arc<IssuerKeys>> {
        self.keys.lock().clone()
    }

    fn look_again(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            *self.looks.lock() += 1;
            if let Some(later) = self.later.lock().take() {
                *self.keys.lock() = Some(later);
            }
        })
    }
}

fn keys(signers: &[&Signer]) -> Arc<IssuerKeys> {
    let set = json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() });
    Arc::new(IssuerKeys::read(set.to_string().as_bytes()).unwrap())
}

fn rules() -> TokenRules {
    TokenRules {
        issuer: "https://idp.example".to_owned(),
        audiences: vec!["kafka".to_owned()],
        algorithms: vec![
            TokenAlgorithm::from_name("ES256").unwrap(),
            TokenAlgorithm::from_name("RS256").unwrap(),
        ],
        skew: Duration::from_secs(10),
        principal_claim: "sub".to_owned(),
        groups_claim: Some("groups".to_owned()),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn good() -> Value {
    json!({ "iss": "https://idp.example", "aud": "kafka", "sub": "alice", "iat": now(), "exp": now() + 600,
        "groups": ["ops", "dev"] })
}

/// Good claims with one of them changed; null takes it away.
fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

struct House {
    signer: Signer,
    source: Arc<Source>,
    rules: TokenRules,
}

impl House {
    fn new() -> Self {
        let signer = Signer::new("one");
        let source = Arc::new(Source { keys: Mutex::new(Some(keys(&[&signer]))), ..Source::default() });
        Self { signer, source, rules: rules() }
    }

    async fn verify(&self, token: &str) -> Result<Authenticated, AuthFailureReason> {
        let source = Arc::clone(&self.source) as Arc<dyn KeySource>;
        TokenLogin::new(self.rules.clone(), source).verify(token).await
    }

    async fn refusal(&self, token: &str) -> String {
        self.verify(token).await.unwrap_err().to_string()
    }
}

#[tokio::test]
async fn a_good_token_names_user_groups_and_its_end() {
    let house = House::new();
    let proof = house.verify(&house.signer.sign(&good())).await.unwrap();
    assert_eq!(proof.principal().as_str(), "User:alice");
    assert_eq!(proof.method().name(), "OAUTHBEARER");
    let groups: Vec<&str> = proof.groups().iter().map(|group| group.as_str()).collect();
    assert_eq!(groups, ["Group:dev", "Group:ops"]);
    let left = proof.expires().unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(590) && left <= Duration::from_secs(610), "{left:?}");
}

#[tokio::test]
async fn claims_that_do_not_keep_the_rules_are_refused_one_by_one() {
    let house = House::new();
    for (name, value, expected) in [
        ("exp", json!(now() - 11), "it has expired"),
        ("exp", Value::Null, "it has no claim 'exp'"),
        ("exp", json!("tomorrow"), "it"),
        ("nbf", json!(now() + 20), "it is not valid yet"),
        ("iat", json!(now() + 20), "it was issued in the future"),
        ("iat", json!("now"), "its beginning is no time"),
        ("iss", json!("https://idp.example/"), "it is of another issuer"),
        ("iss", Value::Null, "it has no claim 'iss'"),
        ("aud", json!("registry"), "it is for another audience"),
        ("aud", json!(["registry", "console"]), "it is for another audience"),
        ("aud", Value::Null, "it has no claim 'aud'"),
        ("sub", Value::Null, "its claim 'sub' is no name"),
        ("sub", json!(7), "its claim 'sub' is no name"),
        ("sub", json!(""), "the user name is empty"),
        ("sub", json!("a\nb"), "control character"),
        ("groups", json!([1]), "its claim 'groups' is no list of names"),
        ("groups", json!({"a": 1}), "its claim 'groups' is no list of names"),
    ] {
        let refusal = house.refusal(&house.signer.sign(&with(name, value))).await;
        assert!(refusal.contains(expected), "{name}: {refusal}");
    }
    let many: Vec<String> = (0..2000).map(|number| format!("g{number}")).collect();
    let refusal = house.refusal(&house.signer.sign(&with("groups", json!(many)))).await;
    assert!(refusal.contains("2000 groups are more than"), "{refusal}");
    for (name, value) in [
        ("exp", json!(now() - 5)),
        ("nbf", json!(now() + 5)),
        ("aud", json!(["registry", "kafka"])),
        ("iat", Value::Null),
        ("groups", Value::Null),
        ("groups", json!("ops")),
    ] {
        house.verify(&house.signer.sign(&with(name, value))).await.unwrap();
    }
}

#[tokio::test]
async fn no_algorithm_but_those_allowed_signs_and_none_never_does() {
    let mut house = House::new();
    let token = house.signer.sign(&good());
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let payload = rest.split_once('.').unwrap().1;
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "None", "kid": "one" }),
        json!({ "alg": "nOnE", "typ": "JWT" }),
        json!({ "typ": "JWT" }),
    ] {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        for signature in ["", signature] {
            let refusal = house.refusal(&format!("{header}.{payload}.{signature}")).await;
            assert!(refusal.contains("its header can't be read"), "{refusal}");
        }
    }
    // The public key as a secret, in every form that it has.
    let jwk = house.signer.jwk();
    let forms =
        [house.signer.public.clone(), jwk.to_string().into_bytes(), jwk["x"].as_str().unwrap().into()];
    for secret in forms {
        let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
        let forged =
            encode(&header, &with("sub", json!("admin")), &EncodingKey::from_secret(&secret)).unwrap();
        let refusal = house.refusal(&forged).await;
        assert!(refusal.contains("signed with HS256, which is not allowed"), "{refusal}");
    }
    house.rules.algorithms.retain(|algorithm| algorithm.name() == "RS256");
    let refusal = house.refusal(&token).await;
    assert!(refusal.contains("signed with ES256, which is not allowed"), "{refusal}");
}

#[tokio::test]
async fn a_signature_of_another_key_or_over_other_claims_is_refused() {
    let house = House::new();
    let stranger = Signer::new("one");
    let refusal = house.refusal(&stranger.sign(&good())).await;
    assert!(refusal.contains("its signature is not that of the issuer"), "{refusal}");
    let token = house.signer.sign(&good());
    let parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.encode(with("sub", json!("admin")).to_string());
    let refusal = house.refusal(&format!("{}.{claims}.{}", parts[0], parts[2])).await;
    assert!(refusal.contains("its signature is not that of the issuer"), "{refusal}");
    for token in ["", ".", "..", "a.b.c", &token[..token.len() / 2], "eyJhbGciOiJFUzI1NiJ9..", parts[0]] {
        assert!(house.verify(token).await.is_err(), "{token}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_known_is_looked_for_once() {
    let house = House::new();
    let next = Signer::new("two");
    *house.source.later.lock() = Some(keys(&[&house.signer, &next]));
    house.verify(&house.signer.sign(&good())).await.unwrap();
    assert_eq!(*house.source.looks.lock(), 0);
    house.verify(&next.sign(&good())).await.unwrap();
    assert_eq!(*house.source.looks.lock(), 1);
    let refusal = house.refusal(&Signer::new("three").sign(&good())).await;
    assert!(refusal.contains("the issuer has no such key"), "{refusal}");
    assert_eq!(*house.source.looks.lock(), 2);
    *house.source.keys.lock() = None;
    let refusal = house.refusal(&next.sign(&good())).await;
    assert!(refusal.contains("no keys of the issuer are to be had"), "{refusal}");
}

#[tokio::test]
async fn a_claim_can_be_deep_inside() {
    let mut house = House::new();
    house.rules.principal_claim = "/act/sub".to_owned();
    house.rules.groups_claim = Some("/realm_access/roles".to_owned());
    let mut claims = good();
    claims["act"] = json!({ "sub": "robot" });
    claims["realm_access"] = json!({ "roles": ["ops"] });
    let proof = house.verify(&house.signer.sign(&claims)).await.unwrap();
    assert_eq!((proof.principal().name(), proof.groups()[0].as_str()), ("robot", "Group:ops"));
}

#[test]
fn secrets_and_keys_for_other_uses_are_not_taken_for_public_ones() {
    let good = Signer::new("one").jwk();
    let mut sealing = good.clone();
    sealing["use"] = json!("enc");
    let secret = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256" });
    let unknown = json!({ "kty": "lattice", "kid": "x" });
    let read = |keys: Value| IssuerKeys::read(json!({ "keys": keys }).to_string().as_bytes()).err();
    assert_eq!(read(json!([sealing, secret, unknown, 7])), Some(KeysError::NoKey));
    assert_eq!(read(json!([sealing, secret, unknown, 7, good])), None);
    assert!(matches!(IssuerKeys::read(b"{}"), Err(KeysError::Malformed(_))));
    assert!(matches!(IssuerKeys::read(&vec![b' '; MAX_KEYS_BYTES + 1]), Err(KeysError::TooLong)));
}

#[tokio::test]
async fn a_bad_token_is_told_as_rfc_7628_says_and_then_fails() {
    let house = House::new();
    let login = Arc::new(TokenLogin::new(rules(), Arc::clone(&house.source) as Arc<dyn KeySource>));
    let message = |token: &str| format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes();
    let mut server = BearerServer::new(Arc::clone(&login));
    let expired = house.signer.sign(&with("exp", json!(1)));
    let Ok(Step::Continue(told)) = server.step(&message(&expired)).await else { panic!("no challenge") };
    assert_eq!(told, br#"{"status":"invalid_token"}"#);
    let failure = server.step(b"\x01").await.map(|_| ()).unwrap_err();
    assert!(failure.reason.to_string().contains("it has expired"));
    // A second token does not make good for the first.
    let again = server.step(&message(&house.signer.sign(&good()))).await.map(|_| ()).unwrap_err();
    assert_eq!(again.reason, AuthFailureReason::Ended);

    let mut server = BearerServer::new(Arc::clone(&login));
    let acting = format!("n,a=admin,\u{1}auth=Bearer {}\u{1}\u{1}", house.signer.sign(&good()));
    assert!(matches!(server.step(acting.as_bytes()).await, Ok(Step::Continue(_))));
    let failure = server.step(b"\x01").await.map(|_| ()).unwrap_err();
    assert_eq!(failure.reason, AuthFailureReason::AuthorizationId);

    let mut server = BearerServer::new(login);
    let good = message(&house.signer.sign(&good()));
    assert!(matches!(server.step(&good).await, Ok(Step::Done { reply, .. }) if reply.is_empty()));
}
