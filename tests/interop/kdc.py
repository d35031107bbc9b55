"""A KDC of MIT Kerberos as a plain process: its own realm, database and ports, nothing of the machine's."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

from environment import free_port

REALM = "SCHLOSS.TEST"
# Debian keeps the KDC's programs where only root's shells look.
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def program(name):
    return shutil.which(name, path=PATH)


class Kdc:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.port = free_port()
        self.config = self._write("krb5.conf", f"""
[libdefaults]
  default_realm = {REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  {REALM} = {{
    kdc = 127.0.0.1:{self.port}
  }}
[domain_realm]
  localhost = {REALM}
""")
        # A PAC can't name a principal with a slash inside of a part: MIT's KDC then gives it no tickets for services.
        profile = self._write("kdc.conf", f"""
[kdcdefaults]
  kdc_listen = 127.0.0.1:{self.port}
  kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
  {REALM} = {{
    database_name = {self.directory}/principal
    key_stash_file = {self.directory}/stash
    max_life = 10h
    disable_pac = true
  }}
[logging]
  kdc = FILE:{self.directory}/kdc.log
""")
        # The replay cache as well: what was seen by an earlier run is not this one's.
        self.environment = {
            **os.environ, "KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": str(profile),
            "KRB5RCACHEDIR": str(self.directory), "PATH": PATH,
        }
        self._run("kdb5_util", "-r", REALM, "create", "-s", "-P", "master of the test")
        self.process = subprocess.Popen(
            [program("krb5kdc"), "-n", "-r", REALM], env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self._await()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)

    def add(self, *principals):
        for principal in principals:
            self.admin("add_principal", "-randkey", principal)

    def admin(self, *words):
        """One command of kadmin, past the network."""
        return self._run("kadmin.local", "-r", REALM, *words)

    def keytab(self, name, *principals, new_keys=False):
        """A file with the keys of these principals, as they are or new ones."""
        path = self.directory / name
        keep = [] if new_keys else ["-norandkey"]
        for principal in principals:
            self.admin("ktadd", "-k", str(path), *keep, principal)
        path.chmod(0o600)
        return path

    def tickets(self, principal, *options):
        """The environment of a process that has logged in as this principal."""
        number = len(list(self.directory.glob("cache-*")))
        environment = {**self.environment, "KRB5CCNAME": f"FILE:{self.directory}/cache-{number}"}
        keytab = self.keytab(f"login-{number}.keytab", principal)
        command = [program("kinit"), "-k", "-t", str(keytab), *options, principal]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        return environment

    def _write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def _run(self, name, *arguments):
        command = [program(name), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        # kadmin.local says what went wrong, and that it ended well.
        assert done.returncode == 0 and "while" not in done.stderr, done.stdout + done.stderr
        return done.stdout

    def _await(self, seconds=30):
        end = time.monotonic() + seconds
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, (self.directory / "kdc.log").read_text()
                assert time.monotonic() < end, "the KDC does not listen"
                time.sleep(0.05)
