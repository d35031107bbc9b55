//! `host:port`.

/// Parts an address into host and port. An IPv6 address stands in brackets: `[::1]:9092`.
///
/// # Errors
/// It is no such address; the text says what is expected.
pub(crate) fn split_address(address: &str) -> Result<(&str, u16), String> {
    let malformed = || format!("'{address}' is not host:port, such as localhost:9092");
    let (host, port) = address.rsplit_once(':').ok_or_else(malformed)?;
    let bare = match host.strip_prefix('[') {
        Some(opened) => opened.strip_suffix(']').ok_or_else(malformed)?,
        None if host.contains(':') => {
            return Err(format!("'{address}': write an IPv6 address as [::1]:9092"));
        }
        None => host,
    };
    let port: u16 = port.parse().map_err(|_| malformed())?;
    if bare.is_empty() || port == 0 || bare.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(malformed());
    }
    Ok((bare, port))
}

/// The address of a host and port that a broker advertises.
pub(crate) fn join_address(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_both_kinds_of_ip_are_addresses() {
        assert_eq!(split_address("localhost:9092"), Ok(("localhost", 9092)));
        assert_eq!(split_address("127.0.0.1:1"), Ok(("127.0.0.1", 1)));
        assert_eq!(split_address("[::1]:9092"), Ok(("::1", 9092)));
        assert_eq!(join_address("::1", 9092), "[::1]:9092");
        assert_eq!(join_address("a", 9092), "a:9092");
    }

    #[test]
    fn everything_else_is_refused() {
        for address in
            ["", "a", ":9092", "a:", "a:0", "a:65536", "a:x", "::1:9092", "[::1:9092", "a b:1", "a\n:1"]
        {
            assert!(split_address(address).is_err(), "{address}");
        }
    }
}
