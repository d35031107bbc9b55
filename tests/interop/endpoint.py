"""A place that clients connect to: a directory of client files and the address in them."""

import json
import pathlib
import subprocess

from environment import BINARY


def read_conf(path):
    """A librdkafka file as the dict that confluent-kafka takes."""
    lines = pathlib.Path(path).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def write_private(path, text):
    """Client files hold passwords: ours are refused when others can read them."""
    path = pathlib.Path(path)
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


def write_properties(path, settings):
    return write_private(path, "".join(f"{key}={value}\n" for key, value in settings.items()))


_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


def jaas(mechanism, user, password, options=""):
    return f'{_LOGIN_MODULES[mechanism]} required username="{user}" password="{password}"{options};'


class Endpoint:
    """Needs `data_dir` and `bootstrap`; client files are `data_dir`/clients/ACCOUNT.{properties,conf,json}."""

    def client(self, account, ending):
        return str(self.data_dir / "clients" / f"{account}.{ending}")

    def conf(self, account, **more):
        return {**read_conf(self.client(account, "conf")), **{k.replace("_", "."): v for k, v in more.items()}}

    def run(self, *arguments, account="admin", stdin=None, check=True):
        """Our own command line."""
        command = [BINARY, *arguments]
        if account:
            command += ["--client", self.client(account, "properties")]
        result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def write_client_files(self, user, password, ca, mechanism="SCRAM-SHA-512", account=None):
        """The three files of `user`, under the name `account` if one user has files of several kinds."""
        account = account or user
        (self.data_dir / "clients").mkdir(exist_ok=True, mode=0o700)
        common = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": mechanism,
        }
        write_properties(
            self.client(account, "properties"),
            {
                **common,
                "sasl.jaas.config": jaas(mechanism, user, password),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": ca,
            },
        )
        write_properties(
            self.client(account, "conf"),
            {**common, "sasl.username": user, "sasl.password": password, "ssl.ca.location": ca},
        )
        settings = {
            "bootstrap": self.bootstrap, "ca": str(ca), "group": None,
            "mechanism": mechanism, "user": user, "password": password,
        }
        write_private(self.client(account, "json"), json.dumps(settings, indent=2) + "\n")
