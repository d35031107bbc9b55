"""A real issuer of tokens, and tokens of it."""

import base64
import json
import pathlib
import ssl
import subprocess
import urllib.parse
import urllib.request

from certificates import CertificateAuthority
from environment import free_port

SCRIPT = pathlib.Path(__file__).with_name("token_issuer.mjs")


class Issuer:
    """oidc-provider on a port of its own, with a CA of its own."""

    def __init__(self, directory):
        self.port = free_port()
        authority = CertificateAuthority.new(pathlib.Path(directory) / "issuer-ca", name="Issuer CA")
        authority.issue("issuer")
        self.ca, self.directory = authority.certificate, authority.directory
        self.url = f"https://localhost:{self.port}"
        self.token_url = f"{self.url}/token"
        self._tls = ssl.create_default_context(cafile=str(self.ca))
        self.start()

    def start(self):
        command = ["node", SCRIPT, self.directory / "issuer.crt", self.directory / "issuer.key", self.port]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stdout:
            if "listening" in line:
                return
        raise AssertionError(self.process.stderr.read())

    def stop(self):
        self.process.kill()
        self.process.communicate()

    def rotate(self):
        urllib.request.urlopen(f"{self.url}/rotate", context=self._tls, timeout=10).read()

    def token(self, client, **more):
        """A fresh token, and its claims."""
        form = urllib.parse.urlencode({"grant_type": "client_credentials", **more}).encode()
        request = urllib.request.Request(self.token_url, data=form)
        basic = base64.b64encode(f"{client}:secret-of-{client}".encode()).decode()
        request.add_header("Authorization", f"Basic {basic}")
        answer = json.load(urllib.request.urlopen(request, context=self._tls, timeout=10))
        token = answer["access_token"]
        payload = token.split(".")[1]
        return token, json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    def section(self, *lines):
        """The `[oauth]` section that trusts it."""
        return "\n".join([
            "", "[oauth]", f'issuer = "{self.url}"', 'audiences = ["kafka"]', f'jwks_url = "{self.url}/jwks"',
            f'jwks_ca_file = "{self.ca}"', "clock_skew_ms = 0", 'groups_claim = "groups"', *lines, "",
        ])
