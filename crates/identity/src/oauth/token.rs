//! What makes a token good, and whom it names (RFC 7519, RFC 8725).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, AlgorithmFamily, Validation, decode, decode_header};
use schloss_wire::Principal;
use serde_json::{Map, Value};

use super::keys::{IssuerKeys, KeySource};
use crate::{AuthFailureReason, Authenticated, Method, SaslMechanism, check_user_name, groups};

/// Keys that one token is tried with: more have one id, or none, by mistake alone.
const CANDIDATES_MAX: usize = 10;

/// An algorithm that signs with a key that nobody else has. HMAC is none, and neither is `none`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenAlgorithm(Algorithm, &'static str);

impl TokenAlgorithm {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self(Algorithm::RS256, "RS256"),
        Self(Algorithm::RS384, "RS384"),
        Self(Algorithm::RS512, "RS512"),
        Self(Algorithm::PS256, "PS256"),
        Self(Algorithm::PS384, "PS384"),
        Self(Algorithm::PS512, "PS512"),
        Self(Algorithm::ES256, "ES256"),
        Self(Algorithm::ES384, "ES384"),
        Self(Algorithm::EdDSA, "EdDSA"),
    ];

    /// Its registered name (RFC 7518, section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.1
    }

    /// The algorithm of exactly this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub(super) fn family(self) -> AlgorithmFamily {
        self.0.family()
    }
}

/// What is asked of a token.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// Its `iss`, letter for letter.
    pub issuer: String,
    /// One of these has to be in its `aud`.
    pub audiences: Vec<String>,
    /// How it may be signed.
    pub algorithms: Vec<TokenAlgorithm>,
    /// How far the issuer's clock may be from ours.
    pub skew: Duration,
    /// The claim that is the user's name. One that begins with a slash is a JSON pointer (RFC 6901).
    pub principal_claim: String,
    /// The claim that lists groups, or is one, likewise.
    pub groups_claim: Option<String>,
}

/// Log-in by tokens of one issuer.
pub struct TokenLogin {
    rules: TokenRules,
    keys: Arc<dyn KeySource>,
}

impl TokenLogin {
    /// Tokens that keep these rules, signed with these keys.
    #[must_use]
    pub fn new(rules: TokenRules, keys: Arc<dyn KeySource>) -> Self {
        Self { rules, keys }
    }

    /// Whom a token proves somebody to be, and until when. A key that is not known is looked for once.
    pub(super) async fn verify(&self, token: &str) -> Result<Authenticated, AuthFailureReason> {
        let wrong = |words: &str| AuthFailureReason::Token(words.to_owned());
        // An algorithm that is none of ours, and `none` itself, are no header.
        let header = decode_header(token).map_err(|_| wrong("its header can't be read"))?;
        let allowed = self.rules.algorithms.iter().find(|allowed| allowed.0 == header.alg);
        let Some(&algorithm) = allowed else {
            return Err(AuthFailureReason::Token(format!(
                "it is signed with {:?}, which is not allowed",
                header.alg
            )));
        };
        if header.crit.is_some() {
            return Err(wrong("it has a critical header that nobody here knows"));
        }
        let id = header.kid.as_deref();
        let knows = |keys: &Option<Arc<IssuerKeys>>| {
            keys.as_ref().is_some_and(|keys| keys.candidates(id, algorithm).next().is_some())
        };
        let mut keys = self.keys.keys();
        if !knows(&keys) {
            self.keys.look_again().await;
            keys = self.keys.keys();
        }
        let keys = keys.ok_or_else(|| wrong("no keys of the issuer are to be had"))?;
        let validation = self.validation(algorithm);
        let mut failure = wrong("the issuer has no such key");
        for candidate in keys.candidates(id, algorithm).take(CANDIDATES_MAX) {
            match decode::<Map<String, Value>>(token, &candidate.key, &validation) {
                Ok(token) => return self.principal(&Value::Object(token.claims)),
                Err(error) => failure = AuthFailureReason::Token(words(&error)),
            }
        }
        Err(failure)
    }

    fn validation(&self, algorithm: TokenAlgorithm) -> Validation {
        let mut validation = Validation::new(algorithm.0);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.rules.issuer]);
        validation.set_audience(&self.rules.audiences);
        validation.validate_nbf = true;
        validation.leeway = self.rules.skew.as_secs();
        validation
    }

    fn principal(&self, claims: &Value) -> Result<Authenticated, AuthFailureReason> {
        let wrong = |words: String| AuthFailureReason::Token(words);
        let now = SystemTime::now();
        let time = |name: &str| {
            let seconds = claims.get(name)?.as_f64().filter(|seconds| *seconds >= 0.0)?;
            UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
        };
        let end = time("exp").ok_or_else(|| wrong("its end is no time".to_owned()))?;
        match claims.get("iat").map(|_| time("iat")) {
            Some(None) => return Err(wrong("its beginning is no time".to_owned())),
            Some(Some(issued)) if issued > now + self.rules.skew => {
                return Err(wrong("it was issued in the future".to_owned()));
            }
            _ => {}
        }
        let claim = &self.rules.principal_claim;
        let Some(Value::String(user)) = find(claims, claim) else {
            return Err(wrong(format!("its claim '{claim}' is no name")));
        };
        check_user_name(user)?;
        let proof = Authenticated::new(Principal::user(user), Method::Sasl(SaslMechanism::OAuthBearer));
        let end = end.checked_add(self.rules.skew).unwrap_or(end);
        Ok(proof.until(end).in_groups(self.groups(claims)?))
    }

    fn groups(&self, claims: &Value) -> Result<Arc<[Principal]>, AuthFailureReason> {
        let Some(claim) = &self.rules.groups_claim else { return Ok(Arc::default()) };
        let wrong = || AuthFailureReason::Token(format!("its claim '{claim}' is no list of names"));
        let names = match find(claims, claim) {
            // To pass over what can't be read could pass over a DENY.
            Some(Value::Array(names)) => {
                names.iter().map(|name| name.as_str().ok_or_else(wrong)).collect::<Result<Vec<_>, _>>()?
            }
            Some(Value::String(name)) => vec![name.as_str()],
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(wrong()),
        };
        for name in names.iter().filter(|name| !name.is_empty()) {
            check_user_name(name)?;
        }
        groups(names).map_err(|error| AuthFailureReason::Token(error.to_string()))
    }
}

fn find<'a>(claims: &'a Value, claim: &str) -> Option<&'a Value> {
    if claim.starts_with('/') { claims.pointer(claim) } else { claims.get(claim) }
}

/// The library's own texts may quote the token.
fn words(error: &Error) -> String {
    match error.kind() {
        ErrorKind::InvalidSignature => "its signature is not that of the issuer".to_owned(),
        ErrorKind::ExpiredSignature => "it has expired".to_owned(),
        ErrorKind::ImmatureSignature => "it is not valid yet".to_owned(),
        ErrorKind::InvalidIssuer => "it is of another issuer".to_owned(),
        ErrorKind::InvalidAudience => "it is for another audience".to_owned(),
        ErrorKind::MissingRequiredClaim(claim) => format!("it has no claim '{claim}'"),
        _ => "it can't be read".to_owned(),
    }
}
