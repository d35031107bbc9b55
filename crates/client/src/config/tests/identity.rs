//! Client certificates, TLS versions and delegation tokens in client files.

use schloss_pki::{Authority, Issued};

use super::*;
use crate::tls::Tls;

const MTLS: &str = "bootstrap.servers=a:1\nsecurity.protocol=SSL\nssl.ca.location=ca.pem\n";

fn issued() -> Issued {
    let authority = Authority::generate("CA", time::Duration::DAY).unwrap();
    authority.issue_client("gateway", time::Duration::DAY).unwrap()
}

/// A home with `client.pem`, `key.pem`, and both in `both.pem`.
fn home() -> (Home, Issued) {
    let (home, client) = (Home::new(), issued());
    home.file("client.pem", &client.cert_pem);
    home.file("key.pem", &client.key_pem);
    home.file("both.pem", &format!("{}{}", *client.key_pem, client.cert_pem));
    (home, client)
}

fn tls(config: ClientConfig) -> Tls {
    match config.security {
        Security::Tls(tls) => tls,
        Security::Plaintext => panic!("plain text"),
    }
}

fn open(home: &Home, name: &str, mode: u32) {
    let path = home.directory.path().join(name);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn every_kind_of_file_may_name_a_client_certificate() {
    let (home, client) = home();
    let java_line = |pem: &str| pem.trim_end().replace('\n', " \\\n  ");
    let rdkafka_line = |pem: &str| pem.replace('\n', "\\n");
    for (name, text) in [
        ("store.properties", format!("{MTLS}ssl.keystore.type=PEM\nssl.keystore.location=both.pem\n")),
        (
            "inline.properties",
            format!(
                "{MTLS}ssl.keystore.type=PEM\nssl.keystore.certificate.chain={}\nssl.keystore.key={}\n",
                java_line(&client.cert_pem),
                java_line(&client.key_pem)
            ),
        ),
        ("files.conf", format!("{MTLS}ssl.certificate.location=client.pem\nssl.key.location=key.pem\n")),
        (
            "inline.conf",
            format!(
                "{MTLS}ssl.certificate.pem={}\nssl.key.pem={}\n",
                rdkafka_line(&client.cert_pem),
                rdkafka_line(&client.key_pem)
            ),
        ),
        ("mixed.conf", format!("{MTLS}ssl.certificate.location=client.pem\nssl.key.location=both.pem\n")),
        (
            "files.json",
            r#"{"bootstrap":"a:1","ca":"ca.pem","certificate":"client.pem","key":"key.pem"}"#.to_owned(),
        ),
    ] {
        let config = home.read(name, &text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(config.sasl.is_none(), "{name}");
        assert!(tls(config).has_identity(), "{name}");
    }
    assert!(!tls(home.read("none.conf", MTLS).unwrap()).has_identity());
}

#[test]
fn a_certificate_goes_along_with_sasl() {
    let (home, _) = home();
    let config = home.read("a.properties", &format!("{JAVA}ssl.keystore.location=both.pem\n")).unwrap();
    assert_alice(&config);
    assert!(tls(config).has_identity());
}

#[test]
fn a_private_key_that_others_can_read_is_refused_with_the_command_that_helps() {
    let (home, client) = home();
    open(&home, "client.pem", 0o644);
    let conf = format!("{MTLS}ssl.certificate.location=client.pem\nssl.key.location=key.pem\n");
    assert!(home.read("a.conf", &conf).is_ok(), "a certificate is no secret");
    for mode in [0o640, 0o604] {
        open(&home, "key.pem", mode);
        let key = home.directory.path().join("key.pem");
        let json = r#"{"bootstrap":"a:1","ca":"ca.pem","certificate":"client.pem","key":"key.pem"}"#;
        for (name, text, says) in
            [("a.conf", conf.as_str(), "a.conf:5: ssl.key.location: "), ("a.json", json, "a.json: key: ")]
        {
            let error = home.read(name, text).err().unwrap();
            assert!(error.contains(says), "{error}");
            assert!(error.contains(&format!(
                "holds a private key and is open to other users (mode bits {:03o}",
                mode & 0o77
            )));
            assert!(error.ends_with(&format!("chmod 600 {}", key.display())), "{error}");
        }
    }
    open(&home, "both.pem", 0o644);
    let error = home.read("a.properties", &format!("{MTLS}ssl.keystore.location=both.pem\n")).err().unwrap();
    assert!(error.contains("ssl.keystore.location") && error.contains("both.pem"), "{error}");

    let inline = format!(
        "{MTLS}ssl.certificate.location=client.pem\nssl.key.pem={}\n",
        client.key_pem.replace('\n', "\\n")
    );
    let path = home.file("inline.conf", &inline);
    open(&home, "inline.conf", 0o644);
    let error = ClientConfig::from_file(&path).err().unwrap().to_string();
    assert!(error.contains("a private key") && error.contains("inline.conf"), "{error}");
}

#[test]
fn what_is_wrong_with_a_client_certificate_is_said_at_its_place() {
    let (home, client) = home();
    home.file("other-key.pem", &issued().key_pem);
    home.file("locked.pem", &client.key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    home.file("damaged.pem", "-----BEGIN PRIVATE KEY-----\nhunter2\n");
    std::fs::write(home.directory.path().join("store.jks"), [0xfe, 0xed, 0xfe, 0xed]).unwrap();
    let encrypted = "openssl pkey";
    for (name, lines, says) in [
        ("a.conf", "ssl.certificate.location=client.pem", "no private key with it"),
        ("a.conf", "ssl.key.location=key.pem", "no certificate with it"),
        ("a.conf", "ssl.key.location=key.pem\nssl.key.pem=hunter2", "also given by ssl.key.location"),
        (
            "a.conf",
            "ssl.certificate.location=client.pem\nssl.key.location=other-key.pem",
            "a.conf:5: ssl.key.location: the private key does not match",
        ),
        ("a.conf", "ssl.certificate.location=client.pem\nssl.key.location=locked.pem", encrypted),
        (
            "a.conf",
            "ssl.certificate.location=client.pem\nssl.key.location=damaged.pem",
            "a.conf:5: ssl.key.location: the PEM text is broken",
        ),
        (
            "a.conf",
            "ssl.certificate.location=key.pem\nssl.key.location=key.pem",
            "a.conf:4: ssl.certificate.location: no certificate found",
        ),
        ("a.conf", "ssl.key.password=hunter2", encrypted),
        ("a.conf", "ssl.keystore.location=store.p12", "ssl.certificate.location"),
        ("a.properties", "ssl.keystore.password=hunter2", encrypted),
        ("a.properties", "ssl.keystore.type=JKS\nssl.keystore.location=both.pem", "openssl pkcs12"),
        ("a.properties", "ssl.keystore.location=store.jks", "openssl pkcs12"),
        ("a.properties", "ssl.truststore.location=store.jks", "keytool -exportcert"),
        ("a.properties", "ssl.keystore.location=client.pem", "no private key found"),
        ("a.properties", "ssl.certificate.location=client.pem", "name the file .conf"),
        ("a.properties", "ssl.key.location=key.pem", "name the file .conf"),
    ] {
        let error = home.read(name, &format!("{MTLS}{lines}\n")).err().expect(lines);
        assert!(error.contains(says), "{lines}: {error}");
        assert!(error.contains(&format!("{name}:")) && error.contains("ssl."), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    for (fields, says) in [
        (r#""certificate":"client.pem""#, "go together"),
        (r#""certificate":"client.pem","key":"other-key.pem""#, "key: the private key does not match"),
        (r#""certificate":"client.pem","key":"gone.pem""#, "key: no file at gone.pem"),
        (r#""tls_versions":["SSLv3"]"#, "tls_versions: SSLv3 is not offered"),
        (r#""tls_versions":[]"#, "tls_versions: holds no version"),
    ] {
        let error =
            home.read("a.json", &format!(r#"{{"bootstrap":"a:1","ca":"ca.pem",{fields}}}"#)).err().unwrap();
        assert!(error.contains(says), "{fields}: {error}");
    }
}

#[test]
fn the_versions_of_tls_are_those_named() {
    let home = Home::new();
    for (names, versions) in [
        ("TLSv1.2,TLSv1.3", TlsVersions::Both),
        ("TLSv1.3", TlsVersions::Only13),
        (" TLSv1.2 ", TlsVersions::Only12),
    ] {
        let java = home.read("a.properties", &format!("{MTLS}ssl.enabled.protocols={names}\n")).unwrap();
        let list = names.replace(',', "\",\"");
        let json = format!(r#"{{"bootstrap":"a:1","ca":"ca.pem","tls_versions":["{list}"]}}"#);
        for config in [java, home.read("a.json", &json).unwrap()] {
            assert_eq!(tls(config).versions(), versions, "{names}");
        }
    }
}

#[test]
fn a_delegation_token_is_read_from_a_java_file() {
    let home = Home::new();
    let text = JAVA.replace("password=\"s3cret\"", "password=\"aG1hYw==\" tokenauth=\"true\"");
    let sasl = home.read("a.properties", &text).unwrap().sasl.unwrap();
    assert!(sasl.token);
    assert_eq!((sasl.user.as_str(), sasl.password.expose()), ("alice", "aG1hYw=="));
    assert!(!home.read("b.properties", JAVA).unwrap().sasl.unwrap().token);
}

#[test]
fn a_configuration_for_another_address_or_token_keeps_the_rest() {
    let (home, _) = home();
    let mut service = home.read("a.properties", &format!("{JAVA}ssl.keystore.location=both.pem\n")).unwrap();
    service.request_timeout = Duration::from_millis(1234);
    let hmac = Password::new("aG1hYw==".to_owned());
    let token = service
        .with_token("id", hmac, Mechanism::ScramSha256)
        .with_bootstrap(vec!["b:2".to_owned()])
        .with_client_id("of bob");
    let sasl = token.sasl.as_ref().unwrap();
    assert_eq!((sasl.user.as_str(), sasl.token), ("id", true));
    assert_eq!(sasl.mechanism, SaslMechanism::Scram(Mechanism::ScramSha256));
    assert_eq!((token.bootstrap.as_slice(), token.client_id.as_str()), (&["b:2".to_owned()][..], "of bob"));
    assert_eq!(token.request_timeout, service.request_timeout);
    assert!(tls(token).has_identity());
    assert_alice(&service);
}
