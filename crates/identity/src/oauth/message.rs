//! The client's message (RFC 7628, section 3.1), read from a peer's bytes.

/// What separates the parts of a message.
const SEPARATOR: char = '\u{1}';

/// `n,a=user,^Aauth=Bearer token^A^A`.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Bearer<'a> {
    /// The user to act as, if named.
    pub(super) acts_as: Option<&'a str>,
    pub(super) token: &'a str,
}

impl<'a> Bearer<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, &'static str> {
        let (header, rest) = text.split_once(SEPARATOR).ok_or("the token message has no header")?;
        let acts_as = match header.strip_prefix("n,").and_then(|header| header.strip_suffix(',')) {
            Some("") => None,
            Some(name) => Some(name.strip_prefix("a=").ok_or("the authorization id does not begin with a=")?),
            None => return Err("the header of the token message is not n,..,"),
        };
        let pairs = rest.strip_suffix("\u{1}\u{1}").ok_or("the token message does not end as one")?;
        let mut token = None;
        for pair in pairs.split(SEPARATOR) {
            let (key, value) = pair.split_once('=').ok_or("a part of the token message has no value")?;
            if key == "auth" && token.replace(value).is_some() {
                return Err("the token message has two tokens");
            }
        }
        let value = token.ok_or("the token message has no token")?;
        let (scheme, token) = value.split_once(' ').ok_or("the token has no scheme")?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err("the token is no bearer token");
        }
        let is_of_token = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
        };
        let token = token.trim_start_matches(' ');
        if token.is_empty() || !token.bytes().all(is_of_token) {
            return Err("the token has characters that no token has");
        }
        Ok(Self { acts_as, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_each_client_is_read() {
        for (text, acts_as) in [
            ("n,,\u{1}auth=Bearer a.b.c\u{1}\u{1}", None),
            ("n,,\u{1}auth=bearer a.b.c\u{1}traceId=1\u{1}\u{1}", None),
            ("n,a=alice,\u{1}host=x\u{1}auth=Bearer  a.b.c\u{1}\u{1}", Some("alice")),
        ] {
            assert_eq!(Bearer::read(text), Ok(Bearer { acts_as, token: "a.b.c" }), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            "n,,",
            "n,,\u{1}",
            "n,,\u{1}\u{1}",
            "n,,\u{1}auth=Bearer a.b.c",
            "n,,\u{1}auth=Bearer a.b.c\u{1}",
            "y,,\u{1}auth=Bearer a.b.c\u{1}\u{1}",
            "p=x,,\u{1}auth=Bearer a.b.c\u{1}\u{1}",
            "n,alice,\u{1}auth=Bearer a.b.c\u{1}\u{1}",
            "n,,\u{1}auth=Basic a.b.c\u{1}\u{1}",
            "n,,\u{1}auth=Bearer\u{1}\u{1}",
            "n,,\u{1}auth=Bearer \u{1}\u{1}",
            "n,,\u{1}auth=Bearer a b\u{1}\u{1}",
            "n,,\u{1}auth=Bearer a.b.c\u{1}auth=Bearer d.e.f\u{1}\u{1}",
            "n,,\u{1}token=a.b.c\u{1}\u{1}",
        ] {
            assert!(Bearer::read(text).is_err(), "{text:?}");
        }
    }
}
