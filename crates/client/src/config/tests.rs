mod identity;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use schloss_pki::TlsVersions;
use tempfile::TempDir;

use super::*;

/// A CA certificate; only its being one matters.
fn ca_pem() -> String {
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

struct Home {
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), ca_pem()).unwrap();
        Self { directory }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn read(&self, name: &str, text: &str) -> Result<ClientConfig, String> {
        ClientConfig::from_file(self.file(name, text)).map_err(|error| error.to_string())
    }
}

const JAVA: &str = r#"bootstrap.servers=localhost:9092
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
  username="alice" \
  password="s3cret";
ssl.truststore.type=PEM
ssl.truststore.location=ca.pem
"#;

fn assert_alice(config: &ClientConfig) {
    assert_eq!(config.bootstrap, ["localhost:9092"]);
    assert!(matches!(&config.security, Security::Tls(tls) if tls.trusted().ends_with("ca.pem")));
    let sasl = config.sasl.as_ref().unwrap();
    assert_eq!((sasl.mechanism.name(), sasl.user.as_str()), ("SCRAM-SHA-512", "alice"));
    assert_eq!(sasl.password.expose(), "s3cret");
}

#[test]
fn the_three_kinds_of_files_say_the_same() {
    let home = Home::new();
    assert_alice(&home.read("alice.properties", JAVA).unwrap());
    assert_alice(
        &home
            .read(
                "alice.conf",
                "bootstrap.servers=localhost:9092\nsecurity.protocol=sasl_ssl\nsasl.mechanisms=SCRAM-SHA-512\n\
                 sasl.username=alice\nsasl.password=s3cret\nssl.ca.location=ca.pem\n",
            )
            .unwrap(),
    );
    assert_alice(
        &home
            .read(
                "alice.json",
                r#"{"bootstrap":"localhost:9092","user":"alice","password":"s3cret","ca":"ca.pem"}"#,
            )
            .unwrap(),
    );
}

#[test]
fn a_file_with_a_password_that_others_can_read_is_refused_with_the_command_that_helps() {
    let home = Home::new();
    let path = home.file("alice.properties", JAVA);
    for mode in [0o640, 0o604, 0o660, 0o644] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = ClientConfig::from_file(&path).err().unwrap();
        assert_eq!(error.class(), crate::ErrorClass::Usage);
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
    let open = home.file(
        "open.properties",
        "bootstrap.servers=a:1\nsecurity.protocol=SSL\nssl.truststore.location=ca.pem\n",
    );
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(ClientConfig::from_file(&open).is_ok(), "a file without a secret may be open");
}

#[test]
fn settings_that_would_weaken_security_are_errors_with_file_line_and_key() {
    let home = Home::new();
    for (line, says) in [
        ("ssl.endpoint.identification.algorithm=", "server's name off"),
        ("enable.ssl.certificate.verification=false", "certificate off"),
        ("ssl.truststore.type=JKS", "keytool"),
        ("ssl.truststore.type=PKCS12", "keytool"),
        ("ssl.keystore.location=/x", "no file at /x"),
        ("ssl.cipher.suites=TLS_RSA_WITH_NULL_MD5", "can't be followed"),
        ("ssl.enabled.protocols=TLSv1.1,TLSv1.2", "TLSv1.1 is not offered"),
        ("ssl.engine.factory.class=x.Y", "can't be followed"),
        ("sasl.client.callback.handler.class=x.Y", "can't be followed"),
        ("sasl.mechanism=GSSAPI", "SCRAM-SHA-512"),
        ("sasl.mechanism=OAUTHBEARER", "SCRAM-SHA-512"),
        ("sasl.mechanism=PLAIN", "login module"),
        ("security.protocol=SSL_TYPO", "SASL_SSL"),
        ("security.providers=x.Y", "can't be followed"),
        ("config.providers=file", "can't be followed"),
        ("sasl.username=bob", "librdkafka"),
        ("ssl.truststore.location=gone.pem", "no file at gone.pem"),
        ("bootstrap.servers=localhost", "host:port"),
        ("sasl.jaas.config=x.Y required;", "login module"),
    ] {
        let error = home.read("bad.properties", &format!("{JAVA}{line}\n")).err().expect(line);
        assert!(error.contains(says), "{line}: {error}");
        let key = line.split('=').next().unwrap();
        assert!(
            error.contains("bad.properties:9: ") && error.contains(key) || key == "sasl.mechanism",
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn tuning_keys_of_other_clients_are_ignored() {
    let home = Home::new();
    let extra = "acks=all\nlinger.ms=5\ngroup.id=g\nauto.offset.reset=earliest\nclient.id=me\n\
                 ssl.endpoint.identification.algorithm=HTTPS\nsasl.kerberos.service.name=kafka\n\
                 ssl.enabled.protocols=TLSv1.3\nssl.protocol=TLSv1.3\n";
    let config = home.read("a.properties", &format!("{JAVA}{extra}")).unwrap();
    assert_eq!(config.client_id, "me");
    assert!(matches!(config.security, Security::Tls(tls) if tls.versions() == TlsVersions::Only13));
}

#[test]
fn missing_settings_are_named() {
    let home = Home::new();
    for (text, says) in [
        ("", "bootstrap.servers"),
        ("bootstrap.servers=a:1", "security.protocol: missing, which means plain text"),
        (
            "bootstrap.servers=a:1\nsecurity.protocol=SASL_SSL\nssl.truststore.location=ca.pem",
            "sasl.mechanism",
        ),
        (
            "bootstrap.servers=a:1\nsecurity.protocol=SASL_SSL\nssl.truststore.location=ca.pem\n\
             sasl.mechanism=SCRAM-SHA-256",
            "sasl.jaas.config",
        ),
        ("bootstrap.servers=,\nsecurity.protocol=SSL", "holds no address"),
    ] {
        let error = home.read("a.properties", text).err().expect(text);
        assert!(error.contains(says), "{text}: {error}");
    }
    for (text, says) in [
        ("{}", "bootstrap"),
        (r#"{"bootstrap":"a:1","ca":"ca.pem","user":"u"}"#, "go together"),
        (r#"{"bootstrap":"a:1","ca":"ca.pem","pasword":"hunter2"}"#, "pasword"),
        (r#"{"bootstrap":"a:1","ca":"ca.pem","user":"u","password":"p","mechanism":"X"}"#, "mechanism"),
        ("nonsense", "expected"),
    ] {
        let error = home.read("a.json", text).err().expect(text);
        assert!(error.contains(says), "{text}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn plain_passwords_do_not_go_over_plain_text_unless_spelled_out() {
    let home = Home::new();
    let text = "bootstrap.servers=a:1\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
                sasl.username=u\nsasl.password=p\n";
    let path = home.file("a.conf", text);
    let error = ClientConfig::from_file(&path).err().unwrap().to_string();
    assert!(error.contains("a.conf:2: security.protocol: PLAIN without TLS"), "{error}");
    assert!(ClientConfig::from_file_with(&path, Insecure::Allow).is_ok());
}

#[test]
fn inline_certificates_are_read() {
    let home = Home::new();
    let one_line = ca_pem().trim_end().replace('\n', " \\\n");
    let text =
        JAVA.replace("ssl.truststore.location=ca.pem", &format!("ssl.truststore.certificates={one_line}"));
    let config = home.read("a.properties", &text).unwrap();
    assert!(matches!(config.security, Security::Tls(_)));
}

#[test]
fn hostile_files_are_refused() {
    let home = Home::new();
    for (name, text, says) in [
        ("a.properties", "a=\\u12\n".to_owned(), "malformed \\u escape"),
        ("a.properties", "x=1\n".repeat(20_000), "more than"),
        ("a.conf", "hunter2\n".to_owned(), "not key=value"),
        ("a.json", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "expected"),
        ("a.properties", "x".repeat(3 << 20), "is over"),
    ] {
        let error = home.read(name, &text).err().unwrap();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let binary = home.file("b.properties", "");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    assert!(ClientConfig::from_file(&binary).is_err());
    let error =
        ClientConfig::from_file(home.directory.path().join("gone.properties")).err().unwrap().to_string();
    assert!(error.contains("gone.properties: cannot read it"), "{error}");
}

#[test]
fn addresses_from_outside_stand_in_for_those_of_the_file() {
    let home = Home::new();
    let without = JAVA.split_once('\n').unwrap().1;
    let file = home.file("tools.properties", without);
    let missing = ClientConfig::from_file(&file).err().unwrap().to_string();
    assert!(missing.contains("bootstrap.servers: missing"), "{missing}");
    let given = ["one:1".to_owned(), "[::1]:2".to_owned()];
    for file in [file, home.file("whole.properties", JAVA)] {
        assert_eq!(ClientConfig::from_file_for(file, &given).unwrap().bootstrap, given);
    }
    let json = home.file("a.json", r#"{"user": "alice", "password": "s3cret", "ca": "ca.pem"}"#);
    assert_eq!(ClientConfig::from_file_for(&json, &given).unwrap().bootstrap, given);
    let missing = ClientConfig::from_file(&json).err().unwrap().to_string();
    assert!(missing.contains("bootstrap: missing"), "{missing}");
    let wrong = ClientConfig::from_file_for(json, &["one".to_owned()]).err().unwrap().to_string();
    assert!(wrong.contains("'one' is not host:port"), "{wrong}");
}
