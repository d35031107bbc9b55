//! Keeping the view of the cluster new.

use std::sync::Arc;
use std::time::Duration;

use schloss_client::{ClientConfig, ClientError, Connection};
use schloss_wire::build;
use schloss_wire::messages::describe_configs_request::DescribeConfigsResource;
use schloss_wire::messages::{DescribeConfigsRequest, MetadataRequest, MetadataResponse};
use tokio::time::{Instant, sleep, timeout};

use crate::GatewayError;
use crate::view::View;

/// Between two looks at least, however many doubt.
const PAUSE: Duration = Duration::from_millis(100);
/// A resource of this type is a broker.
const BROKER: i8 = 4;
/// The broker's setting.
const CREATES_TOPICS: &str = "auto.create.topics.enable";
/// First version that names topics by id as well, as do clients that fetch by id.
const METADATA_VERSION_MAX: i16 = 12;

/// Looks for the first time: at the first bootstrap address that answers.
pub(crate) async fn first_look(upstream: &ClientConfig) -> Result<View, GatewayError> {
    let mut last = None;
    for address in &upstream.bootstrap {
        let asked = Instant::now();
        let looked = async {
            let mut connection = Connection::connect(upstream, address).await?;
            look(&mut connection).await
        };
        match looked.await {
            Ok(answer) => {
                let cluster_id = answer.cluster_id.as_ref().ok_or(GatewayError::NoClusterId)?;
                let view = View::new(cluster_id.to_string());
                view.replace(&answer, asked);
                meet(&view, upstream).await;
                if view.is_known() {
                    return Ok(view);
                }
                last = Some(introduce_first(&view, upstream).await);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| ClientError::Usage("there is no upstream address".to_owned())).into())
}

/// Why not one broker of those that the cluster names could be reached.
async fn introduce_first(view: &View, upstream: &ClientConfig) -> ClientError {
    for (_, address) in view.strangers() {
        if let Err(error) = Connection::connect(upstream, &address).await {
            return error;
        }
    }
    ClientError::Usage("the upstream cluster names no broker".to_owned())
}

/// Looks again and again, for ever.
pub(crate) async fn follow(view: Arc<View>, upstream: Arc<ClientConfig>, interval: Duration) {
    let mut connection = None;
    loop {
        // Whoever doubts while this pause lasts is heard after it.
        sleep(PAUSE).await;
        let _ = timeout(interval, view.doubted()).await;
        let asked = Instant::now();
        match look_through(&mut connection, &view, &upstream).await {
            Ok(answer) => {
                view.replace(&answer, asked);
                meet(&view, &upstream).await;
            }
            Err(error) => {
                connection = None;
                tracing::warn!("the upstream cluster can't be looked at, trying on: {error}");
            }
        }
    }
}

async fn look_through(
    connection: &mut Option<Connection>,
    view: &View,
    upstream: &ClientConfig,
) -> Result<MetadataResponse, ClientError> {
    if let Some(open) = connection.as_mut().filter(|open| !open.is_spent())
        && let Ok(answer) = look(open).await
    {
        return Ok(answer);
    }
    let mut last = ClientError::Usage("no upstream address is known".to_owned());
    let known = view.addresses(None).into_iter().map(|(_, address)| address);
    for address in known.chain(upstream.bootstrap.iter().cloned()) {
        match Connection::connect(upstream, &address).await {
            Ok(opened) => return look(connection.insert(opened)).await,
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn look(connection: &mut Connection) -> Result<MetadataResponse, ClientError> {
    let all = build!(MetadataRequest { topics: None, allow_auto_topic_creation: false });
    let version = connection.version::<MetadataRequest>(METADATA_VERSION_MAX)?;
    connection.call_at(&all, version).await
}

/// Asks every broker that has not told yet what it offers, and whether it creates topics.
async fn meet(view: &View, upstream: &ClientConfig) {
    for (id, address) in view.strangers() {
        let asked = async {
            let mut connection = Connection::connect(upstream, &address).await?;
            view.introduce(id, connection.api_versions());
            creates_topics(&mut connection, id).await
        };
        match asked.await {
            Ok(creates) => view.note_creation(id, creates),
            Err(error) => tracing::warn!(broker = id, "can't ask an upstream broker what it offers: {error}"),
        }
    }
}

/// Whether a broker creates a missing topic that a client names; no, if it does not tell.
async fn creates_topics(connection: &mut Connection, id: i32) -> Result<bool, ClientError> {
    let resource = build!(DescribeConfigsResource {
        resource_type: BROKER,
        resource_name: id.to_string().into(),
        configuration_keys: Some(vec![CREATES_TOPICS.into()]),
    });
    let answer = connection.call(&build!(DescribeConfigsRequest { resources: vec![resource] })).await?;
    let mut settings = answer.results.iter().flat_map(|result| &result.configs);
    Ok(settings
        .any(|config| config.name.as_str() == CREATES_TOPICS && config.value.as_deref() == Some("true")))
}
