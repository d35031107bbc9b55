//! `PLAIN` (RFC 4616): the password itself, against the keys that SCRAM has stored, or by a directory.

use std::sync::Arc;
use std::time::Duration;

use subtle::{Choice, ConstantTimeEq};
use tokio::time::{Instant, sleep_until};

use crate::credential::{MAX_PASSWORD_BYTES, client_key, salt_password, stored_key};
use crate::{
    AuthFailure, AuthFailureReason, Authenticated, CredentialStore, Directory, FakeSaltKey, MAX_TOKEN_BYTES,
    Mechanism, Method, Password, PasswordChecks, SaslMechanism, ScramCredential, Step, check_user_name,
};

/// How long a failure takes at least where a directory is asked: it answers of itself at once, of unknown users after
/// a search, and of wrong passwords after a bind.
const FAILURE_FLOOR: Duration = Duration::from_millis(250);

/// Why nobody gets in by a name for now, if so.
pub type Locks = dyn Fn(&str) -> Option<String> + Send + Sync;

/// One exchange with a client that is not known yet: it has a single token.
///
/// The password is stretched with every hash that there are credentials for, whether the user has one or not: so who
/// does not exist, who has another credential, and who types a wrong password, all cost the same. A directory is asked
/// about names that the store does not have; then all failures take as long as a directory may.
pub struct PlainServer {
    store: Arc<dyn CredentialStore>,
    fake: Arc<FakeSaltKey>,
    checks: PasswordChecks,
    elsewhere: Option<Elsewhere>,
    ended: bool,
}

/// Where users are that the store does not have.
struct Elsewhere {
    directory: Arc<dyn Directory>,
    locks: Box<Locks>,
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
        Self { store, fake, checks, elsewhere: None, ended: false }
    }

    /// The same, which asks a directory about users that the store does not have. It is not asked about passwords of
    /// whom `locks` has an objection to: guesses at it would lock them out there as well.
    #[must_use]
    pub fn with_directory(self, directory: Arc<dyn Directory>, locks: Box<Locks>) -> Self {
        Self { elsewhere: Some(Elsewhere { directory, locks }), ..self }
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
        if password.expose().is_empty() || password.expose().len() > MAX_PASSWORD_BYTES {
            let reason = AuthFailureReason::NoPassword;
            return Err(AuthFailure { reason, claimed_user: Some(user) });
        }
        let Some(elsewhere) = &self.elsewhere else { return self.by_store(user, password).await };
        let floor = Instant::now() + FAILURE_FLOOR;
        let step = if self.store.is_taken(&user) {
            self.by_store(user, password).await
        } else {
            elsewhere.login(self.store.as_ref(), user, password).await
        };
        if step.is_err() {
            sleep_until(floor).await;
        }
        step
    }

    async fn by_store(&self, user: String, password: Password) -> Result<Step, AuthFailure> {
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
        let reason = match matches {
            Some(true) => {
                let method = Method::Sasl(SaslMechanism::Plain);
                let proof = Authenticated::by_password(&user, method, self.store.as_ref());
                return Ok(Step::Done { reply: Vec::new(), proof });
            }
            Some(false) if exists => AuthFailureReason::WrongPassword,
            Some(false) => AuthFailureReason::UnknownUser,
            None => AuthFailureReason::Stopping,
        };
        Err(AuthFailure { reason, claimed_user: Some(user) })
    }
}

impl Elsewhere {
    async fn login(
        &self,
        store: &dyn CredentialStore,
        user: String,
        password: Password,
    ) -> Result<Step, AuthFailure> {
        let failure = |user: &str, reason| AuthFailure { reason, claimed_user: Some(user.to_owned()) };
        let unlocked = |name: &str| match (self.locks)(name) {
            Some(words) => Err(failure(name, AuthFailureReason::LockedOut(words))),
            None => Ok(()),
        };
        unlocked(&user)?;
        let found = self.directory.find(&user).await.map_err(|reason| failure(&user, reason))?;
        let Some(entry) = found else { return Err(failure(&user, AuthFailureReason::UnknownUser)) };
        let name = entry.name.as_str();
        // Another way to write it must not lead to a principal that is somebody else's here.
        let usable = |name: &str| {
            check_user_name(name).map_err(|error| failure(&user, error.into()))?;
            if store.is_taken(name) {
                let words = format!("{name} is a local user, as which a directory lets nobody in");
                return Err(failure(name, AuthFailureReason::Directory(words)));
            }
            Ok(())
        };
        usable(name)?;
        unlocked(name)?;
        let member = self.directory.check(&entry, &password).await.map_err(|reason| failure(name, reason))?;
        // It may be that only who is in can read their own name.
        usable(member.name())?;
        let proof = Authenticated::by_directory(member, Method::Sasl(SaslMechanism::Plain));
        Ok(Step::Done { reply: Vec::new(), proof })
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
