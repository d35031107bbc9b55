//! The four messages of an exchange (RFC 5802, section 7), read from a peer's bytes.
//!
//! Reading only says what a message holds; whether that is acceptable is for server and client to judge.

use std::str::Split;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use thiserror::Error;

/// The longest SASL token, in bytes, that either side reads. An honest one has a few hundred.
pub const MAX_TOKEN_BYTES: usize = 4096;
/// The longest nonce, in bytes, that either side accepts from the other.
pub const MAX_NONCE_BYTES: usize = 512;

/// Accepts a missing padding, as Java's decoder and so Kafka does.
const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes that are no message; the text says where they leave the grammar.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// `client-first-message`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ClientFirst<'a> {
    /// The header up to and with its second comma, to be repeated in `c=`.
    pub(crate) gs2_header: &'a str,
    /// Whether the header asks for channel binding (`p=`).
    pub(crate) channel_binding: bool,
    /// The user to act as, if named.
    pub(crate) authorization_id: Option<String>,
    /// The rest, which both proofs cover.
    pub(crate) bare: &'a str,
    pub(crate) user: String,
    pub(crate) nonce: &'a str,
    /// Kafka's extension `tokenauth=true`: the user is a delegation token's id (KIP-48).
    pub(crate) token_auth: bool,
}

/// `server-first-message`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ServerFirst<'a> {
    pub(crate) nonce: &'a str,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

/// `client-final-message`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ClientFinal<'a> {
    /// Everything before `,p=`, which both proofs cover.
    pub(crate) without_proof: &'a str,
    pub(crate) channel_binding: Vec<u8>,
    pub(crate) nonce: &'a str,
    pub(crate) proof: Vec<u8>,
}

/// `server-final-message`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum ServerFinal<'a> {
    Signature(Vec<u8>),
    Error(&'a str),
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, Malformed> {
        let (flag, rest) = text.split_once(',').ok_or(Malformed("the header has no comma"))?;
        let channel_binding = match flag {
            "n" | "y" => false,
            _ if flag.starts_with("p=") => true,
            _ => return Err(Malformed("the channel binding flag is none of n, y, p=")),
        };
        let (authorization_id, bare) = rest.split_once(',').ok_or(Malformed("the header has one comma"))?;
        let authorization_id = match authorization_id.strip_prefix("a=") {
            Some(name) => Some(unescape(name)?),
            None if authorization_id.is_empty() => None,
            None => return Err(Malformed("the authorization id does not begin with a=")),
        };

        let mut fields = Fields::of(bare);
        let user = unescape(fields.next("n=", "the user name (n=) is missing")?)?;
        let nonce = checked_nonce(fields.next("r=", "the nonce (r=) is missing")?)?;
        let mut token_auth = false;
        fields.extensions(|name, value| {
            token_auth |= name == "tokenauth" && value.eq_ignore_ascii_case("true");
        })?;
        let gs2_header = &text[..text.len() - bare.len()];
        Ok(Self { gs2_header, channel_binding, authorization_id, bare, user, nonce, token_auth })
    }
}

impl<'a> ServerFirst<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, Malformed> {
        let mut fields = Fields::of(text);
        let nonce = checked_nonce(fields.next("r=", "the nonce (r=) is missing")?)?;
        let salt = from_base64(fields.next("s=", "the salt (s=) is missing")?)?;
        let digits = fields.next("i=", "the iteration count (i=) is missing")?;
        fields.extensions(|_, _| {})?;
        if salt.is_empty() {
            return Err(Malformed("the salt is empty"));
        }
        let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        match digits.parse() {
            Ok(iterations) if canonical => Ok(Self { nonce, salt, iterations }),
            _ => Err(Malformed("the iteration count is no positive number")),
        }
    }
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, Malformed> {
        // The proof comes last, and base64 holds no comma.
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Malformed("the proof (p=) is missing"))?;
        let mut fields = Fields::of(without_proof);
        let channel_binding = from_base64(fields.next("c=", "the channel binding (c=) is missing")?)?;
        let nonce = checked_nonce(fields.next("r=", "the nonce (r=) is missing")?)?;
        fields.extensions(|_, _| {})?;
        Ok(Self { without_proof, channel_binding, nonce, proof: from_base64(proof)? })
    }
}

impl<'a> ServerFinal<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, Malformed> {
        if let Some(error) = error_of(text) {
            return Ok(Self::Error(error));
        }
        let mut fields = Fields::of(text);
        let signature = from_base64(fields.next("v=", "neither a proof (v=) nor an error (e=)")?)?;
        fields.extensions(|_, _| {})?;
        Ok(Self::Signature(signature))
    }
}

/// The text of a server's `e=`; extensions after it say nothing to us.
pub(crate) fn error_of(text: &str) -> Option<&str> {
    let error = text.strip_prefix("e=")?;
    Some(error.split_once(',').map_or(error, |(error, _)| error))
}

/// A user name as it travels: `,` and `=` would end it.
pub(crate) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    general_purpose::STANDARD.encode(bytes)
}

fn unescape(name: &str) -> Result<String, Malformed> {
    let mut parts = name.split('=');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escaped, rest) = if let Some(rest) = part.strip_prefix("2C") {
            (',', rest)
        } else if let Some(rest) = part.strip_prefix("3D") {
            ('=', rest)
        } else {
            return Err(Malformed("a name holds '=' other than =2C and =3D"));
        };
        plain.push(escaped);
        plain.push_str(rest);
    }
    Ok(plain)
}

fn checked_nonce(nonce: &str) -> Result<&str, Malformed> {
    if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES {
        Err(Malformed("the nonce is empty or too long"))
    } else if nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(nonce)
    } else {
        Err(Malformed("the nonce holds an unprintable character"))
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>, Malformed> {
    LENIENT_BASE64.decode(text).map_err(|_| Malformed("a value is no base64"))
}

/// The comma-separated attributes of a message, taken one by one.
struct Fields<'a>(Split<'a, char>);

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.split(','))
    }

    /// The value of the next attribute, which must have this prefix.
    fn next(&mut self, prefix: &str, missing: &'static str) -> Result<&'a str, Malformed> {
        let field = self.0.next().unwrap_or_default();
        match field.strip_prefix(prefix) {
            Some(value) => Ok(value),
            // RFC 5802, section 5.1: whoever does not know a mandatory extension must fail.
            None if field.starts_with("m=") => Err(Malformed("an unknown mandatory extension (m=)")),
            None => Err(Malformed(missing)),
        }
    }

    /// The optional attributes at the end. Names are letters; Kafka's are longer than one.
    fn extensions(self, mut seen: impl FnMut(&str, &str)) -> Result<(), Malformed> {
        for field in self.0 {
            let (name, value) = field.split_once('=').ok_or(Malformed("an extension has no value"))?;
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) || value.is_empty() {
                return Err(Malformed("an extension is not name=value"));
            }
            seen(name, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_message_gives_header_user_and_nonce() {
        let first = ClientFirst::read("n,a=o=2Cne,n=o=2Cne=3D1,r=abc,x=1").unwrap();
        assert_eq!(first.gs2_header, "n,a=o=2Cne,");
        assert_eq!(first.authorization_id.as_deref(), Some("o,ne"));
        assert_eq!((first.user.as_str(), first.nonce), ("o,ne=1", "abc"));
        assert_eq!(first.bare, "n=o=2Cne=3D1,r=abc,x=1");
        assert!(!first.token_auth && !first.channel_binding);
    }

    #[test]
    fn the_token_extension_is_recognised_as_kafka_does() {
        let token_auth = |text| ClientFirst::read(text).unwrap().token_auth;
        assert!(token_auth("n,,n=id,r=abc,tokenauth=true"));
        assert!(token_auth("n,,n=id,r=abc,x=1,tokenauth=True"));
        assert!(!token_auth("n,,n=id,r=abc,tokenauth=false"));
        assert!(!token_auth("n,,n=tokenauth=3Dtrue,r=abc"));
    }

    #[test]
    fn a_first_message_outside_the_grammar_is_malformed() {
        for text in [
            "",
            "n",
            "n,",
            "n,,",
            "x,,n=a,r=b",
            "N,,n=a,r=b",
            "n,b=c,n=a,r=b",
            "n,,m=x,n=a,r=b",
            "n,,n=a",
            "n,,r=b,n=a",
            "n,,n=a,r=",
            "n,,n=a,r=b c",
            "n,,n=a,r=ü",
            "n,,n=a=b,r=c",
            "n,,n=a=2c,r=c",
            "n,,n=a=,r=c",
            "n,,n=a,r=c,",
            "n,,n=a,r=c,x",
            "n,,n=a,r=c,x=",
            "n,,n=a,r=c,1=2",
        ] {
            assert!(ClientFirst::read(text).is_err(), "{text}");
        }
        let long = format!("n,,n=a,r={}", "x".repeat(MAX_NONCE_BYTES + 1));
        assert!(ClientFirst::read(&long).is_err());
    }

    #[test]
    fn an_unknown_mandatory_extension_is_refused_by_name() {
        let mandatory = Malformed("an unknown mandatory extension (m=)");
        assert_eq!(ClientFirst::read("n,,m=x,n=a,r=b"), Err(mandatory));
        assert_eq!(ServerFirst::read("m=x,r=ab,s=QQ==,i=4096"), Err(mandatory));
        assert_eq!(ClientFinal::read("c=biws,m=x,r=ab,p=QUE="), Err(mandatory));
    }

    #[test]
    fn a_server_first_message_takes_only_a_positive_decimal_count() {
        assert_eq!(ServerFirst::read("r=ab,s=QQ==,i=4096,x=1").unwrap().iterations, 4096);
        for count in ["", "0", "+4096", "-1", "4096 ", "04096", "4294967296", "0x10"] {
            assert!(ServerFirst::read(&format!("r=ab,s=QQ==,i={count}")).is_err(), "{count}");
        }
        for text in ["r=ab,s=,i=4096", "s=QQ==,r=ab,i=4096", "m=1,r=ab,s=QQ==,i=4096", "r=ab,s=?,i=4096"] {
            assert!(ServerFirst::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_final_message_is_read_with_and_without_padding() {
        for proof in ["QUE=", "QUE"] {
            let text = format!("c=biws,r=ab,x=1,p={proof}");
            let message = ClientFinal::read(&text).unwrap();
            assert_eq!(message.without_proof, "c=biws,r=ab,x=1");
            assert_eq!(
                (message.channel_binding.as_slice(), message.proof.as_slice()),
                (&b"n,,"[..], &b"AA"[..])
            );
        }
        for text in ["c=biws,r=ab", "r=ab,c=biws,p=QUE=", "c=biws,r=ab,p=*", "p=QUE=", ",p=QUE="] {
            assert!(ClientFinal::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_final_message_is_a_proof_or_an_error() {
        assert_eq!(ServerFinal::read("v=QUE=,x=1"), Ok(ServerFinal::Signature(b"AA".to_vec())));
        assert_eq!(ServerFinal::read("e=invalid-proof,x=1"), Ok(ServerFinal::Error("invalid-proof")));
        assert!(ServerFinal::read("x=1").is_err());
        assert!(ServerFinal::read("").is_err());
    }

    #[test]
    fn names_survive_the_way_there_and_back() {
        for name in ["plain", "a,b", "a=b", "=2C", "=,=,", "jürgen", ""] {
            assert_eq!(unescape(&escape(name)).as_deref(), Ok(name));
        }
    }
}
