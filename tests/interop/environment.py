"""What the tests run with, and free ports. Standard library only: kafka_cluster.py runs on its own too."""

import os
import random
import socket

BINARY = os.environ.get("SCHLOSS_BINARY", "target/release/schloss")
KAFKA_LIBS = os.environ.get("KAFKA_LIBS")
NODE_PATH = os.environ.get("NODE_PATH")
# What stands behind the gate when the suite asks for a broker: `serve` or `gateway`.
ENGINE = os.environ.get("SCHLOSS_ENGINE", "serve")


def free_ports(count):
    """Distinct free ports of loopback, below those that the system gives to outgoing connections.

    A server that is killed and started again finds its port still free: no client sits on it meanwhile.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as limits:
        first_ephemeral = int(limits.read().split()[0])
    probes = []
    try:
        while len(probes) < count:
            probe = socket.socket()
            try:
                probe.bind(("127.0.0.1", random.randrange(10_000, first_ephemeral)))
            except OSError:
                probe.close()
                continue
            probes.append(probe)
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def free_port():
    return free_ports(1)[0]
