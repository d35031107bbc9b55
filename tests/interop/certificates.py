"""A certificate authority for test clusters, by the openssl command line."""

import pathlib
import subprocess


class CertificateAuthority:
    """Issues certificates for both ends of a connection, all valid for `localhost` and loopback."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.certificate = self.directory / "ca.pem"
        self.key = self.directory / "ca.key"

    @classmethod
    def new(cls, directory, name="Test CA"):
        self = cls(directory)
        self.directory.mkdir(parents=True, mode=0o700)
        _openssl(
            "req", "-x509", *_NEW_KEY, "-keyout", self.key, "-out", self.certificate, "-days", "30",
            "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )
        return self

    def issue(self, name, hosts=()):
        """NAME.key and NAME.crt with `CN=NAME`, and NAME.pem with both and the CA's: a keystore for Kafka, returned."""
        alternatives = ["DNS:localhost", "IP:127.0.0.1", "IP:::1", *(f"DNS:{host}" for host in hosts)]
        request, certificate, key = (self.directory / f"{name}.{ending}" for ending in ("csr", "crt", "key"))
        _openssl(
            "req", "-new", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={','.join(alternatives)}",
            "-addext", "extendedKeyUsage=serverAuth,clientAuth",
        )
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
            "-days", "30", "-copy_extensions", "copyall", "-out", certificate,
        )
        keystore = self.directory / f"{name}.pem"
        keystore.touch(mode=0o600)
        keystore.write_text("".join(path.read_text() for path in (key, certificate, self.certificate)))
        return keystore


_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=30)
