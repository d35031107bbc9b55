use std::path::Path;

use schloss_gateway::{Addressing, Identity};
use schloss_pki::TlsVersions;

use super::{ConfigError, Fixture};
use crate::config::{AnyConfig, GatewayConfig};

/// Right but for what a test changes.
const GOOD: &str = r#"data_dir = "."
super_users = ["User:admin"]
insecure_observe_only = true

[upstream]
client_file = "upstream.properties"
identity = "impersonate"
refresh_interval_ms = 1000

[state]
topic = "__schloss_other"
key_file = "state.key"

[[listener]]
name = "secure"
bind = ["127.0.0.1:9092", "[::1]:9092"]
advertised_host = "localhost"
broker_port_base = 9093
tls_certificate = "server.pem"
tls_key = "server.key"
tls_versions = ["1.3"]

[limits]
max_connections = 500
"#;

const UPSTREAM: &str = "bootstrap.servers=kafka-1:9093\n\
    security.protocol=SASL_SSL\n\
    sasl.mechanism=SCRAM-SHA-512\n\
    sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"gateway\" \
    password=\"hunter2hunter2\";\n\
    ssl.truststore.type=PEM\n\
    ssl.truststore.location=ca.pem\n";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let ca = schloss_pki::Authority::generate("test", time::Duration::DAY).unwrap();
    fixture.write("ca.pem", ca.cert_pem(), 0o644);
    fixture.write("upstream.properties", UPSTREAM, 0o600);
    fixture.write("state.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0o600);
    fixture
}

fn load(fixture: &Fixture, text: &str) -> Result<GatewayConfig, ConfigError> {
    fixture.check("gateway.toml", text, GatewayConfig::check)
}

fn error(fixture: &Fixture, text: &str) -> String {
    fixture.words(load(fixture, text))
}

#[test]
fn a_good_file_is_taken() {
    let fixture = fixture();
    let config = load(&fixture, GOOD).unwrap();
    assert!(config.insecure_observe_only);
    assert_eq!(config.upstream.client.bootstrap, ["kafka-1:9093"]);
    assert_eq!(config.upstream.client.user(), Some("gateway"));
    assert_eq!(config.upstream.identity, Identity::Impersonate);
    assert_eq!(config.upstream.refresh_interval.as_millis(), 1000);
    assert_eq!(config.state.topic, "__schloss_other");
    let [secure] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!(secure.addressing.address(2), Some(("localhost".to_owned(), 9095)));
    assert_eq!(secure.listener.tls.versions, TlsVersions::Only13);
    assert_eq!(config.common.limits.max_connections, 500);
    assert_eq!(config.common.audit.directory, fixture.path("./audit"));
}

#[test]
fn what_is_left_out_has_the_safe_default() {
    let fixture = fixture();
    let mut text = GOOD.to_owned();
    for line in [
        "insecure_observe_only = true\n",
        "identity = \"impersonate\"\n",
        "refresh_interval_ms = 1000\n",
        "topic = \"__schloss_other\"\n",
    ] {
        text = text.replace(line, "");
    }
    let config = load(&fixture, &text).unwrap();
    assert!(!config.insecure_observe_only);
    assert_eq!(config.upstream.identity, Identity::Service);
    assert_eq!(config.upstream.refresh_interval.as_secs(), 5);
    assert_eq!(config.state.topic, "__schloss_metadata");
    assert_eq!(config.state.max_age.as_secs(), 300);
}

#[test]
fn addresses_here_stand_in_for_those_of_the_client_file() {
    let fixture = fixture();
    fixture.write("upstream.properties", UPSTREAM.split_once('\n').unwrap().1, 0o600);
    let given = GOOD.replace("identity =", "bootstrap = [\"kafka-2:9093\", \"kafka-3:9093\"]\nidentity =");
    assert_eq!(load(&fixture, &given).unwrap().upstream.client.bootstrap, ["kafka-2:9093", "kafka-3:9093"]);
    let missing = error(&fixture, GOOD);
    assert!(
        missing.starts_with(
            "gateway.toml:6: upstream.client_file: upstream.properties: bootstrap.servers: missing"
        ),
        "{missing}"
    );
    let wrong = error(&fixture, &given.replace("kafka-3:9093", "kafka-3"));
    assert!(wrong.starts_with("gateway.toml:7: upstream.bootstrap: 'kafka-3' is not host:port"), "{wrong}");
}

#[test]
fn brokers_have_names_or_ports() {
    let fixture = fixture();
    let names = GOOD.replace("broker_port_base = 9093", "broker_names = \"broker-{id}.kafka.example.com\"");
    assert_eq!(
        load(&fixture, &names).unwrap().listeners[0].addressing,
        Addressing::names("broker-{id}.kafka.example.com", 9092).unwrap()
    );
    for (from, to, expected) in [
        (
            "broker_port_base = 9093\n",
            "",
            "gateway.toml:17: listener.broker_port_base: is missing, and so is",
        ),
        (
            "broker_port_base = 9093",
            "broker_port_base = 9093\nbroker_names = \"b-{id}\"",
            "gateway.toml:19: listener.broker_names: stands beside broker_port_base",
        ),
        (
            "broker_port_base = 9093",
            "broker_names = \"kafka.example.com\"",
            "gateway.toml:18: listener.broker_names: 'kafka.example.com' must hold {id} once",
        ),
        (
            "broker_port_base = 9093",
            "broker_port_base = 9092",
            "gateway.toml:18: listener.broker_port_base: 9092 is the port of 127.0.0.1:9092, which would be broker 0's; \
             use 9093 or more",
        ),
        (
            "[::1]:9092",
            "[::1]:9100",
            "gateway.toml:18: listener.broker_port_base: ports from 9093 on are those of brokers, and [::1]:9100 among \
             them would be broker 7's; use 9101 or more",
        ),
        (
            "broker_port_base = 9093",
            "advertised_port = 9092\nbroker_port_base = 9093",
            "gateway.toml:18: listener.advertised_port: is a key of 'schloss serve'",
        ),
    ] {
        let error = error(&fixture, &GOOD.replace(from, to));
        assert!(error.starts_with(expected), "{error}");
    }
    let two_ports = error(&fixture, &names.replace("[::1]:9092", "[::1]:9093"));
    assert!(two_ports.contains("clients are told one port, but [::1]:9093"), "{two_ports}");
}

#[test]
fn two_listeners_can_not_share_the_ports_of_brokers() {
    let fixture = fixture();
    let (before, listener) = GOOD.split_once("[[listener]]").unwrap();
    let listener = listener.split_once("[limits]").unwrap().0;
    let other = listener.replace("secure", "other").replace(":9092", ":9091");
    let error = error(&fixture, &format!("{before}[[listener]]{listener}[[listener]]{other}"));
    assert!(error.contains("broker_port_base: 9093 is that of listener 'secure' too"), "{error}");
}

#[test]
fn impossible_values_are_refused_one_by_one() {
    let fixture = fixture();
    for (from, to, expected) in [
        ("\"impersonate\"", "\"root\"", "gateway.toml:7: upstream.identity: 'root' is neither"),
        ("= 1000", "= 10", "gateway.toml:8: upstream.refresh_interval_ms: 10 is impossible"),
        (
            "\"__schloss_other\"",
            "\"users\"",
            "gateway.toml:11: state.topic: 'users' would be seen by clients",
        ),
        (
            "key_file = \"state.key\"",
            "key_file = \"state.key\"\nmax_age_ms = 0",
            "gateway.toml:13: state.max_age_ms: 0 is impossible",
        ),
        ("\"__schloss_other\"", "\"__schloss_ä\"", "gateway.toml:11: state.topic: "),
        (
            "identity",
            "identiti",
            "gateway.toml:7: upstream.identiti: unknown key 'identiti'; did you mean 'identity'?",
        ),
        (
            "[state]\ntopic = \"__schloss_other\"\nkey_file = \"state.key\"",
            "",
            "gateway.toml: state: is missing; add",
        ),
    ] {
        let error = error(&fixture, &GOOD.replace(from, to));
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn the_client_file_is_checked_with_the_configuration() {
    let fixture = fixture();
    fixture.write("upstream.properties", UPSTREAM, 0o640);
    let open = error(&fixture, GOOD);
    assert!(open.starts_with("gateway.toml:6: upstream.client_file: upstream.properties"), "{open}");
    assert!(open.contains("chmod 600") && !open.contains("hunter2"), "{open}");
    let gone = error(&fixture, &GOOD.replace("upstream.properties", "nowhere.properties"));
    assert!(gone.starts_with("gateway.toml:6: upstream.client_file: nowhere.properties"), "{gone}");
}

#[test]
fn plain_text_upstream_has_to_be_accepted_in_words() {
    let fixture = fixture();
    fixture.write("upstream.properties", "bootstrap.servers=a:1\nsecurity.protocol=PLAINTEXT\n", 0o600);
    let refused = error(&fixture, GOOD);
    assert!(
        refused.starts_with("gateway.toml:6: upstream.client_file: upstream.properties says plain text"),
        "{refused}"
    );
    let accepted = GOOD.replace("[state]", "insecure_plaintext = true\n[state]");
    assert!(load(&fixture, &accepted).is_ok());
}

#[test]
fn a_missing_or_open_key_says_how_to_get_it_right() {
    let fixture = fixture();
    let gone = error(&fixture, &GOOD.replace("state.key", "nowhere.key"));
    assert!(
        gone.starts_with("gateway.toml:12: state.key_file: nowhere.key is not there; copy the key file"),
        "{gone}"
    );
    fixture.write("state.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0o644);
    let open = error(&fixture, GOOD);
    assert!(open.starts_with("gateway.toml:12: state.key_file: ") && open.contains("chmod 600"), "{open}");
    fixture.write("state.key", "too short\n", 0o600);
    assert!(error(&fixture, GOOD).contains("does not hold 32 bytes"));
}

#[test]
fn a_file_is_told_by_its_upstream() {
    let fixture = fixture();
    fixture.write("gateway.toml", GOOD, 0o600);
    assert!(matches!(AnyConfig::load(&fixture.path("gateway.toml")), Ok(AnyConfig::Gateway(_))));
    let serve = AnyConfig::load(Path::new("/nonexistent/schloss.toml")).err().unwrap().to_string();
    assert!(serve.contains("can't be read"), "{serve}");
}
