use std::path::Path;

use schloss_kerberos::Service;
use schloss_pki::TlsVersions;

use super::{ConfigError, Fixture};
use crate::config::{ServeConfig, UnlockWith};

/// Right but for what a test changes.
const GOOD: &str = r#"data_dir = "data"
node_id = 3
super_users = ["User:admin"]

[[listener]]
name = "secure"
bind = ["127.0.0.1:9092", "[::1]:9092"]
advertised_host = "localhost"
tls_certificate = "server.pem"
tls_key = "server.key"

[limits]
max_connections = 500

[log]
durability = "fsync"

[offsets]
retention_ms = 86400000
"#;

fn load(fixture: &Fixture, text: &str) -> Result<ServeConfig, ConfigError> {
    fixture.check("schloss.toml", text, ServeConfig::check)
}

fn error(fixture: &Fixture, text: &str) -> String {
    fixture.words(load(fixture, text))
}

#[test]
fn a_good_file_is_taken_with_its_defaults() {
    let fixture = Fixture::new();
    let config = load(&fixture, GOOD).unwrap();
    assert_eq!(config.node_id, 3);
    assert_eq!(config.common.data_dir, fixture.path("data"));
    assert_eq!(config.common.audit.directory, fixture.path("data/audit"));
    assert_eq!(config.common.limits.max_connections, 500);
    assert_eq!(config.common.limits.max_request_bytes, 100 << 20);
    assert_eq!(config.offsets_retention.as_secs(), 24 * 60 * 60);
    let silent = load(&fixture, &GOOD.replace("retention_ms = 86400000", "")).unwrap();
    assert_eq!(silent.offsets_retention.as_secs(), 7 * 24 * 60 * 60, "a week");
    assert_eq!(config.log.max_partitions, 20_000);
    let [secure] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!((&*secure.listener.advertised_host, secure.advertised_port), ("localhost", 9092));
    assert_eq!(secure.listener.bind.len(), 2);
    assert_eq!(secure.listener.tls.versions, TlsVersions::Both);
}

#[test]
fn delegation_tokens_last_as_in_kafka_unless_told() {
    let fixture = Fixture::new();
    let tokens = load(&fixture, GOOD).unwrap().common.delegation_tokens;
    assert_eq!(tokens, schloss_gate::TokenConfig::default());
    let told = "\n[delegation_tokens]\nenabled = false\nmax_lifetime_ms = 60000\nexpiry_time_ms = 1000\n\
        expiry_check_interval_ms = 5000\n";
    let tokens = load(&fixture, &format!("{GOOD}{told}")).unwrap().common.delegation_tokens;
    let seconds =
        [tokens.max_lifetime, tokens.expiry_time, tokens.expiry_check_interval].map(|time| time.as_secs());
    assert_eq!((tokens.enabled, seconds), (false, [60, 1, 5]));
    let none = format!("{GOOD}\n[delegation_tokens]\nmax_lifetime_ms = 0\n");
    let refused = error(&fixture, &none);
    let expected = "schloss.toml:22: delegation_tokens.max_lifetime_ms: 0 is impossible";
    assert!(refused.starts_with(expected), "{refused}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let fixture = Fixture::new();
    assert_eq!(
        error(&fixture, &GOOD.replace("max_connections = 500", "max_conections = 500")),
        "schloss.toml:13: limits.max_conections: unknown key 'max_conections'; did you mean 'max_connections'?"
    );
    let far = error(&fixture, &format!("zzz = 1\n{GOOD}"));
    assert!(far.starts_with("schloss.toml:1: zzz: unknown key 'zzz'; known here: data_dir, "), "{far}");
}

#[test]
fn a_wrong_type_is_named_with_its_line_and_key() {
    let fixture = Fixture::new();
    let error = error(&fixture, &GOOD.replace("node_id = 3", "node_id = \"three\""));
    assert!(error.starts_with("schloss.toml:2: node_id: invalid type: string \"three\""), "{error}");
}

#[test]
fn impossible_values_are_refused_one_by_one() {
    let fixture = Fixture::new();
    for (from, to, expected) in [
        (
            "max_connections = 500",
            "max_connections = 0",
            "schloss.toml:13: limits.max_connections: 0 is impossible",
        ),
        ("86400000", "59999", "schloss.toml:19: offsets.retention_ms: 59999 is impossible: must be 60000 to"),
        (
            "max_connections = 500",
            "lockout_first_ms = 1000000",
            "schloss.toml:13: limits.lockout_first_ms: is more than lockout_longest_ms, 900000 ms",
        ),
        (
            "max_connections = 500",
            "lockout_principal_failures = 1000001",
            "schloss.toml:13: limits.lockout_principal_failures: 1000001 is impossible",
        ),
        ("\"fsync\"", "\"maybe\"", "schloss.toml:16: log.durability: 'maybe' is neither"),
        (
            "durability = \"fsync\"",
            "max_partitions = 0",
            "schloss.toml:16: log.max_partitions: 0 is impossible",
        ),
        ("127.0.0.1:9092", "localhost", "schloss.toml:7: listener.bind: 'localhost' is not an address"),
        ("[::1]:9092", "[::1]:0", "schloss.toml:7: listener.bind: [::1]:0 has port 0"),
        ("User:admin", "admin", "schloss.toml:3: super_users: 'admin' is not a principal"),
        ("node_id = 3", "node_id = -1", "schloss.toml:2: node_id: must be 0 to"),
        ("server.pem", "nowhere.pem", "schloss.toml:9: listener.tls_certificate: nowhere.pem is no file"),
        (
            "tls_key",
            "tls_versions = [\"1.1\"]\ntls_key",
            "schloss.toml:10: listener.tls_versions: '1.1' is not offered",
        ),
        (
            "tls_key",
            "broker_port_base = 9093\ntls_key",
            "schloss.toml:10: listener.broker_port_base: is a key of 'schloss gateway'",
        ),
        (
            "tls_key",
            "mechanisms = [\"plain\"]\ntls_key",
            "schloss.toml:10: listener.mechanisms: 'plain' is not a mechanism",
        ),
        (
            "tls_key",
            "mechanisms = []\ntls_key",
            "schloss.toml:6: listener.mechanisms: is empty, so only a certificate can say who a client is",
        ),
        (
            "tls_key",
            "client_certificates = \"maybe\"\ntls_key",
            "schloss.toml:10: listener.client_certificates: 'maybe' is none of",
        ),
        (
            "tls_key",
            "client_certificates = \"required\"\ntls_key",
            "schloss.toml:6: listener.client_ca_files: is missing",
        ),
        (
            "tls_key",
            "client_ca_files = [\"server.pem\"]\ntls_key",
            "schloss.toml:10: listener.client_ca_files: has no effect",
        ),
        (
            "tls_key",
            "principal_from = \"uri\"\ntls_key",
            "schloss.toml:10: listener.principal_from: has no effect",
        ),
        (
            "tls_key",
            "client_certificates = \"required\"\nclient_ca_files = [\"nowhere.pem\"]\ntls_key",
            "schloss.toml:11: listener.client_ca_files: nowhere.pem is no file",
        ),
        (
            "tls_key",
            "mechanisms = []\nclient_certificates = \"required\"\nclient_ca_files = [\"server.pem\"]\n\
             principal_mapping_rules = \"RULE:a\"\ntls_key",
            "schloss.toml:13: listener.principal_mapping_rules: rule 1: its parts have to end with a slash",
        ),
        (
            "tls_key",
            "mechanisms = []\nclient_certificates = \"required\"\nclient_ca_files = [\"server.pem\"]\n\
             principal_from = \"san\"\ntls_key",
            "schloss.toml:13: listener.principal_from: 'san' is none of",
        ),
        (
            "tls_key",
            "mechanisms = []\nclient_certificates = \"required\"\nclient_ca_files = [\"server.pem\"]\n\
             max_reauth_ms = 60000\ntls_key",
            "schloss.toml:13: listener.max_reauth_ms: there is no way to authenticate again",
        ),
    ] {
        let error = error(&fixture, &GOOD.replace(from, to));
        assert!(error.starts_with(expected), "{error}");
    }
    let none = GOOD.split("[[listener]]").next().unwrap();
    assert_eq!(
        error(&fixture, none),
        "schloss.toml: listener: is missing; add a [[listener]] section with name, bind and TLS files"
    );
}

#[test]
fn whose_tokens_are_good_is_said_whole() {
    let fixture = Fixture::new();
    let oauth = "[oauth]\nissuer = \"https://idp\"\naudiences = [\"kafka\"]\njwks_url = \"https://idp/jwks\"\n\
        jwks_ca_file = \"server.pem\"\n";
    let with_tokens = GOOD.replace("tls_key", "mechanisms = [\"OAUTHBEARER\"]\ntls_key");
    let good = load(&fixture, &format!("{with_tokens}\n{oauth}")).unwrap().common.oauth.unwrap();
    assert_eq!((good.rules.principal_claim.as_str(), good.rules.algorithms.len()), ("sub", 9));
    let missing = error(&fixture, &with_tokens);
    assert!(
        missing.starts_with("schloss.toml:6: listener.mechanisms: OAUTHBEARER needs an [oauth]"),
        "{missing}"
    );
    for (from, to, expected) in [
        ("[\"kafka\"]", "[]", "oauth.audiences: is empty"),
        ("\"https://idp\"", "\"\"", "oauth.issuer: is empty"),
        (
            "https://idp/jwks",
            "http://idp/jwks",
            "oauth.jwks_url: can't be used: it does not begin with https://",
        ),
        ("server.pem", "nowhere.pem", "oauth.jwks_ca_file: nowhere.pem is no file"),
        ("jwks_url", "jwks_file = \"x\"\njwks_url", "oauth: needs exactly one of jwks_url and jwks_file"),
        ("audiences", "algorithms = [\"HS256\"]\naudiences", "oauth.algorithms: 'HS256' is no algorithm"),
        ("audiences", "algorithms = [\"none\"]\naudiences", "oauth.algorithms: 'none' is no algorithm"),
        ("audiences", "algorithms = []\naudiences", "oauth.algorithms: is empty"),
        ("audiences", "clock_skew_ms = 600001\naudiences", "oauth.clock_skew_ms: 600001 is impossible"),
    ] {
        let error = error(&fixture, &format!("{GOOD}\n{}", oauth.replace(from, to)));
        assert!(error.contains(expected), "{error}");
    }
}

const DIRECTORY: &str = r#"
[directory]
servers = ["ldaps://dc1.example", "ldap://dc2.example"]
ca_file = "server.pem"
bind_dn = "cn=reader,dc=example"
bind_password_file = "ldap.password"
user_base = "ou=people,dc=example"
group_base = "ou=groups,dc=example"
group_filter = "(member={dn})"
"#;

#[test]
fn a_directory_is_said_whole_and_protected_unless_it_is_asked_for_otherwise() {
    let fixture = Fixture::new();
    fixture.write("ldap.password", "secret\n", 0o600);
    let load = |text: &str| load(&fixture, &format!("{GOOD}\n{text}")).unwrap().common.directory.unwrap();
    let good = load(DIRECTORY);
    assert!(!good.is_insecure() && good.ca_file.is_some());
    assert_eq!(good.ldap.groups.unwrap().prefix, "ldap/", "no group of it is taken for a local one");
    assert_eq!(good.ldap.access.service.unwrap().1.expose(), "secret");
    assert!(load(&format!("{DIRECTORY}insecure_plain = true\n")).is_insecure());
    let by_name = DIRECTORY.replace("user_base = \"ou", "user_dn = \"uid={user},ou");
    load(&by_name);
}

#[test]
fn what_is_wrong_with_a_directory_is_said_with_its_key() {
    let fixture = Fixture::new();
    fixture.write("ldap.password", "secret", 0o600);
    fixture.write("open.password", "secret", 0o644);
    fixture.write("empty.password", "\n", 0o600);
    for (from, to, expected) in [
        (
            "ldaps://dc1.example",
            "http://dc1",
            "directory.servers: 'http://dc1' can't be used: it begins neither",
        ),
        ("[\"ldaps://dc1.example\", \"ldap://dc2.example\"]", "[]", "directory.servers: is empty"),
        ("server.pem", "nowhere.pem", "directory.ca_file: nowhere.pem is no file"),
        (
            "ldap.password",
            "open.password",
            "directory.bind_password_file: open.password can be read by others",
        ),
        (
            "ldap.password",
            "empty.password",
            "directory.bind_password_file: name and password of the log-in can't",
        ),
        ("bind_dn", "# ", "directory.bind_password_file: stands without bind_dn"),
        ("bind_password_file", "# ", "directory.bind_dn: needs exactly one of bind_password_file and"),
        ("ou=people,dc=example", "people", "directory.user_base: 'people' is no distinguished name"),
        ("user_base", "# ", "directory: needs user_base, or user_dn"),
        ("user_base", "user_dn = \"uid={user}\"\nuser_base", "directory.user_dn: stands beside user_base"),
        ("user_base", "user_filter = \"(uid=x)\"\nuser_base", "directory.user_filter: it has no {user}"),
        ("(member={dn})", "(member={dn}", "directory.group_filter: it is no filter of RFC 4515"),
        ("(member={dn})", "(member={nobody})", "directory.group_filter: it has no {dn} or {user}"),
        ("group_filter", "# ", "directory.group_base: needs group_filter"),
        ("group_base", "# ", "directory.group_filter: stands without group_base"),
        ("user_base", "max_stale_ms = 1\nuser_base", "directory.max_stale_ms: 1 is impossible"),
        (
            "user_base",
            "groups_for = [\"SCRAM\"]\nuser_base",
            "directory.groups_for: 'SCRAM' is no way to log in",
        ),
        (
            "user_base",
            "user_name_attribute = \"a,b\"\nuser_base",
            "directory.user_name_attribute: 'a,b' is no name",
        ),
        ("user_base", "bind_password = \"x\"\nuser_base", "unknown key 'bind_password'"),
    ] {
        let error = error(&fixture, &format!("{GOOD}\n{}", DIRECTORY.replacen(from, to, 1)));
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn whose_tickets_are_good_is_said_whole() {
    let fixture = Fixture::new();
    fixture.write("kafka.keytab", "", 0o600);
    fixture.write("open.keytab", "", 0o644);
    let kerberos = "[kerberos]\nrealm = \"EXAMPLE.COM\"\nkeytab = \"kafka.keytab\"\n\
        rules = [\"RULE:[1:$1@$0](.*@EXAMPLE.COM)s/@.*//\", \"DEFAULT\"]\n";
    let with_tickets = GOOD.replace("tls_key", "mechanisms = [\"GSSAPI\"]\ntls_key");
    let missing = error(&fixture, &with_tickets);
    assert!(
        missing.starts_with("schloss.toml:6: listener.mechanisms: GSSAPI needs a [kerberos]"),
        "{missing}"
    );
    let loaded = load(&fixture, &format!("{with_tickets}\n{kerberos}"));
    assert_eq!(loaded.is_ok(), schloss_kerberos::IS_BUILT_IN);
    match loaded {
        Ok(config) => {
            let kerberos = config.common.kerberos.unwrap();
            assert_eq!(kerberos.service, Service::Name("kafka".to_owned()));
            assert_eq!(kerberos.rules.apply("alice@EXAMPLE.COM").as_deref(), Ok("alice"));
        }
        Err(error) => {
            assert!(error.to_string().contains("build it with 'cargo build --release --features kerberos'"));
        }
    }
    for (from, to, expected) in [
        ("\"EXAMPLE.COM\"", "\"\"", "kerberos.realm: is empty"),
        ("\"EXAMPLE.COM\"", "\"a@b\"", "kerberos.realm: is no name of a realm"),
        ("kafka.keytab", "nowhere.keytab", "kerberos.keytab: nowhere.keytab can't be read"),
        ("kafka.keytab", "open.keytab", "kerberos.keytab: open.keytab can be read by others (mode 0644)"),
        ("\"DEFAULT\"", "\"RULE:[1:$2]\"", "schloss.toml:24: kerberos.rules: rule 2: "),
        ("keytab", "service_name = \"kafka/host\"\nkeytab", "kerberos.service_name: 'kafka/host' is no name"),
        ("keytab", "principal = \"kafka/host\"\nkeytab", "kerberos.principal: 'kafka/host' is no principal"),
        (
            "keytab",
            "service_name = \"kafka\"\nprincipal = \"kafka/host@R\"\nkeytab",
            "kerberos.principal: stands beside service_name",
        ),
    ] {
        let error = error(&fixture, &format!("{GOOD}\n{}", kerberos.replacen(from, to, 1)));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let fixture = Fixture::new();
    fixture.write("server.key", "", 0o640);
    let error = error(&fixture, GOOD);
    assert!(
        error.contains("listener.tls_key: server.key can be read by others (mode 0640): run 'chmod 600"),
        "{error}"
    );
}

#[test]
fn a_password_in_clear_needs_a_private_file() {
    let fixture = Fixture::new();
    let text = format!("{GOOD}\n[bootstrap]\nuser = \"admin\"\npassword = \"hunter2hunter2\"\n");
    fixture.write("schloss.toml", &text, 0o644);
    let error = error(&fixture, &text);
    assert!(error.contains("bootstrap.password: a password stands here in clear, but"), "{error}");
    assert!(!error.contains("hunter2"), "the error must not repeat the password: {error}");
    fixture.write("schloss.toml", &text, 0o600);
    assert_eq!(load(&fixture, &text).unwrap().common.bootstrap.unwrap().password.expose(), "hunter2hunter2");
}

#[test]
fn a_password_of_a_wrong_type_is_not_repeated() {
    let fixture = Fixture::new();
    for value in ["271828", "[\"271828\"]"] {
        let error = error(&fixture, &format!("{GOOD}\n[bootstrap]\nuser = \"admin\"\npassword = {value}\n"));
        assert!(error.contains("bootstrap.password: is not readable"), "{error}");
        assert!(!error.contains("271828"), "{error}");
    }
}

#[test]
fn passwords_come_from_private_files_and_from_the_environment() {
    let fixture = Fixture::new();
    fixture.write("secret", "from the file\n", 0o600);
    let file = format!("{GOOD}\n[bootstrap]\nuser = \"admin\"\npassword_file = \"secret\"\n");
    assert_eq!(load(&fixture, &file).unwrap().common.bootstrap.unwrap().password.expose(), "from the file");
    fixture.write("secret", "from the file\n", 0o604);
    assert!(error(&fixture, &file).contains("bootstrap.password_file: secret can be read by others"));
    let unset = format!("{GOOD}\n[bootstrap]\nuser = \"admin\"\npassword_env = \"SCHLOSS_TEST_UNSET\"\n");
    assert!(error(&fixture, &unset).contains("environment variable SCHLOSS_TEST_UNSET is not set"));
    let both = format!("{file}password_env = \"X\"\n");
    assert!(error(&fixture, &both).contains("needs exactly one of password_file, password_env and password"));
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let error = ServeConfig::load(Path::new("/nonexistent/schloss.toml")).err().expect("refused").to_string();
    assert!(
        error.contains("/nonexistent/schloss.toml: can't be read") && error.contains("quickstart"),
        "{error}"
    );
}

#[test]
fn what_seals_has_its_place_in_the_data_directory_and_one_means_to_unlock_it() {
    let fixture = Fixture::new();
    let encryption = load(&fixture, GOOD).unwrap().encryption;
    assert_eq!(encryption.keyring, fixture.path("data/keys/keyring"));
    assert!(
        matches!(encryption.unlock, UnlockWith::KeyFile(path) if path == fixture.path("data/keys/keyring.key"))
    );
    assert!(!encryption.insecure_plain);

    fixture.write("phrase", "correct horse\n", 0o600);
    let with = |lines: &str| format!("{GOOD}\n[encryption]\n{lines}\n");
    let own = load(&fixture, &with("keyring = \"ring\"\npassphrase_file = \"phrase\"")).unwrap().encryption;
    assert_eq!(own.keyring, fixture.path("ring"));
    assert!(matches!(own.unlock, UnlockWith::Passphrase(phrase) if *phrase == "correct horse"));

    let both = with("key_file = \"k\"\npassphrase_file = \"phrase\"");
    assert!(error(&fixture, &both).contains("by a passphrase or by key_file, not by both"));
    fixture.write("phrase", "\n", 0o600);
    assert!(error(&fixture, &with("passphrase_file = \"phrase\"")).contains("the passphrase is empty"));
    fixture.write("phrase", "x", 0o644);
    assert!(error(&fixture, &with("passphrase_file = \"phrase\"")).contains("run 'chmod 600"));
    assert!(
        error(&fixture, &with("passphrase_env = \"SCHLOSS_NOT_SET\"")).contains("SCHLOSS_NOT_SET is not set")
    );
    assert!(load(&fixture, &with("insecure_plain = true")).unwrap().encryption.insecure_plain);
}
