"""Changes to the gateway.toml that a quickstart has written."""

import random
import re
import socket

_OWN_PORT = re.compile(r"^(\s*(?:bind|\w*port\w*)\s*=)(.*)$", re.MULTILINE)
# A port, not a part of an address: after a colon, or alone.
_NUMBER = re.compile(r"(?<=:)\d{4,5}\b|(?<![\d.:])\d{4,5}\b")
# Brokers follow one another from a base port.
_PORTS_IN_A_ROW = 16


def with_other_ports(config):
    """The configuration with every port of its own moved by the same number, to free ones; and that number."""
    ports = {int(number) for line in _OWN_PORT.findall(config) for number in _NUMBER.findall(line[1])}
    assert ports, f"no port in the configuration:\n{config}"
    while True:
        shift = random.randrange(10_000, 30_000) - min(ports)
        if all(_is_free(port + shift + step) for port in ports for step in range(_PORTS_IN_A_ROW)):
            break

    def move(match):
        return match.group(1) + _NUMBER.sub(lambda number: str(int(number.group()) + shift), match.group(2))

    return _OWN_PORT.sub(move, config), shift


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def observing(config):
    """Nothing is denied, everything is audited."""
    return "insecure_observe_only = true\n" + config


def impersonating(config):
    """The gateway is upstream whoever its client is."""
    return _in_table(config, "upstream", 'identity = "impersonate"')


def _in_table(config, table, line):
    """The configuration with this line at the head of the table."""
    head = f"[{table}]\n"
    assert head in config, f"no {head} in the configuration:\n{config}"
    return config.replace(head, f"{head}{line}\n", 1)


# How clients find a broker where every broker has the same port.
BROKER_HOST = "broker-{id}.kafka.test"


def by_host_name(config):
    """Brokers are told apart by the host name that the client asks for."""
    return config.replace("advertised_host =", f'broker_host = "{BROKER_HOST}"\nadvertised_host =', 1)
