//! `sasl.jaas.config`: one login module with its options, in JAAS' own syntax.

use std::iter::Peekable;
use std::str::Chars;

use zeroize::Zeroizing;

/// Which login module was named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LoginModule {
    Scram,
    Plain,
}

/// A login module with its credentials. No `Debug`: it holds the password.
pub(super) struct Login {
    pub(super) module: LoginModule,
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
    /// Whether they are a delegation token's id and HMAC (`tokenauth="true"`).
    pub(super) token: bool,
}

const EXPECTED: &str = "expected: org.apache.kafka.common.security.scram.ScramLoginModule required \
                        username=\"...\" password=\"...\";";

/// Parses the value of `sasl.jaas.config`. Error texts never quote an option's value.
pub(super) fn parse(text: &str) -> Result<Login, String> {
    let mut chars = text.chars().peekable();
    let module = match word(&mut chars)?.as_str() {
        "org.apache.kafka.common.security.scram.ScramLoginModule" => LoginModule::Scram,
        "org.apache.kafka.common.security.plain.PlainLoginModule" => LoginModule::Plain,
        "" => return Err(format!("is empty; {EXPECTED}")),
        other => return Err(format!("login module '{other}' is not supported; {EXPECTED}")),
    };
    let flag = word(&mut chars)?;
    if !["required", "requisite", "sufficient", "optional"].contains(&flag.to_ascii_lowercase().as_str()) {
        return Err(format!("the control flag (required) is missing after the login module; {EXPECTED}"));
    }
    let (mut user, mut password, mut token) = (None, None, false);
    loop {
        skip_blanks(&mut chars);
        match chars.peek() {
            None => return Err(format!("the semicolon at the end is missing; {EXPECTED}")),
            Some(';') => {
                chars.next();
                break;
            }
            Some(_) => {}
        }
        let option = word(&mut chars)?;
        skip_blanks(&mut chars);
        if option.is_empty() || chars.next() != Some('=') {
            return Err(format!("an option is not name=\"value\"; {EXPECTED}"));
        }
        let value = word(&mut chars)?;
        match option.as_str() {
            "username" => user = Some(value.to_string()),
            "password" => password = Some(value),
            "tokenauth" => token = value.eq_ignore_ascii_case("true"),
            _ => {}
        }
    }
    skip_blanks(&mut chars);
    if chars.next().is_some() {
        return Err("more than one login module; keep one".to_owned());
    }
    if token && module != LoginModule::Scram {
        return Err(format!("delegation tokens (tokenauth) log in by SCRAM alone; {EXPECTED}"));
    }
    match (user, password) {
        (Some(user), Some(password)) => Ok(Login { module, user, password, token }),
        (None, _) => Err(format!("username is missing; {EXPECTED}")),
        (_, None) => Err(format!("password is missing; {EXPECTED}")),
    }
}

/// A bare or quoted word. Java reads JAAS text with `StreamTokenizer`: both quotes, C escapes inside them.
fn word(chars: &mut Peekable<Chars<'_>>) -> Result<Zeroizing<String>, String> {
    skip_blanks(chars);
    let mut text = Zeroizing::new(String::new());
    if let Some(quote) = chars.next_if(|next| matches!(next, '"' | '\'')) {
        loop {
            match chars.next() {
                None | Some('\n' | '\r') => return Err("a quote is not closed".to_owned()),
                Some(end) if end == quote => return Ok(text),
                Some('\\') => text.push(escaped(chars)?),
                Some(other) => text.push(other),
            }
        }
    }
    while let Some(next) =
        chars.next_if(|next| !next.is_whitespace() && !matches!(next, '=' | ';' | '"' | '\''))
    {
        text.push(next);
    }
    Ok(text)
}

fn escaped(chars: &mut Peekable<Chars<'_>>) -> Result<char, String> {
    Ok(match chars.next() {
        None => return Err("a quote is not closed".to_owned()),
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('f') => '\u{c}',
        Some('b') => '\u{8}',
        Some('a') => '\u{7}',
        Some('v') => '\u{b}',
        Some(first @ '0'..='7') => octal(first, chars),
        Some(other) => other,
    })
}

/// Up to three octal digits, the third only while the value stays below 256.
fn octal(first: char, chars: &mut Peekable<Chars<'_>>) -> char {
    let most = if first <= '3' { 3 } else { 2 };
    let mut value = first.to_digit(8).unwrap_or_default();
    for _ in 1..most {
        let Some(digit) = chars.next_if(|next| next.is_digit(8)).and_then(|next| next.to_digit(8)) else {
            break;
        };
        value = value * 8 + digit;
    }
    char::from_u32(value).unwrap_or('\0')
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|next| next.is_whitespace()).is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

    fn login(options: &str) -> Result<(String, String), String> {
        parse(&format!("{SCRAM} {options}")).map(|login| (login.user, login.password.to_string()))
    }

    #[test]
    fn quoting_is_that_of_java() {
        for (options, user, password) in [
            (r#"required username="alice" password="secret";"#, "alice", "secret"),
            (r#"required password="secret" username="alice" ;"#, "alice", "secret"),
            (r#"required username='a"b' password='x';"#, "a\"b", "x"),
            (r#"required username="a" password="q\"u\\o;t=e s";"#, "a", "q\"u\\o;t=e s"),
            (r#"required username=alice password=secret-1;"#, "alice", "secret-1"),
            ("required\n\tusername = \"a\"\n\tpassword = \"b\"\n;\n", "a", "b"),
            (r#"required username="a" password="\101\n";"#, "a", "A\n"),
        ] {
            assert_eq!(login(options), Ok((user.to_owned(), password.to_owned())), "{options}");
        }
    }

    #[test]
    fn a_delegation_token_is_told_from_a_user() {
        for (option, token) in [("", false), ("tokenauth=\"true\"", true), ("tokenauth=false", false)] {
            let text = format!("{SCRAM} required username=\"id\" password=\"aG1hYw==\" {option};");
            assert_eq!(parse(&text).map(|login| login.token), Ok(token), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (options, says) in [
            ("", "control flag"),
            (r#"required username="a" password="hunter2""#, "semicolon"),
            (r#"required username="a";"#, "password is missing"),
            (r#"required password="hunter2";"#, "username is missing"),
            (r#"required username="a" password="hunter2;"#, "not closed"),
            (r#"required username "hunter2";"#, "name="),
            (r#"required username="a" password="hunter2"; other required;"#, "more than one"),
        ] {
            let error = login(options).unwrap_err();
            assert!(error.contains(says), "{options}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let token = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"id\" \
                     password=\"aG1hYw==\" tokenauth=\"true\";";
        assert!(parse(token).err().unwrap().contains("SCRAM alone"));
        assert!(parse("com.sun.Krb5LoginModule required;").err().unwrap().contains("not supported"));
    }
}
