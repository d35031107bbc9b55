"""How a node of the test cluster is configured: every listener TLS, an authorizer that denies, three of everything."""

from endpoint import jaas

NODES = (1, 2, 3)
ADMIN_PASSWORD = "admin-secret-of-kafka"
# The principal that the gateway has upstream.
GATEWAY_PASSWORD = "gateway-secret-of-kafka"
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"

SECURITY = {
    "listener.security.protocol.map": "CLIENTS:SASL_SSL,MTLS:SSL,INTERNAL:SSL,CONTROLLER:SSL",
    "inter.broker.listener.name": "INTERNAL",
    "controller.listener.names": "CONTROLLER",
    "ssl.client.auth": "required",
    "listener.name.clients.ssl.client.auth": "none",
    # A client with the certificate CN=gateway is User:gateway; nodes stay User:CN=kafka-1.
    "listener.name.mtls.ssl.principal.mapping.rules": "RULE:^CN=([^,]*)$/$1/,DEFAULT",
    "sasl.enabled.mechanisms": ",".join(MECHANISMS),
    "listener.name.clients.scram-sha-512.sasl.jaas.config": jaas("SCRAM-SHA-512", "admin", ADMIN_PASSWORD),
    "listener.name.clients.scram-sha-256.sasl.jaas.config": jaas("SCRAM-SHA-256", "admin", ADMIN_PASSWORD),
    "listener.name.clients.plain.sasl.jaas.config": jaas(
        "PLAIN", "admin", ADMIN_PASSWORD, f' user_admin="{ADMIN_PASSWORD}" user_gateway="{GATEWAY_PASSWORD}"'
    ),
    "ssl.keystore.type": "PEM",
    "ssl.truststore.type": "PEM",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": ";".join(["User:admin", "User:gateway", *(f"User:CN=kafka-{node}" for node in NODES)]),
    "delegation.token.secret.key": "delegation-token-secret-of-the-test-cluster",
}

REPLICATION = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
}

# Tests wait for these; production has them longer.
HASTE = {
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.min.heartbeat.interval.ms": "300",
    "group.consumer.heartbeat.interval.ms": "300",
    "group.share.min.heartbeat.interval.ms": "300",
    "group.share.heartbeat.interval.ms": "300",
    "group.share.min.record.lock.duration.ms": "1000",
    "group.share.record.lock.duration.ms": "2000",
    "group.streams.min.heartbeat.interval.ms": "300",
    "group.streams.heartbeat.interval.ms": "300",
    "group.streams.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "500",
}

# Three nodes on two cores and in a small heap.
SMALLNESS = {
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "group.coordinator.threads": "1",
    "share.coordinator.threads": "1",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.index.size.max.bytes": "1048576",
}


def node_settings(node, ports, directory, keystore, ca):
    """The properties of one node; `ports` maps (node, listener) to a port."""

    def listeners(names, host):
        return ",".join(f"{name}://{host}:{ports[node, name]}" for name in names)

    return {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": ",".join(f"{peer}@localhost:{ports[peer, 'CONTROLLER']}" for peer in NODES),
        "listeners": listeners(("CLIENTS", "MTLS", "INTERNAL", "CONTROLLER"), "127.0.0.1"),
        # The name is in the certificates, and clients verify it.
        "advertised.listeners": listeners(("CLIENTS", "MTLS", "INTERNAL"), "localhost"),
        "ssl.keystore.location": keystore,
        "ssl.truststore.location": ca,
        "log.dirs": directory / "logs",
        **SECURITY,
        **REPLICATION,
        **HASTE,
        **SMALLNESS,
    }
