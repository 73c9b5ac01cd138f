"""One connection to a mail server, and what it says to each mail: SMTP with the standard library.

Blocking; called in a thread. The steps of a mail are taken one by one, since only what breaks after its text was sent
leaves open whether it will arrive.
"""

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from hashlib import sha256
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from specialist_agents.mailing.ledger import Outcome
from specialist_agents.office.texts import excerpt

TIMEOUT_S = 30.0


class NoServer(Exception):
    """The mail server cannot be used; the message says why, in words for the client."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where mails are handed in: `smtp://host:port`, or `smtps://user@host:465` with TLS from the start."""

    url: str
    sender: str
    password: str = ""

    @property
    def place(self) -> str:
        """Host and port."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or (465 if parts.scheme == 'smtps' else 25)}"

    def mail(self, campaign: str, to: str, subject: str, body: str) -> EmailMessage:
        """Return a mail; its id follows from campaign and address, so whoever gets it twice can tell."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, to, subject
        key = sha256(f"{campaign}\n{to.lower()}".encode()).hexdigest()[:32]
        mail["Message-ID"] = f"<{key}@{self.sender.rpartition('@')[2].strip('> ')}>"
        mail.set_content(body)
        return mail


class Connection:
    """An open connection; `with` opens and closes it. Raises NoServer when it cannot be opened."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        """Connect, and log in where there is a user; never with a password in the clear."""
        parts = urlsplit(self._server.url)
        host, _, port = self._server.place.rpartition(":")
        context = ssl.create_default_context()
        try:
            if parts.scheme == "smtps":
                self._smtp = smtplib.SMTP_SSL(host, int(port), timeout=TIMEOUT_S, context=context)
            else:
                self._smtp = smtplib.SMTP(host, int(port), timeout=TIMEOUT_S)
                self._smtp.ehlo()
                if self._smtp.has_extn("starttls"):
                    self._smtp.starttls(context=context)
            if parts.username:
                self._log_in(self._smtp, unquote(parts.username), encrypted=parts.scheme == "smtps")
        except NoServer:
            self.close()
            raise
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise NoServer(f"no connection to the mail server {self._server.place}: {excerpt(str(error))}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, whatever ended the block."""
        self.close()

    def close(self) -> None:
        """Close the connection without waiting for anything."""
        if self._smtp is not None:
            self._smtp.close()

    def _log_in(self, smtp: smtplib.SMTP, user: str, *, encrypted: bool) -> None:
        if not (encrypted or isinstance(smtp.sock, ssl.SSLSocket)):
            raise NoServer(f"the mail server {self._server.place} offers no encryption, so no password is sent to it")
        smtp.login(user, self._server.password)

    def send(self, mail: EmailMessage, to: str) -> Outcome:
        """Hand a mail in; return what the server said to it."""
        if self._smtp is None:
            raise NoServer("the connection is closed")
        try:
            self._smtp.ehlo_or_helo_if_needed()
            for step, address in ((self._smtp.mail, self._server.sender), (self._smtp.rcpt, to)):
                code, said = step(address)
                if code >= 300:
                    self._smtp.rset()
                    return _refused(code, said)
        except (OSError, smtplib.SMTPException) as error:
            return Outcome("deferred", 0, f"the connection broke before the mail was sent: {excerpt(str(error))}")
        return self._hand_over(self._smtp, mail)

    @staticmethod
    def _hand_over(smtp: smtplib.SMTP, mail: EmailMessage) -> Outcome:
        try:
            code, said = smtp.data(mail.as_bytes())
        except smtplib.SMTPDataError as error:  # to DATA itself: nothing of the mail was sent
            return _refused(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            return Outcome("unknown", 0, f"the connection broke while the mail was sent: {excerpt(str(error))}")
        return Outcome("delivered", code, _words(said)) if code == 250 else _refused(code, said)


def _refused(code: int, said: bytes | str) -> Outcome:
    """Return what a refusal means: 4xx may go later, 5xx never (RFC 5321, 4.2.1)."""
    return Outcome("deferred" if 400 <= code < 500 else "refused", code, _words(said))


def _words(said: bytes | str) -> str:
    return excerpt(said.decode("utf-8", "replace") if isinstance(said, bytes) else said, 200)
