//! What a connection makes of servers that are good, bad and no Kafka at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod fake;

use std::sync::Arc;
use std::time::Duration;

use fake::scram::{PASSWORD, Sasl, Twist, as_alice};
use fake::{Act, Fake, after_versions, versions};
use schloss_client::{
    ClientConfig, ClientError, Connection, ErrorClass, SaslMechanism, Security, TlsProblem, TlsVersions,
    Trust,
};
use schloss_identity::{Mechanism, Password};
use schloss_wire::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use schloss_wire::messages::{
    ApiVersionsResponse, DescribeClusterRequest, ListGroupsRequest, ListGroupsResponse, MetadataRequest,
    MetadataResponse, SaslAuthenticateResponse, SaslHandshakeResponse,
};
use schloss_wire::{Api, Request, Response, StrBytes, build};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn connect(config: &ClientConfig) -> Result<Connection, ClientError> {
    Connection::connect(config, &config.bootstrap[0]).await
}

async fn refused(config: &ClientConfig) -> ClientError {
    connect(config).await.err().expect("must be refused")
}

#[tokio::test]
async fn a_server_that_does_not_know_our_api_versions_is_asked_again_as_it_says() {
    let server = Fake::plain(|| {
        Box::new(|asked| {
            if asked.head.api_version <= 2 {
                return Act::Answer(versions(|_| Some(2)));
            }
            let range =
                build!(ApiVersion { api_key: Api::ApiVersions.key(), min_version: 0, max_version: 2 });
            let answer: Response =
                build!(ApiVersionsResponse { error_code: 35, api_keys: vec![range] }).into();
            Act::AnswerAt(answer, 0)
        })
    })
    .await;
    let connection = connect(&server.config()).await.unwrap();
    assert_eq!(server.asked(), [(18, 3), (18, 2)]);
    assert_eq!(connection.version::<MetadataRequest>(i16::MAX).unwrap(), 2);
}

#[tokio::test]
async fn an_old_server_that_gives_no_range_is_asked_at_version_0() {
    let server = Fake::plain(|| {
        Box::new(|asked| match asked.head.api_version {
            0 => Act::Answer(versions(|_| Some(1))),
            _ => Act::AnswerAt(build!(ApiVersionsResponse { error_code: 35 }).into(), 0),
        })
    })
    .await;
    connect(&server.config()).await.unwrap();
    assert_eq!(server.asked(), [(18, 3), (18, 0)]);
}

#[tokio::test]
async fn an_api_that_the_server_lacks_is_named() {
    let server = Fake::plain(|| {
        Box::new(|_| Act::Answer(versions(|api| (api != Api::DescribeCluster).then_some(i16::MAX))))
    })
    .await;
    let mut connection = connect(&server.config()).await.unwrap();
    let error = connection.call(&DescribeClusterRequest::default()).await.unwrap_err();
    assert!(error.to_string().contains("does not support DescribeCluster"), "{error}");
}

fn sasl_server(twist: Twist) -> impl Fn() -> fake::Script + Send + 'static {
    move || {
        let mut sasl = Sasl::new(twist);
        after_versions(move |asked| sasl.answer(asked).unwrap_or(Act::Close))
    }
}

#[tokio::test]
async fn scram_succeeds_and_versions_are_asked_again_after_it() {
    let server = Fake::plain(sasl_server(|reply| reply)).await;
    let connection = connect(&as_alice(server.config(), PASSWORD)).await.unwrap();
    assert_eq!(connection.user(), Some("alice"));
    let apis: Vec<i16> = server.asked().iter().map(|(api, _)| *api).collect();
    assert_eq!(apis, [18, 17, 36, 36, 18]);
}

#[tokio::test]
async fn a_wrong_password_says_who_and_how_but_not_the_password() {
    let server = Fake::plain(sasl_server(|reply| reply)).await;
    let error = refused(&as_alice(server.config(), "hunter2")).await;
    assert_eq!(error.class(), ErrorClass::Auth);
    let text = error.to_string();
    assert!(text.contains("SCRAM-SHA-256 as 'alice'") && text.contains("Authentication failed"), "{text}");
    assert!(!format!("{text}{error:?}").contains("hunter2"), "{text}");
}

#[tokio::test]
async fn an_error_in_the_last_scram_message_is_reported() {
    let server = Fake::plain(sasl_server(|_| b"e=other-error".to_vec())).await;
    let error = refused(&as_alice(server.config(), PASSWORD)).await;
    assert_eq!(error.class(), ErrorClass::Auth);
    assert!(error.to_string().contains("other-error"), "{error}");
}

#[tokio::test]
async fn a_server_that_can_not_prove_the_password_is_refused() {
    let twists: [Twist; 3] = [
        |_| b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_vec(),
        |_| Vec::new(),
        |mut reply| {
            reply[2] = if reply[2] == b'A' { b'B' } else { b'A' };
            reply
        },
    ];
    for twist in twists {
        let server = Fake::plain(sasl_server(twist)).await;
        let error = refused(&as_alice(server.config(), PASSWORD)).await;
        assert_eq!(error.class(), ErrorClass::Auth);
        assert!(error.to_string().contains("check that the address is your broker's"), "{error}");
    }
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_answered_with_those_that_are() {
    let server = Fake::plain(sasl_server(|reply| reply)).await;
    let config =
        server.config().with_scram(Mechanism::ScramSha512, "alice", Password::new(PASSWORD.to_owned()));
    let error = refused(&config).await;
    assert_eq!(error.class(), ErrorClass::Auth);
    assert!(error.to_string().contains("it offers SCRAM-SHA-256"), "{error}");
}

/// A listener of PLAIN or SCRAM-SHA-256 that accepts `token` alone, and otherwise says what Kafka says.
fn token_server(token: &'static [u8]) -> impl Fn() -> fake::Script + Send + 'static {
    move || {
        after_versions(move |asked| match asked.request() {
            Request::SaslHandshake(_) => Act::Answer(SaslHandshakeResponse::default().into()),
            Request::SaslAuthenticate(request) if request.auth_bytes == token => {
                Act::Answer(SaslAuthenticateResponse::default().into())
            }
            Request::SaslAuthenticate(request) => Act::Answer(
                build!(SaslAuthenticateResponse {
                    error_code: 58,
                    error_message: Some(StrBytes::from(format!(
                        "Authentication failed, {}",
                        request.auth_bytes.ends_with(b",tokenauth=true")
                    ))),
                })
                .into(),
            ),
            _ => Act::Close,
        })
    }
}

#[tokio::test]
async fn a_delegation_token_that_is_refused_is_said_to_be_one() {
    let server = Fake::plain(token_server(b"")).await;
    let hmac = || Password::new("aG1hYw==".to_owned());
    let service = as_alice(server.config(), PASSWORD);
    let error = refused(&service.with_token("token-id", hmac(), Mechanism::ScramSha256)).await;
    assert_eq!(error.class(), ErrorClass::Auth);
    let text = error.to_string();
    assert!(text.contains("as 'token-id'") && text.contains("Authentication failed, true"), "{text}");
    assert!(text.contains("the delegation token may have expired"), "{text}");
    assert!(!text.contains("aG1hYw"), "{text}");
    let text = refused(&service).await.to_string();
    assert!(text.contains("Authentication failed, false; check user and password"), "{text}");
}

#[tokio::test]
async fn a_plain_password_that_is_refused_says_what_to_check() {
    let server = Fake::plain(token_server(b"\0alice\0correct horse")).await;
    let mut config = as_alice(server.config(), PASSWORD);
    config.sasl.as_mut().unwrap().mechanism = SaslMechanism::Plain;
    connect(&config).await.unwrap();
    let mut config = as_alice(server.config(), "hunter2");
    config.sasl.as_mut().unwrap().mechanism = SaslMechanism::Plain;
    let text = refused(&config).await.to_string();
    assert!(text.contains("PLAIN as 'alice'") && text.ends_with("check user and password"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_listener_without_sasl_and_one_that_requires_it_are_told_apart() {
    let without = Fake::plain(|| {
        after_versions(|_| Act::Answer(build!(SaslHandshakeResponse { error_code: 34 }).into()))
    })
    .await;
    let text = refused(&as_alice(without.config(), PASSWORD)).await.to_string();
    assert!(text.contains("does not authenticate by SASL; set security.protocol to SSL"), "{text}");
    // Kafka answers ApiVersions once before SASL and closes at anything else.
    let requiring = Fake::plain(|| {
        let mut asked_before = false;
        Box::new(move |_| match std::mem::replace(&mut asked_before, true) {
            false => Act::Answer(versions(|_| Some(i16::MAX))),
            true => Act::Close,
        })
    })
    .await;
    let text = refused(&requiring.config()).await.to_string();
    assert!(text.contains("if the listener requires SASL, set security.protocol=SASL_SSL"), "{text}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_no_matter_of_ports() {
    let config = ClientConfig::new(vec!["no-such-host.invalid:9092".to_owned()], Security::Plaintext);
    let error = refused(&config).await;
    assert!(matches!(error, ClientError::Resolve { .. }), "{error}");
    assert!(error.is_retriable() && error.class() == ErrorClass::Connect);
    let text = error.to_string();
    assert!(text.contains("cannot resolve the host name of no-such-host.invalid:9092"), "{text}");
}

#[tokio::test]
async fn the_whole_answer_about_versions_is_kept_with_features_that_begin_at_0() {
    let server = Fake::plain(|| {
        Box::new(|asked| {
            let feature = build!(SupportedFeatureKey {
                name: StrBytes::from("share.version"),
                min_version: 0,
                max_version: 1,
            });
            let finalized = build!(FinalizedFeatureKey {
                name: StrBytes::from("metadata.version"),
                max_version_level: 27,
                min_version_level: 27,
            });
            let Response::ApiVersions(ranges) = versions(|_| Some(i16::MAX)) else { return Act::Close };
            Act::Answer(
                build!(ApiVersionsResponse {
                    api_keys: ranges.api_keys,
                    supported_features: if asked.head.api_version >= 4 { vec![feature] } else { vec![] },
                    finalized_features: vec![finalized],
                    finalized_features_epoch: 42,
                })
                .into(),
            )
        })
    })
    .await;
    let connection = connect(&server.config()).await.unwrap();
    assert_eq!(server.asked(), [(18, 3), (18, 4)]);
    let answer = connection.api_versions();
    assert_eq!(answer.finalized_features_epoch, 42);
    assert_eq!(answer.supported_features[0].name.as_str(), "share.version");
    assert_eq!(answer.finalized_features[0].max_version_level, 27);
    assert_eq!(answer.api_keys.len(), Api::ALL.len());
}

#[tokio::test]
async fn a_connection_is_handed_over_only_when_nothing_is_due_and_with_what_was_read() {
    let server = Fake::plain(|| {
        after_versions(|asked| match asked.api() {
            Api::Metadata => Act::Answer(MetadataResponse::default().into()),
            // Two frames at once: the answer, and four bytes that nobody asked for.
            _ => Act::Raw([&[0, 0, 0, 10][..], &2_i32.to_be_bytes(), &[0; 6], b"more"].concat()),
        })
    })
    .await;
    let mut connection = connect(&server.config()).await.unwrap();
    connection.send(&MetadataRequest::default(), 9).await.unwrap();
    assert!(matches!(connection.into_raw().err(), Some(ClientError::Usage(_))));

    let mut connection = connect(&server.config()).await.unwrap();
    connection.call_at(&ListGroupsRequest::default(), 0).await.unwrap();
    assert_eq!(&connection.into_raw().unwrap().unread[..], b"more");
}

#[tokio::test]
async fn plain_sends_user_and_password_and_a_session_with_a_lifetime_ends_before_it() {
    let server = Fake::plain(|| {
        after_versions(|asked| match asked.request() {
            Request::SaslHandshake(_) => Act::Answer(SaslHandshakeResponse::default().into()),
            Request::SaslAuthenticate(request) if request.auth_bytes == b"\0alice\0correct horse"[..] => {
                Act::Answer(build!(SaslAuthenticateResponse { session_lifetime_ms: 1_000 }).into())
            }
            _ => Act::Close,
        })
    })
    .await;
    let mut config = as_alice(server.config(), PASSWORD);
    config.sasl.as_mut().unwrap().mechanism = SaslMechanism::Plain;
    let connection = connect(&config).await.unwrap();
    assert!(!connection.is_spent());
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(connection.is_spent(), "85 % of 1 s have passed");
    assert!(connection.into_raw().unwrap().expires.is_some_and(|end| end <= std::time::Instant::now()));
}

#[tokio::test]
async fn nothing_listening_is_said_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = refused(&ClientConfig::new(vec![address.clone()], Security::Plaintext)).await;
    assert_eq!(error.class(), ErrorClass::Connect);
    assert!(error.to_string().contains(&address) && error.to_string().contains("listens"), "{error}");
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let server = Fake::plain(|| Box::new(|_| Act::Silence)).await;
    let mut config = server.config();
    config.connect_timeout = Duration::from_millis(50);
    assert!(matches!(refused(&config).await, ClientError::Timeout { .. }));
}

#[tokio::test]
async fn an_oversized_response_is_refused_by_its_length_alone() {
    for length in [i32::MAX, 600 * 1024] {
        let server = Fake::plain(move || Box::new(move |_| Act::Raw(length.to_be_bytes().to_vec()))).await;
        assert!(matches!(refused(&server.config()).await, ClientError::Oversized { .. }), "{length}");
    }
    let negative = Fake::plain(|| Box::new(|_| Act::Raw(vec![0xff; 4]))).await;
    assert!(matches!(refused(&negative.config()).await, ClientError::Protocol { .. }));
}

#[tokio::test]
async fn the_bound_of_an_authenticated_connection_is_the_configured_one() {
    let server = Fake::plain(|| after_versions(|_| Act::Raw(2_000_000_i32.to_be_bytes().to_vec()))).await;
    let mut config = server.config();
    config.max_response_bytes = 1_000_000;
    let mut connection = connect(&config).await.unwrap();
    let error = connection.call(&MetadataRequest::default()).await.unwrap_err();
    assert!(matches!(error, ClientError::Oversized { length: 2_000_000, limit: 1_000_000, .. }), "{error}");
    assert!(connection.is_spent());
}

#[tokio::test]
async fn malformed_and_misplaced_responses_are_refused() {
    // A body that ends early, one that claims 2^30 elements, and another request's correlation id.
    let bodies: [&[u8]; 3] =
        [&[0, 0, 0, 1, 0], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 4], &[0, 0, 0, 9, 0]];
    for body in bodies {
        let frame = [&i32::try_from(body.len()).unwrap().to_be_bytes(), body].concat();
        let server = Fake::plain(move || {
            let frame = frame.clone();
            after_versions(move |_| Act::Raw(frame.clone()))
        })
        .await;
        let mut connection = connect(&server.config()).await.unwrap();
        let error = connection.call(&MetadataRequest::default()).await.unwrap_err();
        assert!(matches!(error, ClientError::Protocol { .. }), "{body:?}: {error}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_and_abandoned_ones_are_read_past() {
    let server = Fake::plain(|| {
        after_versions(|asked| match asked.api() {
            Api::Metadata => Act::Answer(build!(MetadataResponse { controller_id: 7 }).into()),
            _ => Act::Answer(build!(ListGroupsResponse { error_code: 15 }).into()),
        })
    })
    .await;
    let mut connection = connect(&server.config()).await.unwrap();
    connection.send(&MetadataRequest::default(), 9).await.unwrap();
    connection.send(&ListGroupsRequest::default(), 3).await.unwrap();
    assert_eq!(connection.in_flight(), 2);
    assert_eq!(connection.receive::<MetadataRequest>().await.unwrap().controller_id, 7);
    assert_eq!(connection.receive::<ListGroupsRequest>().await.unwrap().error_code, 15);
    assert!(matches!(connection.receive::<ListGroupsRequest>().await, Err(ClientError::Usage(_))));
    connection.send(&ListGroupsRequest::default(), 3).await.unwrap();
    assert_eq!(connection.call(&MetadataRequest::default()).await.unwrap().controller_id, 7);
}

#[tokio::test]
async fn a_closed_connection_in_plain_text_hints_at_tls() {
    let server = Fake::plain(|| Box::new(|_| Act::Close)).await;
    let error = refused(&server.config()).await;
    assert!(error.to_string().contains("security.protocol=SASL_SSL"), "{error}");
}

#[tokio::test]
async fn a_tls_server_is_recognised_by_a_client_in_plain_text() {
    // A real TLS server answers what is no handshake with an alert.
    let tls = Tls::new(&["localhost"]);
    let server = Fake::tls(tls.server, || Box::new(|_| Act::Close)).await;
    let error = refused(&server.config()).await;
    assert!(matches!(error, ClientError::TlsServer { .. }), "{error}");
}

#[tokio::test]
async fn a_plain_text_server_is_recognised_by_a_client_with_tls() {
    let tls = Tls::new(&["localhost"]);
    // One closes at the first bytes, as Kafka does; the other answers in plain text.
    for answer in [&b""[..], &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut hello = vec![0; 4096];
            let _read = socket.read(&mut hello).await;
            let _written = socket.write_all(answer).await;
        });
        let error = refused(&ClientConfig::new(vec![address], security(&tls.trust))).await;
        assert!(matches!(error, ClientError::Tls { problem: TlsProblem::PlainText, .. }), "{error}");
        assert_eq!(error.class(), ErrorClass::Connect);
    }
}

#[tokio::test]
async fn tls_works_and_its_failures_say_what_to_do() {
    let tls = Tls::new(&["127.0.0.1"]);
    let script = || -> fake::Script { Box::new(|_| Act::Answer(versions(|_| Some(i16::MAX)))) };
    let server = Fake::tls(Arc::clone(&tls.server), script).await;
    let with = |trust: Trust| ClientConfig::new(vec![server.address.clone()], security(&trust));
    connect(&with(tls.trust.clone())).await.unwrap();

    let stranger = Tls::new(&["127.0.0.1"]);
    let error = refused(&with(stranger.trust)).await;
    assert!(matches!(error, ClientError::Tls { problem: TlsProblem::UnknownCa { .. }, .. }), "{error}");
    assert!(error.to_string().contains("test-ca.pem"), "{error}");

    let elsewhere = Tls::new(&["kafka.example.org"]);
    let server = Fake::tls(elsewhere.server, script).await;
    let config = ClientConfig::new(vec![server.address.clone()], security(&elsewhere.trust));
    let error = refused(&config).await;
    assert!(matches!(error, ClientError::Tls { problem: TlsProblem::NameMismatch { .. }, .. }), "{error}");
    assert!(error.to_string().contains("kafka.example.org"), "{error}");
}

#[tokio::test]
async fn a_route_leads_elsewhere_than_the_name_and_tls_goes_by_the_name() {
    let tls = Tls::new(&["kafka.example.invalid"]);
    let script = || -> fake::Script { Box::new(|_| Act::Answer(versions(|_| Some(i16::MAX)))) };
    let server = Fake::tls(tls.server, script).await;
    let port = server.address.rsplit_once(':').unwrap().1;
    let config = |host: &str| {
        let config = ClientConfig::new(vec![format!("{host}:{port}")], security(&tls.trust));
        config.with_route(std::net::Ipv4Addr::LOCALHOST.into())
    };
    connect(&config("kafka.example.invalid")).await.unwrap();
    let error = refused(&config("other.example.invalid")).await;
    assert!(matches!(error, ClientError::Tls { problem: TlsProblem::NameMismatch { .. }, .. }), "{error}");
}

fn security(trust: &Trust) -> Security {
    Security::Tls(schloss_client::Tls::new(trust, None, TlsVersions::Both).unwrap())
}

/// A CA and a server that it vouches for.
struct Tls {
    trust: Trust,
    server: Arc<rustls::ServerConfig>,
}

impl Tls {
    fn new(names: &[&str]) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(params, key);
        let server_key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate =
            rcgen::CertificateParams::new(names).unwrap().signed_by(&server_key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivatePkcs8KeyDer::from(server_key.serialize_der()).into(),
            )
            .unwrap();
        Self { trust: Trust::from_pem(ca.pem(), "test-ca.pem"), server: Arc::new(server) }
    }
}
