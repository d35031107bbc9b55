"""Users with ACLs and client files of their own, on Schloss and on a cluster itself."""

import pathlib
import re

from endpoint import write_private


def make_account(server, name, *acls):
    """A user of this name with these ACLs, each the arguments of `acl add`."""
    password = f"pw-{name}-0123456789abcdef"
    server.run("user", "add", name, "--password-stdin", stdin=password)
    for acl in acls:
        server.run("acl", "add", "--allow-principal", f"User:{name}", *acl)
    return Account(server, name, password)


class Account:
    def __init__(self, server, name, password):
        self.name, self.password, self.server = name, password, server
        for ending in ("conf", "properties"):
            text = pathlib.Path(server.client("admin", ending)).read_text()
            text = re.sub(r"username=admin\b", f"username={name}", text)
            text = re.sub(r"sasl\.password=.*", f"sasl.password={password}", text)
            text = re.sub(r'username="[^"]*" password="[^"]*"', f'username="{name}" password="{password}"', text)
            write_private(server.client(name, ending), text)

    def conf(self, **more):
        return self.server.conf(self.name, **more)

    @property
    def properties(self):
        return self.server.client(self.name, "properties")
