"""Mail over a real SMTP server: in clear, with STARTTLS and a password, and one that hangs."""

from __future__ import annotations

import datetime
import socket
import ssl
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fleetctl.playbook.channels import Channel, Mail
from fleetctl.playbook.operations import SecretSource, SecretUse
from fleetctl.report.delivery import DeliveryFailed, deliver
from fleetctl.report.messages import Message
from fleetctl.report.notifier import Notifier
from tests.report.servers import silent

PASSWORD = SecretUse("mail", SecretSource("env", ("MAIL",), "x:1:1"))
VALUES = {"mail": b"correct horse"}


class Box:
    """Keeps what was sent, and who logged in."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str, str]] = []
        self.users: list[str] = []

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content)
        self.mails.append((envelope.rcpt_tos, str(mail["Subject"]), str(mail.get_payload())))
        return "250 OK"

    def admit(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        """Take the right password."""
        self.users.append(data.login.decode())
        return AuthResult(success=data.password == VALUES["mail"], handled=False)


class Server(Controller):
    """On whichever port is free, which nobody else can take meanwhile."""

    def __init__(self, box: Box, **how: Any) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        super().__init__(box, hostname="127.0.0.1", port=port, ready_timeout=30.0, **how)

    def _create_server(self) -> Any:
        return self.loop.create_server(
            self._factory_invoker, sock=self._listening, ssl=self.ssl_context
        )


def _mail(port: int, **how: Any) -> Channel:
    way = Mail(("ops@example.com", "ann@example.com"), "fleetctl@example.com", "localhost", port,
               **{"security": "none", **how})  # fmt: skip
    return Channel("mail", ("finish",), way, 30.0)


def _certificate(folder: Path) -> ssl.SSLContext:
    """For localhost, trusted by whoever is told of `folder/cert.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_mail_has_the_first_line_as_its_subject() -> None:
    """Everybody named gets one mail with the whole text."""
    box = Box()
    server = Server(box)
    server.start()
    try:
        deliver(_mail(server.port), "All verified: 44 hosts\n44 of 44", VALUES.__getitem__)
    finally:
        server.stop()
    ((to, subject, text),) = box.mails
    assert to == ["ops@example.com", "ann@example.com"]
    assert subject == "All verified: 44 hosts"
    assert text.splitlines() == ["All verified: 44 hosts", "44 of 44"]


@pytest.mark.slow
def test_a_password_goes_through_starttls_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logged in after the handshake; a certificate nobody trusts ends it before."""
    box = Box()
    server = Server(
        box, tls_context=_certificate(tmp_path), require_starttls=True, authenticator=box.admit,
        auth_required=True,
    )  # fmt: skip
    server.start()
    try:
        channel = _mail(server.port, security="starttls", user="fleet", password=PASSWORD)
        with pytest.raises(DeliveryFailed, match="certificate verify failed"):
            deliver(channel, "hello", VALUES.__getitem__)
        assert box.users == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        deliver(channel, "hello", VALUES.__getitem__)
        with pytest.raises(DeliveryFailed) as caught:
            deliver(channel, "hello", {"mail": b"wrong horse"}.__getitem__)
    finally:
        server.stop()
    assert [subject for _, subject, _ in box.mails] == ["hello"]
    assert "535" in str(caught.value)
    assert "wrong horse" not in str(caught.value)


def test_a_server_that_never_answers_is_left_to_itself() -> None:
    """The deadline of a try holds for mail as well."""
    with silent() as port:
        channel = Channel("mail", ("finish",), _mail(port).way, 0.1)
        told = Notifier(channel, VALUES.__getitem__, delays_s=(0.01,))
        told.send(Message("finish", ("done",)))
        assert told.close(30)
    assert told.failed[0].why == "no answer within 0.1 s"
