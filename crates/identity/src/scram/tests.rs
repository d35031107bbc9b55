//! Both sides against each other, against the RFC's vectors, and against an attacker in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use schloss_wire::Principal;

use super::*;
use crate::credential::{DEFAULT_ITERATIONS, MIN_ITERATIONS, ScramCredential};
use crate::{
    AuthFailure, AuthFailureReason, Authenticated, CredentialStore, DelegationToken, FakeSaltKey, Mechanism,
    NonceSource, OsNonce, Password, Step, TokenKey, UserNameError,
};

struct Fixed(&'static str);

impl NonceSource for Fixed {
    fn nonce(&self) -> String {
        self.0.to_owned()
    }
}

#[derive(Default)]
struct Users(HashMap<(String, Mechanism), Arc<ScramCredential>>);

impl CredentialStore for Users {
    fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>> {
        self.0.get(&(user.to_owned(), mechanism)).cloned()
    }
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

/// A store with one user, whose password is `pencil`.
fn users(user: &str, mechanism: Mechanism, iterations: u32) -> Arc<Users> {
    let credential = ScramCredential::derive(mechanism, &password("pencil"), iterations).unwrap();
    Arc::new(Users([((user.to_owned(), mechanism), Arc::new(credential))].into()))
}

fn server(store: &Arc<Users>, mechanism: Mechanism) -> ScramServer {
    let store = Arc::clone(store) as Arc<dyn CredentialStore>;
    ScramServer::new(mechanism, store, Arc::new(FakeSaltKey::from_bytes([7; 32])), &OsNonce)
}

fn alice() -> ScramServer {
    server(&users("alice", Mechanism::ScramSha256, MIN_ITERATIONS), Mechanism::ScramSha256)
}

fn client(user: &str, secret: &str) -> ScramClient {
    ScramClient::new(Mechanism::ScramSha256, user, password(secret), &OsNonce)
}

fn challenge(server: &mut ScramServer, first: impl AsRef<[u8]>) -> String {
    match server.step(first.as_ref()) {
        Ok(Step::Continue(bytes)) => String::from_utf8(bytes).unwrap(),
        Ok(Step::Done { .. }) => panic!("done after one token"),
        Err(failure) => panic!("{}", failure.reason),
    }
}

fn failure(result: Result<Step, AuthFailure>) -> AuthFailure {
    match result {
        Err(failure) => failure,
        Ok(_) => panic!("accepted"),
    }
}

fn refusal(server: &mut ScramServer, token: impl AsRef<[u8]>) -> AuthFailureReason {
    failure(server.step(token.as_ref())).reason
}

fn exchange(mut client: ScramClient, mut server: ScramServer) -> Result<Authenticated, AuthFailure> {
    let first = challenge(&mut server, client.first());
    let last = client.reply(first.as_bytes()).unwrap();
    match server.step(&last)? {
        Step::Done { reply, proof } => {
            assert_eq!(client.finish(&reply), Ok(()));
            Ok(proof)
        }
        Step::Continue(_) => panic!("a third round"),
    }
}

/// Runs an exchange whose client's last message is changed on its way.
fn changed_last(change: impl FnOnce(String) -> String) -> AuthFailureReason {
    let (mut client, mut server) = (client("alice", "pencil"), alice());
    let first = challenge(&mut server, client.first());
    let last = String::from_utf8(client.reply(first.as_bytes()).unwrap()).unwrap();
    refusal(&mut server, change(last))
}

/// Runs an exchange whose server's first message is changed on its way.
fn changed_challenge(change: impl FnOnce(String) -> String) -> Result<AuthFailureReason, ScramClientError> {
    let (mut client, mut server) = (client("alice", "pencil"), alice());
    let first = change(challenge(&mut server, client.first()));
    let last = client.reply(first.as_bytes())?;
    Ok(refusal(&mut server, last))
}

fn follows_vector(mechanism: Mechanism, nonce: &'static str, salt: [&str; 2], last: &str, signature: &str) {
    let [salt, decoded_hex] = salt;
    let decoded: Vec<u8> = (0..decoded_hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&decoded_hex[at..at + 2], 16).unwrap())
        .collect();
    let credential =
        ScramCredential::derive_with_salt(mechanism, &password("pencil"), 4096, decoded).unwrap();
    let store = Users([(("user".to_owned(), mechanism), Arc::new(credential))].into());
    let mut server =
        ScramServer::new(mechanism, Arc::new(store), Arc::new(FakeSaltKey::generate()), &Fixed(nonce));
    let mut client = ScramClient::new(mechanism, "user", password("pencil"), &Fixed("rOprNGfwEbeRWgbNEkqO"));

    assert_eq!(client.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let first = challenge(&mut server, client.first());
    assert_eq!(first, format!("r=rOprNGfwEbeRWgbNEkqO{nonce},s={salt},i=4096"));
    let reply = client.reply(first.as_bytes()).unwrap();
    assert_eq!(String::from_utf8_lossy(&reply), format!("c=biws,r=rOprNGfwEbeRWgbNEkqO{nonce},p={last}"));
    let Ok(Step::Done { reply, proof }) = server.step(&reply) else { panic!("refused") };
    assert_eq!(String::from_utf8_lossy(&reply), format!("v={signature}"));
    assert_eq!((proof.principal().as_str(), proof.method()), ("User:user", mechanism.into()));
    assert_eq!(client.finish(&reply), Ok(()));
}

#[test]
fn a_tokens_extension_is_in_the_first_message_and_under_both_proofs() {
    let client = |token: bool| {
        let client = ScramClient::new(Mechanism::ScramSha256, "id", password("aG1hYw=="), &Fixed("mine"));
        if token { client.with_token_auth() } else { client }
    };
    assert_eq!(client(true).first(), b"n,,n=id,r=mine,tokenauth=true");
    let challenge = b"r=mineandyours,s=QSXCR+Q6sek8bf92,i=4096";
    let reply = client(true).reply(challenge).unwrap();
    assert!(reply.starts_with(b"c=biws,r=mineandyours,p="));
    assert_ne!(reply, client(false).reply(challenge).unwrap());
    // What Kafka has to compute it from: the credential of the base64 text, and the message as it came.
    let mechanism = Mechanism::ScramSha256;
    let salt = b"\x41\x25\xc2\x47\xe4\x3a\xb1\xe9\x3c\x6d\xff\x76".to_vec();
    let stored = ScramCredential::derive_with_salt(mechanism, &password("aG1hYw=="), 4096, salt).unwrap();
    let last = messages::ClientFinal::read(str::from_utf8(&reply).unwrap()).unwrap();
    let signed = "n=id,r=mine,tokenauth=true,r=mineandyours,s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=mineandyours";
    let mut key = last.proof.clone();
    let signature = crate::credential::hmac_of(mechanism, stored.stored_key(), signed.as_bytes());
    key.iter_mut().zip(&signature).for_each(|(byte, mask)| *byte ^= mask);
    assert_eq!(crate::credential::stored_key(mechanism, &key), stored.stored_key());
}

#[test]
fn both_sides_follow_the_vector_of_rfc_7677() {
    follows_vector(
        Mechanism::ScramSha256,
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        ["W22ZaJ0SNY7soEsUEjb6gQ==", "5b6d99689d12358eeca04b141236fa81"],
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    );
}

/// No RFC has a vector for SHA-512; this one was computed with Python's hashlib and hmac.
#[test]
fn both_sides_follow_an_independent_vector_for_sha_512() {
    follows_vector(
        Mechanism::ScramSha512,
        "02431b08-2f89-4bad-a4e6-80c0564ec865",
        [
            "Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=",
            "6229f616e1d3b7f33490959bd2df4e237da7d9598e1a2de6f897e33afb8317cf",
        ],
        "Hc5yec3NmCD7t+kFRw4/3yD6/F3SQHc7AVYschRja+Bc3sbdjlA0eH1OjJc0DD4ghn1tnXN5/Wr6qm9xmaHt4A==",
        "BQuhnKHqYDwQWS5jAw4sZed+C9KFUALsbrq81bB0mh+bcUUbbMPNNmBIupnS2AmyyDnG5CTBQtkjJ9kyY4kzmw==",
    );
}

#[test]
fn a_right_password_authenticates_whatever_the_user_is_called() {
    for mechanism in Mechanism::ALL {
        for user in ["alice", "a,b", "a=b,=2C", "jürgen", "CN=x,O=y"] {
            let store = users(user, mechanism, MIN_ITERATIONS);
            let client = ScramClient::new(mechanism, user, password("pencil"), &OsNonce);
            let proof = exchange(client, server(&store, mechanism)).unwrap();
            assert_eq!(proof.principal().name(), user);
        }
    }
}

#[test]
fn a_wrong_password_is_refused_and_the_user_is_known_to_the_audit() {
    let failure = exchange(client("alice", "Pencil"), alice()).unwrap_err();
    assert_eq!(failure.reason, AuthFailureReason::WrongPassword);
    assert_eq!(failure.claimed_user.as_deref(), Some("alice"));
}

#[test]
fn unknown_user_and_wrong_password_are_indistinguishable() {
    let store = users("alice", Mechanism::ScramSha256, DEFAULT_ITERATIONS);
    let seen_by_the_peer = |user: &str| {
        let (mut client, mut server) = (client(user, "wrong"), server(&store, Mechanism::ScramSha256));
        let first = challenge(&mut server, client.first());
        let (nonce, parameters) = first.split_once(',').unwrap();
        let last = client.reply(first.as_bytes()).unwrap();
        let failure = failure(server.step(&last));
        let shown = (failure.to_string(), AuthFailure::client_message(server.mechanism().into()));
        (nonce.len(), parameters.to_owned(), shown, failure.reason)
    };
    let (known, known_again) = (seen_by_the_peer("alice"), seen_by_the_peer("alice"));
    let (unknown, unknown_again) = (seen_by_the_peer("mallory"), seen_by_the_peer("mallory"));

    assert_eq!(known.0, unknown.0, "nonces of one length");
    assert_eq!(known.1, known_again.1);
    assert_eq!(unknown.1, unknown_again.1, "the same salt each time");
    assert_ne!(unknown.1, seen_by_the_peer("mallory2").1, "but not for everybody");
    assert_eq!(known.1.len(), unknown.1.len());
    assert!(known.1.ends_with(",i=16384") && unknown.1.ends_with(",i=16384"));
    assert_eq!(known.2, unknown.2, "the same words");
    assert_eq!(known.3, AuthFailureReason::WrongPassword);
    assert_eq!(unknown.3, AuthFailureReason::UnknownUser);
}

#[test]
fn a_user_without_a_credential_for_this_mechanism_is_as_an_unknown_one() {
    let store = users("alice", Mechanism::ScramSha512, MIN_ITERATIONS);
    let failure = exchange(client("alice", "pencil"), server(&store, Mechanism::ScramSha256)).unwrap_err();
    assert_eq!(failure.reason, AuthFailureReason::UnknownUser);
}

#[test]
fn a_changed_nonce_is_refused() {
    let swapped = changed_last(|last| last.replacen(",r=", ",r=x", 1));
    assert_eq!(swapped, AuthFailureReason::NonceMismatch);
    // cut back to what the client alone had chosen
    let mut server = alice();
    let _ = challenge(&mut server, "n,,n=alice,r=mine");
    assert_eq!(refusal(&mut server, "c=biws,r=mine,p=QUE="), AuthFailureReason::NonceMismatch);
}

/// What librdkafka before 2.6 sends, kcat of Debian 12 for one; that a right proof then lets in is shown with it.
#[test]
fn the_client_nonce_may_stand_twice_but_only_so() {
    let refused = |again: &str| {
        let mut server = alice();
        let first = challenge(&mut server, "n,,n=alice,r=mine");
        let whole = first[2..].split(',').next().unwrap();
        let proof = messages::to_base64(&[0; 32]);
        refusal(&mut server, format!("c=biws,r={again}{whole},p={proof}"))
    };
    assert_eq!(refused("mine"), AuthFailureReason::WrongPassword, "it comes as far as the proof");
    for other in ["minemine", "min", "mine2", "x"] {
        assert_eq!(refused(other), AuthFailureReason::NonceMismatch, "{other}");
    }
}

#[test]
fn the_last_message_of_another_exchange_is_refused() {
    let store = users("alice", Mechanism::ScramSha256, MIN_ITERATIONS);
    let (mut one, mut two) = (server(&store, Mechanism::ScramSha256), server(&store, Mechanism::ScramSha256));
    let mut client = client("alice", "pencil");
    let first = challenge(&mut one, client.first());
    let _ = challenge(&mut two, client.first());
    let last = client.reply(first.as_bytes()).unwrap();
    assert_eq!(refusal(&mut two, last), AuthFailureReason::NonceMismatch);
}

#[test]
fn channel_binding_is_refused() {
    assert_eq!(refusal(&mut alice(), "p=tls-unique,,n=alice,r=abc"), AuthFailureReason::ChannelBinding);
}

#[test]
fn a_client_that_could_bind_the_channel_but_was_not_offered_it_is_accepted() {
    let _ = challenge(&mut alice(), "y,,n=alice,r=abc");
}

#[test]
fn channel_binding_data_that_differs_from_the_header_is_refused() {
    // eSws is "y,,": somebody took the offer of channel binding out of the conversation
    for other in ["c=eSws", "c=", "c=bixh", "c=bixhPWFsaWNlLA=="] {
        let refused = changed_last(|last| last.replacen("c=biws", other, 1));
        assert_eq!(refused, AuthFailureReason::ChannelBindingMismatch, "{other}");
    }
}

#[test]
fn a_proof_of_another_length_is_refused() {
    for proof in ["", "QUE=", &messages::to_base64(&[0; 31]), &messages::to_base64(&[0; 64])] {
        let refused = changed_last(|last| format!("{}{proof}", &last[..last.find(",p=").unwrap() + 3]));
        assert_eq!(refused, AuthFailureReason::ProofLength, "{proof}");
    }
}

#[test]
fn a_proof_of_the_right_length_with_one_flipped_bit_is_refused() {
    let refused = changed_last(|last| {
        let at = last.find(",p=").unwrap() + 3;
        let other = if last.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{other}{}", &last[..at], &last[at + 1..])
    });
    assert_eq!(refused, AuthFailureReason::WrongPassword);
}

/// A store with the user `alice`, and the tokens `id` of User:bob and `alice` of User:carol.
struct Tokens(Arc<Users>, HashMap<(String, Mechanism), DelegationToken>);

const KEY: [u8; 64] = [3; 64];

impl Tokens {
    fn until(expires: SystemTime) -> Arc<Self> {
        let mut tokens = HashMap::new();
        for (id, owner) in [("id", "bob"), ("alice", "carol")] {
            for credential in TokenKey::from_bytes(KEY).hmac(id).credentials().unwrap() {
                let (owner, groups) = (Principal::user(owner), Arc::new([Principal::group("g")]));
                let key = (id.to_owned(), credential.mechanism());
                let credential = Arc::new(credential);
                tokens.insert(key, DelegationToken { owner, groups, expires, credential });
            }
        }
        Arc::new(Self(users("alice", Mechanism::ScramSha256, MIN_ITERATIONS), tokens))
    }

    fn good() -> Arc<Self> {
        Self::until(SystemTime::now() + Duration::from_secs(60))
    }

    fn server(self: &Arc<Self>, mechanism: Mechanism) -> ScramServer {
        let store = Arc::clone(self) as Arc<dyn CredentialStore>;
        ScramServer::new(mechanism, store, Arc::new(FakeSaltKey::from_bytes([7; 32])), &OsNonce)
    }
}

impl CredentialStore for Tokens {
    fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>> {
        self.0.scram(user, mechanism)
    }

    fn delegation_token(&self, id: &str, mechanism: Mechanism) -> Option<DelegationToken> {
        self.1.get(&(id.to_owned(), mechanism)).cloned()
    }
}

fn hmac_of_token(id: &str) -> Password {
    TokenKey::from_bytes(KEY).hmac(id).password()
}

fn token_client(mechanism: Mechanism, id: &str, secret: Password) -> ScramClient {
    ScramClient::new(mechanism, id, secret, &OsNonce).with_token_auth()
}

/// Why a log-in with a token fails.
fn token_refusal(tokens: &Arc<Tokens>, id: &str, secret: Password) -> AuthFailure {
    let mechanism = Mechanism::ScramSha256;
    exchange(token_client(mechanism, id, secret), tokens.server(mechanism)).unwrap_err()
}

fn of_token(id: &str, why: AuthFailureReason) -> AuthFailure {
    let reason = AuthFailureReason::DelegationToken { id: id.to_owned(), why: Box::new(why) };
    AuthFailure { reason, claimed_user: None }
}

#[test]
fn a_token_proves_its_owner_for_as_long_as_it_lasts() {
    for mechanism in Mechanism::ALL {
        let expires = SystemTime::now() + Duration::from_secs(60);
        let client = token_client(mechanism, "id", hmac_of_token("id"));
        let proof = exchange(client, Tokens::until(expires).server(mechanism)).unwrap();
        assert_eq!((proof.principal().as_str(), proof.method()), ("User:bob", mechanism.into()));
        assert_eq!((proof.delegation_token(), proof.expires()), (Some("id"), Some(expires)));
        assert_eq!(**proof.groups(), [Principal::group("g")]);
    }
}

#[test]
fn a_token_that_is_over_or_another_ones_hmac_lets_nobody_in() {
    let good = Tokens::good();
    assert_eq!(
        token_refusal(&good, "id", hmac_of_token("alice")),
        of_token("id", AuthFailureReason::WrongHmac)
    );
    assert_eq!(
        token_refusal(&good, "no", hmac_of_token("id")),
        of_token("no", AuthFailureReason::UnknownToken)
    );
    let over = Tokens::until(SystemTime::now());
    let expired = token_refusal(&over, "id", hmac_of_token("id"));
    assert_eq!(expired, of_token("id", AuthFailureReason::ExpiredToken));
    assert!(!expired.reason.is_guess(), "it knew the HMAC");
    let guessed = token_refusal(&over, "id", hmac_of_token("no"));
    assert!(guessed.reason.is_guess());
}

#[test]
fn users_and_tokens_of_one_name_are_not_taken_for_each_other() {
    let (tokens, mechanism) = (Tokens::good(), Mechanism::ScramSha256);
    // As a user by the token's HMAC, and as a token by the user's password.
    let as_user = ScramClient::new(mechanism, "alice", hmac_of_token("alice"), &OsNonce);
    let refused = exchange(as_user, tokens.server(mechanism)).unwrap_err();
    assert_eq!(refused.reason, AuthFailureReason::WrongPassword);
    let refused = token_refusal(&tokens, "alice", password("pencil"));
    assert_eq!(refused, of_token("alice", AuthFailureReason::WrongHmac));
    assert_ne!(refused.counted_as().unwrap(), "alice", "its failures are not those of the user");
    // Each as itself.
    let user = exchange(client("alice", "pencil"), tokens.server(mechanism)).unwrap();
    assert_eq!((user.principal().as_str(), user.delegation_token()), ("User:alice", None));
    let token = token_client(mechanism, "alice", hmac_of_token("alice"));
    let token = exchange(token, tokens.server(mechanism)).unwrap();
    assert_eq!(token.principal().as_str(), "User:carol");
    assert_ne!(token.counted_as(), user.counted_as());
}

#[test]
fn a_token_that_does_not_exist_looks_like_one_that_does() {
    let (tokens, mechanism) = (Tokens::good(), Mechanism::ScramSha256);
    let ask = |id: &str| {
        let first = challenge(&mut tokens.server(mechanism), format!("n,,n={id},r=abc,tokenauth=true"));
        let (_, rest) = first.split_once(",s=").unwrap();
        let (salt, iterations) = rest.split_once(",i=").unwrap();
        (salt.to_owned(), iterations.to_owned())
    };
    let (known, unknown) = (ask("id"), ask("no"));
    assert_eq!((known.0.len(), known.1), (unknown.0.len(), unknown.1.clone()));
    assert_eq!(ask("no"), unknown, "the same each time");
}

#[test]
fn an_exchange_of_a_token_can_not_be_replayed() {
    let (tokens, mechanism) = (Tokens::good(), Mechanism::ScramSha256);
    let mut client = token_client(mechanism, "id", hmac_of_token("id"));
    let (mut first_time, mut again) = (tokens.server(mechanism), tokens.server(mechanism));
    let first = client.first();
    let last = client.reply(challenge(&mut first_time, &first).as_bytes()).unwrap();
    assert!(first_time.step(&last).is_ok());
    let _ = challenge(&mut again, &first);
    let refused = failure(again.step(&last));
    assert_eq!(refused, of_token("id", AuthFailureReason::NonceMismatch));
}

#[test]
fn only_true_says_that_it_is_a_token() {
    let _ = challenge(&mut alice(), "n,,n=alice,r=abc,tokenauth=false,other=ignored");
}

#[test]
fn an_authorization_id_other_than_the_user_is_refused() {
    for id in ["admin", "Alice", "=2C", ""] {
        let refused = refusal(&mut alice(), format!("n,a={id},n=alice,r=abc"));
        assert_eq!(refused, AuthFailureReason::AuthorizationId, "{id}");
    }
}

#[test]
fn an_authorization_id_that_is_the_user_is_bound_to_the_exchange() {
    let mut server = alice();
    let first = challenge(&mut server, "n,a=alice,n=alice,r=abc");
    let nonce = &first[2..first.find(',').unwrap()];
    // the header without the id is another header
    assert_eq!(
        refusal(&mut server, format!("c=biws,r={nonce},p=QUE=")),
        AuthFailureReason::ChannelBindingMismatch
    );
}

#[test]
fn user_names_that_could_forge_a_log_line_are_refused_and_not_repeated() {
    for (name, why) in [
        ("", UserNameError::Empty),
        ("a\nb", UserNameError::ControlCharacter),
        ("a\0", UserNameError::ControlCharacter),
        (&*"x".repeat(257), UserNameError::TooLong),
    ] {
        let failure = failure(alice().step(format!("n,,n={name},r=abc").as_bytes()));
        assert_eq!(failure, AuthFailure { reason: AuthFailureReason::UserName(why), claimed_user: None });
    }
}

#[test]
fn a_token_over_the_bound_is_refused_on_either_side() {
    let long = vec![b'x'; MAX_TOKEN_BYTES + 1];
    assert_eq!(refusal(&mut alice(), &long), AuthFailureReason::TokenTooLong);
    assert_eq!(client("alice", "pencil").reply(&long), Err(ScramClientError::TokenTooLong));
}

#[test]
fn a_token_that_is_no_utf8_is_refused() {
    let refused = refusal(&mut alice(), b"n,,n=\xff,r=abc");
    assert!(matches!(refused, AuthFailureReason::Malformed(_)), "{refused}");
}

#[test]
fn a_finished_exchange_can_not_be_stepped_again() {
    let (mut client, mut server) = (client("alice", "pencil"), alice());
    let first = challenge(&mut server, client.first());
    let last = client.reply(first.as_bytes()).unwrap();
    assert!(matches!(server.step(&last), Ok(Step::Done { .. })));
    assert_eq!(refusal(&mut server, &last), AuthFailureReason::Ended);
    assert_eq!(refusal(&mut server, client.first()), AuthFailureReason::Ended);
}

#[test]
fn a_failed_exchange_can_not_be_taken_up_again() {
    let (mut client, mut server) = (client("alice", "pencil"), alice());
    let first = challenge(&mut server, client.first());
    let last = client.reply(first.as_bytes()).unwrap();
    assert!(server.step(b"c=biws,r=guess,p=QUE=").is_err());
    assert_eq!(refusal(&mut server, &last), AuthFailureReason::Ended, "one guess for each exchange");
}

#[test]
fn the_last_message_can_not_come_first() {
    let refused = refusal(&mut alice(), "c=biws,r=abc,p=QUE=");
    assert!(matches!(refused, AuthFailureReason::Malformed(_)), "{refused}");
}

#[test]
fn a_man_in_the_middle_who_changes_the_challenge_is_detected() {
    let salt = changed_challenge(|first| {
        let at = first.find(",s=").unwrap() + 3;
        format!("{}AAAAAAAA{}", &first[..at], &first[at + 8..])
    });
    assert_eq!(salt, Ok(AuthFailureReason::WrongPassword));
    let iterations = changed_challenge(|first| first.replace("i=4096", "i=4097"));
    assert_eq!(iterations, Ok(AuthFailureReason::WrongPassword));
    let extension = changed_challenge(|first| first + ",x=1");
    assert_eq!(extension, Ok(AuthFailureReason::WrongPassword));
    let nonce_end = changed_challenge(|first| first.replacen(",s=", "x,s=", 1));
    assert_eq!(nonce_end, Ok(AuthFailureReason::NonceMismatch));
    let nonce_begin = changed_challenge(|first| first.replacen("r=", "r=x", 1));
    assert_eq!(nonce_begin, Err(ScramClientError::NonceMismatch));
}

#[test]
fn a_man_in_the_middle_who_changes_the_first_message_is_detected() {
    let (mut client, mut server) = (client("alice", "pencil"), alice());
    let first = String::from_utf8(client.first()).unwrap() + ",x=1";
    let first = challenge(&mut server, first);
    let last = client.reply(first.as_bytes()).unwrap();
    assert_eq!(refusal(&mut server, last), AuthFailureReason::WrongPassword);
}

#[test]
fn the_client_refuses_a_nonce_to_which_the_server_added_nothing() {
    let mut client = ScramClient::new(Mechanism::ScramSha256, "alice", password("pencil"), &Fixed("mine"));
    assert_eq!(client.reply(b"r=mine,s=QUFBQUFBQUE=,i=4096"), Err(ScramClientError::NonceMismatch));
}

#[test]
fn the_client_refuses_iteration_counts_that_are_weak_or_endless() {
    for (count, error) in [
        (1, ScramClientError::TooFewIterations(1)),
        (4095, ScramClientError::TooFewIterations(4095)),
        (MAX_CLIENT_ITERATIONS + 1, ScramClientError::TooManyIterations(MAX_CLIENT_ITERATIONS + 1)),
        (u32::MAX, ScramClientError::TooManyIterations(u32::MAX)),
    ] {
        assert_eq!(changed_challenge(|first| first.replace("i=4096", &format!("i={count}"))), Err(error));
    }
}

fn client_after_its_proof() -> ScramClient {
    let (mut client, mut server) = (client("alice", "pencil"), alice());
    let first = challenge(&mut server, client.first());
    client.reply(first.as_bytes()).unwrap();
    client
}

#[test]
fn the_client_takes_no_server_for_the_right_one_without_its_proof() {
    let finish = |last: &[u8]| client_after_its_proof().finish(last).unwrap_err();
    for signature in ["v=", "v=QUE=", &format!("v={}", messages::to_base64(&[0; 32]))] {
        assert_eq!(finish(signature.as_bytes()), ScramClientError::WrongServerSignature, "{signature}");
    }
    assert!(matches!(finish(b""), ScramClientError::Malformed(_)));
    assert!(matches!(finish(b"ok"), ScramClientError::Malformed(_)));
    assert_eq!(client("alice", "pencil").finish(b"v=QUE="), Err(ScramClientError::OutOfOrder));
}

#[test]
fn the_client_reports_the_servers_error_in_either_step_without_control_characters() {
    let error = || ScramClientError::ServerError("other-error[31m".to_owned());
    assert_eq!(client_after_its_proof().finish(b"e=other-error\x1b[31m,x=1"), Err(error()));
    assert_eq!(client("alice", "pencil").reply(b"e=other-error\x1b[31m"), Err(error()));
}

#[test]
fn the_client_answers_one_challenge_only() {
    let mut client = client("alice", "pencil");
    let first = challenge(&mut alice(), client.first());
    client.reply(first.as_bytes()).unwrap();
    assert_eq!(client.reply(first.as_bytes()), Err(ScramClientError::OutOfOrder));
}

#[test]
fn the_client_proves_nothing_with_an_empty_password() {
    let mut client = client("alice", "");
    let first = challenge(&mut alice(), client.first());
    assert_eq!(client.reply(first.as_bytes()), Err(ScramClientError::EmptyPassword));
}

/// Arbitrary bytes, and text that is nearly a message.
fn token() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[nypcrsiveam]=?,?[a=,]{0,4}(,?[ncrsivepm]=[a-z=2CD3/+é]{0,9}){0,5}".prop_map(String::into_bytes),
        "(n|y|p=x),(a=alice)?,n=(alice|bob|=2C|=),r=[!-~]{0,8}(,[a-z]{1,9}=[a-z]{0,4}){0,2}"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_the_server_panic_or_let_anybody_in(tokens in prop::collection::vec(token(), 1..4)) {
        let mut server = server(&Arc::default(), Mechanism::ScramSha512);
        for token in tokens {
            let result = server.step(&token);
            let let_in = matches!(result, Ok(Step::Done { .. }));
            prop_assert!(!let_in);
        }
    }

    #[test]
    fn no_bytes_as_last_message_make_the_server_panic_or_let_anybody_in(
        last in token(), channel in "[a-zA-Z0-9=/+]{0,8}", proof in "[a-zA-Z0-9=/+]{0,60}", honest in any::<bool>(),
    ) {
        let store = Arc::new(Users([(("alice".to_owned(), Mechanism::ScramSha256), shared_credential())].into()));
        let mut server = server(&store, Mechanism::ScramSha256);
        let first = challenge(&mut server, "n,,n=alice,r=abc");
        let nonce = &first[2..first.find(',').unwrap()];
        let shaped = format!("c={channel},r={nonce},p={proof}").into_bytes();
        let result = server.step(if honest { &shaped } else { &last });
        prop_assert!(result.is_err());
    }

    #[test]
    fn no_bytes_make_the_client_panic_or_trust_the_server(first in token(), last in token()) {
        let mut client = client("alice", "pencil");
        prop_assert!(client.reply(&first).is_err());
        prop_assert!(client.finish(&last).is_err());
    }

    #[test]
    fn no_bytes_as_last_message_make_the_client_trust_the_server(last in token()) {
        let mut client = ScramClient::new(Mechanism::ScramSha256, "a", password("pencil"), &Fixed("mine"));
        client.reply(b"r=mineyours,s=QUFBQUFBQUE=,i=4096").unwrap();
        prop_assert!(client.finish(&last).is_err());
    }
}

fn shared_credential() -> Arc<ScramCredential> {
    use std::sync::OnceLock;
    static CREDENTIAL: OnceLock<Arc<ScramCredential>> = OnceLock::new();
    let derive =
        || ScramCredential::derive(Mechanism::ScramSha256, &password("pencil"), MIN_ITERATIONS).unwrap();
    Arc::clone(CREDENTIAL.get_or_init(|| Arc::new(derive())))
}

#[test]
fn a_client_that_remembers_salts_once_for_each_salt_and_still_proves_itself() {
    let memory: Arc<SaltMemory> = Arc::default();
    let stores = [1, 2].map(|_| users("alice", Mechanism::ScramSha256, MIN_ITERATIONS));
    for (store, has_to_salt) in [(0, true), (0, false), (1, true), (0, false), (1, false)] {
        let mut server = server(&stores[store], Mechanism::ScramSha256);
        let mut client = client("alice", "pencil").with_memory(Arc::clone(&memory));
        let first = challenge(&mut server, client.first());
        assert_eq!(client.has_to_salt(first.as_bytes()), has_to_salt);
        let reply = client.reply(first.as_bytes()).unwrap();
        let Ok(Step::Done { reply: last, .. }) = server.step(&reply) else { panic!("refused") };
        client.finish(&last).unwrap();
    }
    // It is bounded: a server that asks for another salt each time fills nothing.
    for _ in 0..40 {
        let mut server =
            server(&users("alice", Mechanism::ScramSha256, MIN_ITERATIONS), Mechanism::ScramSha256);
        let mut client = client("alice", "pencil").with_memory(Arc::clone(&memory));
        let first = challenge(&mut server, client.first());
        client.reply(first.as_bytes()).unwrap();
    }
    assert_eq!(memory.len(), 16);
}
