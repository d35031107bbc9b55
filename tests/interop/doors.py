"""Further listeners of a server that is there already, each with its own way to log in."""

import json
import random
import socket

from environment import ENGINE

# A bootstrap port and one for each broker of the cluster behind a gateway.
_ROW = 6


def add_listener(server, name, *lines):
    """Adds a `[[listener]]` with these lines to the configuration of `server`, starts it anew, and returns its address."""
    port = _free_row()
    ways = [f"broker_port_base = {port + 1}"] if ENGINE == "gateway" else []
    section = [
        "", "[[listener]]", f'name = "{name}"', f'bind = ["127.0.0.1:{port}"]', 'advertised_host = "localhost"', *ways,
        'tls_certificate = "pki/server.pem"', 'tls_key = "pki/server.key"', *lines, "",
    ]
    server.stop()
    text = server.config.read_text()
    server.config.write_text(text + "\n".join(section))
    server.start()
    return f"localhost:{port}"


def mechanisms(*names):
    return f"mechanisms = {json.dumps(names)}"


def _free_row():
    while True:
        first = random.randrange(10_000, 30_000)
        probes = []
        try:
            for port in range(first, first + _ROW):
                probes.append(socket.socket())
                probes[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
