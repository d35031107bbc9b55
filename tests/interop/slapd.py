"""OpenLDAP: a real directory on ports of its own, with a CA of its own, stopped by who started it."""

import pathlib
import shutil
import subprocess
import time

from certificates import CertificateAuthority
from endpoint import write_private
from environment import free_ports

SUFFIX = "dc=example,dc=org"
ADMIN = f"cn=admin,{SUFFIX}"
READER = f"cn=reader,{SUFFIX}"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ADMIN_PASSWORD, READER_PASSWORD = "secret-of-admin", "secret-of-reader"
READY_SECONDS = 20


class Slapd:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        (self.directory / "db").mkdir(parents=True)
        self.plain_port, self.tls_port = free_ports(2)
        self.authority = CertificateAuthority.new(self.directory / "ca", name="Directory CA")
        self.authority.issue("directory")
        self.ca = self.authority.certificate
        self.password_file = self.directory / "reader.password"
        write_private(self.password_file, READER_PASSWORD + "\n")
        self._configure()
        self.start()
        self.add(
            f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example",
            f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people",
            f"dn: {GROUPS}\nobjectClass: organizationalUnit\nou: groups",
            f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
            f"userPassword: {READER_PASSWORD}",
        )

    @staticmethod
    def is_there():
        return all(shutil.which(program) for program in ("slapd", "ldapmodify"))

    @property
    def url(self):
        return f"ldap://localhost:{self.plain_port}"

    @property
    def tls_url(self):
        return f"ldaps://localhost:{self.tls_port}"

    def _configure(self):
        schemas = [f"include /etc/ldap/schema/{name}.schema" for name in ("core", "cosine", "inetorgperson")]
        lines = [
            *schemas, "modulepath /usr/lib/ldap", "moduleload back_mdb", "moduleload memberof",
            f"pidfile {self.directory}/slapd.pid", f"TLSCertificateFile {self.authority.directory}/directory.crt",
            f"TLSCertificateKeyFile {self.authority.directory}/directory.key", "database mdb", "maxsize 67108864",
            f'suffix "{SUFFIX}"', f'rootdn "{ADMIN}"', f"rootpw {ADMIN_PASSWORD}", f"directory {self.directory}/db",
            # Large results come in pages, or not at all.
            f'limits dn.exact="{READER}" size.soft=100 size.hard=100 size.prtotal=unlimited',
            "overlay memberof", "memberof-refint TRUE",
            "access to attrs=userPassword by anonymous auth by * none",
            f'access to * by dn.exact="{READER}" read by self read by anonymous auth by * none',
        ]
        self.config = self.directory / "slapd.conf"
        write_private(self.config, "\n".join(lines) + "\n")

    def start(self):
        addresses = f"ldap://127.0.0.1:{self.plain_port} ldaps://127.0.0.1:{self.tls_port}"
        with open(self.directory / "slapd.log", "a") as log:
            # With -d it stays in the foreground.
            command = ["slapd", "-d", "0", "-f", str(self.config), "-h", addresses]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + READY_SECONDS
        while self._run("ldapwhoami").returncode != 0:
            assert self.process.poll() is None, (self.directory / "slapd.log").read_text()
            assert time.monotonic() < end, "slapd does not answer"
            time.sleep(0.05)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=30)

    def _run(self, program, *arguments, stdin=None):
        where = ["-H", f"ldap://127.0.0.1:{self.plain_port}", "-x", "-D", ADMIN, "-w", ADMIN_PASSWORD]
        return subprocess.run([program, *where, *arguments], input=stdin, capture_output=True, text=True, timeout=30)

    def change(self, *entries):
        """Entries of LDIF."""
        done = self._run("ldapmodify", stdin="\n\n".join(entries) + "\n")
        assert done.returncode == 0, done.stderr

    def add(self, *entries):
        self.change(*(entry.replace("\n", "\nchangetype: add\n", 1) for entry in entries))

    def add_user(self, name, password, **more):
        lines = [f"dn: {user_dn(name)}", "objectClass: inetOrgPerson", f"uid: {name}", f"cn: {name}", f"sn: {name}"]
        lines += [f"userPassword: {password}", *(f"{key}: {value}" for key, value in more.items())]
        self.add("\n".join(lines))

    def add_group(self, name, *members):
        self.add(group_entry(name, *members))

    def alter(self, group, change, member):
        """`change` is add or delete."""
        self.change(f"dn: {group_dn(group)}\nchangetype: modify\n{change}: member\nmember: {member}")

    def delete_user(self, name):
        self.change(f"dn: {user_dn(name)}\nchangetype: delete")

    def section(self, *lines, url=None, ca=None):
        """The `[directory]` section that asks it."""
        return "\n".join([
            "", "[directory]", f'servers = ["{url or self.tls_url}"]', f'ca_file = "{ca or self.ca}"',
            f'bind_dn = "{READER}"', f'bind_password_file = "{self.password_file}"', f'user_base = "{PEOPLE}"',
            f'group_base = "{GROUPS}"', "timeout_ms = 3000", *lines, "",
        ])


def group_entry(name, *members):
    lines = [f"dn: {group_dn(name)}", "objectClass: groupOfNames", f"cn: {name}"]
    return "\n".join([*lines, *(f"member: {member}" for member in members)])


def user_dn(name):
    return f"uid={name},{PEOPLE}"


def group_dn(name):
    return f"cn={name},{GROUPS}"
