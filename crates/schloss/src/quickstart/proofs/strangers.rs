//! Who can't prove who they are gets nothing.

use anyhow::{bail, ensure};
use schloss_audit::{DecisionFilter, EventKind, Query};
use schloss_client::{ClientConfig, ClientError, Connection, Security, Tls, TlsVersions, Trust};
use schloss_identity::{Mechanism, Password};
use schloss_wire::ErrorCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::accounts::PRODUCER;
use super::{Bench, Proof};

/// Runs the proofs that need no account, and prints each.
///
/// # Errors
/// The first proof that failed.
pub(in super::super) async fn prove(bench: &Bench<'_>) -> anyhow::Result<()> {
    bench.show("a wrong password is refused", bench.wrong_password_is_refused()).await?;
    bench.show("a plain-text connection is refused", bench.plain_text_is_refused()).await
}

impl Bench<'_> {
    async fn wrong_password_is_refused(&self) -> anyhow::Result<Proof<()>> {
        let ca = self.place.root.join("pki/ca.pem");
        let trust = Trust::from_pem(tokio::fs::read(&ca).await?, ca.display().to_string());
        let tls = Tls::new(&trust, None, TlsVersions::Both).map_err(ClientError::Config)?;
        let address = self.place.bootstrap();
        let config = ClientConfig::new(vec![address.clone()], Security::Tls(tls))
            .with_scram(Mechanism::ScramSha512, PRODUCER, Password::generate())
            .with_route(self.route);
        match Connection::connect(&config, &address).await {
            Err(ClientError::Authentication { .. }) => Ok(Proof {
                found: ErrorCode::SaslAuthenticationFailed.name().to_owned(),
                record: Query {
                    principal: Some(format!("User:{PRODUCER}")),
                    kind: Some(EventKind::Authentication),
                    decision: Some(DecisionFilter::Denied),
                    ..Query::default()
                },
                value: (),
            }),
            Err(other) => Err(other.into()),
            Ok(_) => bail!("it was let in"),
        }
    }

    async fn plain_text_is_refused(&self) -> anyhow::Result<Proof<()>> {
        /// An ApiVersions request, version 0, with correlation id 1 and no client id.
        const PLAIN_REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
        let mut stream = TcpStream::connect((self.route, self.place.port)).await?;
        stream.write_all(&PLAIN_REQUEST).await?;
        let mut answer = Vec::new();
        // A reset tells as much as an orderly end: nothing came back.
        let _ = stream.read_to_end(&mut answer).await;
        ensure!(answer.is_empty(), "{} bytes came back in plain text", answer.len());
        Ok(Proof {
            found: "closed without an answer".to_owned(),
            record: Query {
                kind: Some(EventKind::Connection),
                decision: Some(DecisionFilter::Denied),
                ..Query::default()
            },
            value: (),
        })
    }
}
