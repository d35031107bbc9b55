//! `PLAIN` (RFC 4616): the password itself, against the keys that SCRAM has stored.

use std::sync::Arc;

use subtle::{Choice, ConstantTimeEq};

use crate::credential::{MAX_PASSWORD_BYTES, client_key, salt_password, stored_key};
use crate::{
    AuthFailure, AuthFailureReason, Authenticated, CredentialStore, FakeSaltKey, MAX_TOKEN_BYTES, Mechanism,
    Method, Password, PasswordChecks, SaslMechanism, ScramCredential, Step, check_user_name,
};

/// One exchange with a client that is not known yet: it has a single token.
///
/// The password is stretched with every hash that there are credentials for, whether the user has one or not: so who
/// does not exist, who has another credential, and who types a wrong password, all cost the same.
pub struct PlainServer {
    store: Arc<dyn CredentialStore>,
    fake: Arc<FakeSaltKey>,
    checks: PasswordChecks,
    ended: bool,
}

/// What a token says, its grammar checked.
struct Claim {
    user: String,
    password: Password,
}

impl PlainServer {
    /// Begins an exchange.
    #[must_use]
    pub fn new(store: Arc<dyn CredentialStore>, fake: Arc<FakeSaltKey>, checks: PasswordChecks) -> Self {
        Self { store, fake, checks, ended: false }
    }

    /// Takes the client's token.
    ///
    /// # Errors
    /// When the authentication has failed; every later call fails too.
    pub async fn step(&mut self, token: &[u8]) -> Result<Step, AuthFailure> {
        let unclaimed = |reason| AuthFailure { reason, claimed_user: None };
        if std::mem::replace(&mut self.ended, true) {
            return Err(unclaimed(AuthFailureReason::Ended));
        }
        let Claim { user, password } = Claim::read(token)?;
        let failure = |reason| AuthFailure { reason, claimed_user: Some(user.clone()) };
        if password.expose().is_empty() || password.expose().len() > MAX_PASSWORD_BYTES {
            return Err(failure(AuthFailureReason::NoPassword));
        }
        let candidates = Mechanism::ALL.map(|mechanism| {
            // The fake is made for known users as well, so that both take the same time.
            let fake = self.fake.credential(self.store.as_ref(), &user, mechanism);
            match self.store.scram(&user, mechanism) {
                Some(credential) => (true, credential),
                None => (false, fake),
            }
        });
        let exists = candidates.iter().any(|(exists, _)| *exists);
        let matches = self.checks.run(move || fits_one(&password, &candidates)).await;
        match matches {
            Some(true) => {
                let method = Method::Sasl(SaslMechanism::Plain);
                let proof = Authenticated::by_password(&user, method, self.store.as_ref());
                Ok(Step::Done { reply: Vec::new(), proof })
            }
            Some(false) if exists => Err(failure(AuthFailureReason::WrongPassword)),
            Some(false) => Err(failure(AuthFailureReason::UnknownUser)),
            None => Err(failure(AuthFailureReason::Stopping)),
        }
    }
}

impl Claim {
    /// `[authzid] NUL authcid NUL passwd`.
    fn read(token: &[u8]) -> Result<Self, AuthFailure> {
        let unclaimed = |reason| AuthFailure { reason, claimed_user: None };
        let malformed = |what| unclaimed(AuthFailureReason::Malformed(what));
        if token.len() > MAX_TOKEN_BYTES {
            return Err(unclaimed(AuthFailureReason::TokenTooLong));
        }
        let text = str::from_utf8(token).map_err(|_| malformed("the token is no UTF-8"))?;
        let mut parts = text.split('\0');
        let (Some(acts_as), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("the token has not the three parts of PLAIN"));
        };
        check_user_name(user).map_err(|error| unclaimed(error.into()))?;
        if !acts_as.is_empty() && acts_as != user {
            let reason = AuthFailureReason::AuthorizationId;
            return Err(AuthFailure { reason, claimed_user: Some(user.to_owned()) });
        }
        Ok(Self { user: user.to_owned(), password: Password::new(password.to_owned()) })
    }
}

/// Whether the password is that of a credential that exists. Looks at all of them.
fn fits_one(password: &Password, candidates: &[(bool, Arc<ScramCredential>)]) -> bool {
    let fits = candidates.iter().fold(Choice::from(0), |fits, (exists, credential)| {
        fits | (Choice::from(u8::from(*exists)) & has_key(password, credential))
    });
    fits.into()
}

fn has_key(password: &Password, credential: &ScramCredential) -> Choice {
    let mechanism = credential.mechanism();
    let Ok(rounds) = credential.rounds() else { return Choice::from(0) };
    let salted = salt_password(mechanism, password, credential.salt(), rounds);
    stored_key(mechanism, &client_key(mechanism, &salted)).ct_eq(credential.stored_key())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(Default)]
    struct Store(HashMap<(String, Mechanism), Arc<ScramCredential>>);

    impl Store {
        fn with(mut self, user: &str, mechanism: Mechanism, password: &str) -> Self {
            let password = Password::new(password.to_owned());
            let credential = ScramCredential::derive(mechanism, &password, 4096).unwrap();
            self.0.insert((user.to_owned(), mechanism), Arc::new(credential));
            self
        }
    }

    impl CredentialStore for Store {
        fn scram(&self, user: &str, mechanism: Mechanism) -> Option<Arc<ScramCredential>> {
            self.0.get(&(user.to_owned(), mechanism)).cloned()
        }
    }

    fn server() -> PlainServer {
        let store = Store::default()
            .with("alice", Mechanism::ScramSha256, "pencil")
            .with("bob", Mechanism::ScramSha512, "pen")
            .with("carol", Mechanism::ScramSha256, "one")
            .with("carol", Mechanism::ScramSha512, "two");
        PlainServer::new(Arc::new(store), Arc::new(FakeSaltKey::generate()), PasswordChecks::new())
    }

    async fn login(token: &str) -> Result<String, AuthFailureReason> {
        match server().step(token.as_bytes()).await {
            Ok(Step::Done { reply, proof }) => {
                assert!(reply.is_empty());
                assert_eq!(proof.method().name(), "PLAIN");
                Ok(proof.principal().to_string())
            }
            Ok(Step::Continue(_)) => panic!("PLAIN has one token"),
            Err(failure) => Err(failure.reason),
        }
    }

    #[tokio::test]
    async fn the_password_of_either_hash_is_good() {
        for (token, user) in [
            ("\0alice\0pencil", "User:alice"),
            ("alice\0alice\0pencil", "User:alice"),
            ("\0bob\0pen", "User:bob"),
            ("\0carol\0one", "User:carol"),
            ("\0carol\0two", "User:carol"),
        ] {
            assert_eq!(login(token).await, Ok(user.to_owned()), "{token:?}");
        }
    }

    #[tokio::test]
    async fn a_wrong_password_an_unknown_user_and_another_identity_are_refused() {
        assert_eq!(login("\0alice\0pen").await, Err(AuthFailureReason::WrongPassword));
        assert_eq!(login("\0alice\0pencil ").await, Err(AuthFailureReason::WrongPassword));
        assert_eq!(login("\0nobody\0pencil").await, Err(AuthFailureReason::UnknownUser));
        assert_eq!(login("admin\0alice\0pencil").await, Err(AuthFailureReason::AuthorizationId));
        assert_eq!(login("\0alice\0").await, Err(AuthFailureReason::NoPassword));
        let long = format!("\0alice\0{}", "x".repeat(MAX_PASSWORD_BYTES + 1));
        assert_eq!(login(&long).await, Err(AuthFailureReason::NoPassword));
    }

    #[tokio::test]
    async fn what_is_not_plain_is_malformed() {
        for token in ["", "alice", "\0alice", "\0alice\0pencil\0", "\0\0\0\0"] {
            assert!(matches!(login(token).await, Err(AuthFailureReason::Malformed(_))), "{token:?}");
        }
        assert!(matches!(login("\0\0pencil").await, Err(AuthFailureReason::UserName(_))));
        let long = "x".repeat(MAX_TOKEN_BYTES + 1);
        assert_eq!(login(&long).await, Err(AuthFailureReason::TokenTooLong));
        let mut server = server();
        assert!(matches!(
            server.step(b"\0alice\0\xff").await.map(|_| ()).unwrap_err().reason,
            AuthFailureReason::Malformed(_)
        ));
        let again = server.step(b"\0alice\0pencil").await.map(|_| ()).unwrap_err();
        assert_eq!(again.reason, AuthFailureReason::Ended);
    }
}
