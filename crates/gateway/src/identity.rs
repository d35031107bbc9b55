//! As whom a client's requests go upstream.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use schloss_client::{ClientConfig, Connection, SaslMechanism};
use schloss_identity::{Mechanism, Password};
use schloss_wire::messages::create_delegation_token_request::CreatableRenewers;
use schloss_wire::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use schloss_wire::messages::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, DescribeDelegationTokenRequest,
    ExpireDelegationTokenRequest,
};
use schloss_wire::{ErrorCode, Principal, build};
use tokio::time::Instant;

use crate::Identity;
use crate::view::View;

/// Most principals whose tokens are kept. With more, those that are not in use are forgotten.
const TOKENS_MAX: usize = 10_000;
/// Part of a token's life after which another one is taken, in percent.
const USE_PERCENT: u32 = 80;
/// The upstream's own longest life of a token.
const LONGEST_LIFE_MS: i64 = -1;
/// A negative period ends a token now.
const AT_ONCE_MS: i64 = -1;

/// The configurations that connections are made with.
pub(crate) enum Credentials {
    /// The same for every client.
    Service(Arc<ClientConfig>),
    /// Each client's principal has a delegation token.
    Tokens(Tokens),
}

pub(crate) struct Tokens {
    service: Arc<ClientConfig>,
    mechanism: Mechanism,
    view: Arc<View>,
    held: Mutex<HashMap<Principal, Arc<Slot>>>,
}

/// The token of one principal. Whoever needs it while it is fetched waits for it instead of fetching another.
type Slot = tokio::sync::Mutex<Option<Token>>;

#[derive(Clone)]
struct Token {
    config: Arc<ClientConfig>,
    use_until: Instant,
}

impl Credentials {
    pub(crate) fn new(identity: Identity, service: Arc<ClientConfig>, view: Arc<View>) -> Self {
        match identity {
            Identity::Service => Self::Service(service),
            Identity::Impersonate => {
                let mechanism = match service.sasl.as_ref().map(|sasl| sasl.mechanism) {
                    Some(SaslMechanism::Scram(mechanism)) => mechanism,
                    _ => Mechanism::ScramSha512,
                };
                Self::Tokens(Tokens { service, mechanism, view, held: Mutex::default() })
            }
        }
    }

    /// How to connect for a client that is authenticated as `principal`.
    ///
    /// # Errors
    /// The upstream cluster gives no token for it.
    pub(crate) async fn of(&self, principal: &Principal) -> io::Result<Arc<ClientConfig>> {
        match self {
            Self::Service(config) => Ok(Arc::clone(config)),
            Self::Tokens(tokens) => tokens.of(principal).await,
        }
    }

    /// Whether brokers may not know these credentials yet, or not any more.
    pub(crate) const fn come_and_go(&self) -> bool {
        matches!(self, Self::Tokens(_))
    }

    /// Has the upstream cluster end every token that was given to us for `principal`, also to other gateways and
    /// before a restart; says how many there were.
    ///
    /// # Errors
    /// The upstream cluster can't be reached or does not end one of them.
    pub(crate) async fn take_back(&self, principal: &Principal) -> io::Result<usize> {
        match self {
            Self::Service(_) => Ok(0),
            Self::Tokens(tokens) => tokens.take_back(principal).await,
        }
    }

    /// Forgets credentials that a broker did not take.
    pub(crate) async fn forget(&self, principal: &Principal, refused: &Arc<ClientConfig>) {
        let Self::Tokens(tokens) = self else { return };
        let slot = tokens.slot(principal);
        let mut token = slot.lock().await;
        // Somebody else may have taken a new one meanwhile.
        token.take_if(|token| Arc::ptr_eq(&token.config, refused));
    }
}

impl Tokens {
    async fn of(&self, principal: &Principal) -> io::Result<Arc<ClientConfig>> {
        let slot = self.slot(principal);
        let mut token = slot.lock().await;
        if let Some(token) = token.as_ref().filter(|token| token.use_until > Instant::now()) {
            return Ok(Arc::clone(&token.config));
        }
        let fresh = self.fetch(principal).await?;
        Ok(Arc::clone(&token.insert(fresh).config))
    }

    fn slot(&self, principal: &Principal) -> Arc<Slot> {
        let mut held = self.held.lock();
        if held.len() >= TOKENS_MAX && !held.contains_key(principal) {
            held.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(held.entry(principal.clone()).or_default())
    }

    /// Asks for a new token as ourselves.
    async fn fetch(&self, principal: &Principal) -> io::Result<Token> {
        self.ask(&mut self.connect().await?, principal).await
    }

    async fn take_back(&self, principal: &Principal) -> io::Result<usize> {
        self.held.lock().remove(principal);
        let mut connection = self.connect().await?;
        let owner = build!(DescribeDelegationTokenOwner {
            principal_type: principal.kind().into(),
            principal_name: principal.name().into(),
        });
        let request = build!(DescribeDelegationTokenRequest { owners: Some(vec![owner]) });
        let described = connection.call(&request).await.map_err(io::Error::other)?;
        if described.error_code != ErrorCode::None.code() {
            return Err(io::Error::other(ErrorCode::describe(described.error_code)));
        }
        let mut ended = 0;
        for token in described.tokens {
            let request =
                build!(ExpireDelegationTokenRequest { hmac: token.hmac, expiry_time_period_ms: AT_ONCE_MS });
            let response = connection.call(&request).await.map_err(io::Error::other)?;
            match ErrorCode::from_code(response.error_code) {
                Some(ErrorCode::None) => ended += 1,
                // Another gateway was first.
                Some(ErrorCode::DelegationTokenNotFound) => {}
                Some(ErrorCode::DelegationTokenOwnerMismatch) => {
                    // One that the principal got by itself, or we did as somebody else.
                    tracing::warn!(%principal, "an upstream delegation token is not ours to end: it runs out by itself");
                }
                _ => return Err(io::Error::other(ErrorCode::describe(response.error_code))),
            }
        }
        Ok(ended)
    }

    /// As whom upstream knows us.
    fn ourselves(&self) -> Option<CreatableRenewers> {
        let sasl = self.service.sasl.as_ref()?;
        Some(build!(CreatableRenewers {
            principal_type: Principal::USER.into(),
            principal_name: sasl.user.as_str().into(),
        }))
    }

    /// Connects as ourselves, to the first broker that can be reached.
    async fn connect(&self) -> io::Result<Connection> {
        let mut failed = io::Error::other("no upstream broker is known");
        for (_, address) in self.view.addresses(None) {
            match Connection::connect(&self.service, &address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failed = io::Error::other(error),
            }
        }
        Err(failed)
    }

    async fn ask(&self, connection: &mut Connection, principal: &Principal) -> io::Result<Token> {
        let request = build!(CreateDelegationTokenRequest {
            owner_principal_type: Some(principal.kind().into()),
            owner_principal_name: Some(principal.name().into()),
            // Whoever asks for a token may not end it; a renewer may.
            renewers: self.ourselves().into_iter().collect(),
            max_lifetime_ms: LONGEST_LIFE_MS,
        });
        let response = connection.call(&request).await.map_err(io::Error::other)?;
        if response.error_code != ErrorCode::None.code() {
            return Err(io::Error::other(refusal(response.error_code, principal)));
        }
        let hmac = Password::new(STANDARD.encode(&response.hmac));
        let config = self.service.with_token(&response.token_id, hmac, self.mechanism);
        Ok(Token {
            config: Arc::new(config),
            use_until: Instant::now() + life(&response) * USE_PERCENT / 100,
        })
    }
}

/// How long a token lives from now on. The two clocks may differ, so it is taken from the broker's alone.
fn life(response: &CreateDelegationTokenResponse) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let issued = Duration::from_millis(u64::try_from(response.issue_timestamp_ms).unwrap_or(0));
    let ends = Duration::from_millis(u64::try_from(response.expiry_timestamp_ms).unwrap_or(0));
    ends.saturating_sub(if issued.is_zero() { now } else { issued })
}

fn refusal(code: i16, principal: &Principal) -> String {
    let advice = match ErrorCode::from_code(code) {
        Some(ErrorCode::DelegationTokenAuthDisabled) => {
            "set delegation.token.secret.key on every upstream broker and controller"
        }
        Some(ErrorCode::DelegationTokenAuthorizationFailed) => {
            "the gateway's own principal needs CREATE_TOKENS on the user, or to be a super user"
        }
        Some(ErrorCode::DelegationTokenRequestNotAllowed) => {
            "the gateway has to reach the upstream cluster by TLS, and with SASL other than a token"
        }
        Some(ErrorCode::InvalidPrincipalType) => "upstream knows tokens of principals of type User only",
        _ => "see the upstream broker's log",
    };
    format!(
        "the upstream cluster gives no delegation token for {principal}: {}; {advice}",
        ErrorCode::describe(code)
    )
}
