//! The exchange, with a library that says what it is told to.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::*;
use crate::{AuthFailure, AuthFailureReason, Step};

/// A library whose tokens are words: `ticket:NAME` is good at once, `mutual:NAME` is answered, `more` asks for more. What
/// it signs begins with a tilde.
struct Words {
    can_serve: bool,
}

struct Talk;

impl GssAcceptor for Words {
    fn begin(&self) -> Result<Box<dyn GssContext>, GssFailure> {
        if self.can_serve { Ok(Box::new(Talk)) } else { Err(GssFailure::new("no keytab")) }
    }
}

impl GssContext for Talk {
    fn accept(&mut self, token: &[u8]) -> Result<GssReply, GssFailure> {
        let text = str::from_utf8(token).unwrap();
        let client =
            |name: &str| Some(GssClient { name: name.to_owned(), lifetime: Duration::from_secs(600) });
        match text.split_once(':') {
            Some(("ticket", name)) => Ok(GssReply { token: Vec::new(), client: client(name) }),
            Some(("mutual", name)) => Ok(GssReply { token: b"it is me".to_vec(), client: client(name) }),
            _ if text == "more" => Ok(GssReply { token: b"go on".to_vec(), client: None }),
            _ => Err(GssFailure::new("a defective token")),
        }
    }

    fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, GssFailure> {
        Ok([b"~", message].concat())
    }

    fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, GssFailure> {
        let message = token.strip_prefix(b"~").ok_or_else(|| GssFailure::new("a wrong signature"))?;
        Ok(message.to_vec())
    }
}

fn server() -> GssapiServer {
    serving(true)
}

fn serving(can_serve: bool) -> GssapiServer {
    let rules = KerberosRules::read("R", &["RULE:[1:$1@$0](.*@R)s/@.*//", "RULE:[2:$1](host)s/^/machine-/"]);
    GssapiServer::new(Arc::new(KerberosLogin::new(Arc::new(Words { can_serve }), rules.unwrap())))
}

const OFFER: &[u8] = b"~\x01\0\0\0";
const CHOICE: &[u8] = b"~\x01\0\0\0";

/// What the last of these tokens leads to: the principal, or why not.
async fn log_in(mut server: GssapiServer, tokens: &[&[u8]]) -> Result<String, AuthFailure> {
    let mut said = None;
    for token in tokens {
        match server.step(token).await? {
            Step::Continue(reply) => said = Some(reply),
            Step::Done { reply, proof } => {
                assert!(reply.is_empty());
                assert_eq!(said.as_deref(), Some(OFFER), "nobody is let in without an offer");
                assert_eq!(proof.method().name(), "GSSAPI");
                let left = proof.expires().unwrap().duration_since(SystemTime::now()).unwrap();
                assert!(left > Duration::from_secs(590) && left <= Duration::from_secs(600), "{left:?}");
                assert!(
                    matches!(server.step(b"").await, Err(failure) if failure.reason == AuthFailureReason::Ended)
                );
                return Ok(format!("{} as {}", proof.login(), proof.principal()));
            }
        }
    }
    panic!("the exchange goes on after {said:?}");
}

async fn refusal(tokens: &[&[u8]]) -> (String, Option<String>) {
    let failure = log_in(server(), tokens).await.unwrap_err();
    (failure.reason.to_string(), failure.claimed_user)
}

#[tokio::test]
async fn a_ticket_lets_in_with_and_without_mutual_authentication() {
    let alice = Ok("alice@R as User:alice".to_owned());
    assert_eq!(log_in(server(), &[b"ticket:alice@R", CHOICE]).await, alice);
    assert_eq!(log_in(server(), &[b"mutual:alice@R", b"", CHOICE]).await, alice);
    assert_eq!(log_in(server(), &[b"more", b"mutual:alice@R", b"", CHOICE]).await, alice);
    let machine = log_in(server(), &[b"ticket:host/a.example@R", CHOICE]).await;
    assert_eq!(machine, Ok("host/a.example@R as User:machine-host".to_owned()));
}

#[tokio::test]
async fn nobody_acts_as_somebody_else() {
    let as_itself = log_in(server(), &[b"ticket:alice@R", b"~\x01\0\0\0alice@R"]).await;
    assert_eq!(as_itself, Ok("alice@R as User:alice".to_owned()));
    for other in ["bob@R", "alice", "alice@R\0", "ALICE@R"] {
        let choice = [CHOICE, other.as_bytes()].concat();
        let (words, claimed) = refusal(&[b"ticket:alice@R", &choice]).await;
        assert_eq!(words, "the authorization id differs from the user name", "{other}");
        assert_eq!(claimed.as_deref(), Some("alice@R"));
    }
}

#[tokio::test]
async fn only_the_layer_on_offer_can_be_chosen() {
    for choice in [&b"~\x02\0\0\0"[..], b"~\x03\0\0\0", b"~\0\0\0\0", b"~\x01\0\x01\0"] {
        let (words, _) = refusal(&[b"ticket:alice@R", choice]).await;
        assert!(words.contains("wants a security layer of its own"), "{words}");
    }
    for short in [&b"~"[..], b"~\x01\0\0"] {
        let (words, _) = refusal(&[b"ticket:alice@R", short]).await;
        assert!(words.contains("shorter than four bytes"), "{words}");
    }
    let (words, claimed) = refusal(&[b"ticket:alice@R", b"\x01\0\0\0"]).await;
    assert_eq!((words.as_str(), claimed.as_deref()), ("Kerberos: a wrong signature", Some("alice@R")));
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_its_turn_is_refused() {
    let (words, _) = refusal(&[b"mutual:alice@R", CHOICE]).await;
    assert!(words.contains("has to say that it has taken the last one"), "{words}");
    let (words, _) = refusal(&[b"more", b"more", b"more", b"more", b"ticket:alice@R"]).await;
    assert_eq!(words, "Kerberos: no ticket in 4 tokens");
}

#[tokio::test]
async fn what_is_no_ticket_is_refused_for_good() {
    let mut server = server();
    let failure = server.step(b"garbage").await.map(|_| ()).unwrap_err();
    assert_eq!(failure.reason.to_string(), "Kerberos: a defective token");
    assert!(failure.reason.is_guess());
    let again = server.step(b"ticket:alice@R").await.map(|_| ()).unwrap_err();
    assert_eq!(again.reason, AuthFailureReason::Ended);
    let long = vec![b'x'; MAX_GSS_TOKEN_BYTES + 1];
    assert_eq!(log_in(self::server(), &[&long]).await.unwrap_err().reason, AuthFailureReason::TokenTooLong);
}

#[tokio::test]
async fn a_name_that_is_nobody_is_refused_and_told() {
    let (words, claimed) = refusal(&[b"ticket:alice@OTHER", CHOICE]).await;
    assert_eq!(words, "Kerberos: no rule of kerberos.rules fits 'alice@OTHER'");
    assert_eq!(claimed.as_deref(), Some("alice@OTHER"));
    let (words, _) = refusal(&[br"ticket:ali\/ce@R", CHOICE]).await;
    assert!(words.contains("is not of one or two parts"), "{words}");
}

#[tokio::test]
async fn a_server_without_a_keytab_blames_nobody() {
    let failure = log_in(serving(false), &[b"ticket:alice@R"]).await.unwrap_err();
    assert_eq!(failure.reason, AuthFailureReason::KerberosUnable("no keytab".to_owned()));
    assert!(!failure.reason.is_guess());
}
