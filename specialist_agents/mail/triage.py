"""The program behind the agent `triage`: one item for every mail, whatever the mail is like."""

from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any

from specialist_agents.mail.audience import audience_of
from specialist_agents.mail.authentication import authentication_of
from specialist_agents.mail.bounds import Overtime, clean, within
from specialist_agents.mail.injection import injection_of
from specialist_agents.mail.mime import Mail, content_of, filename_of, media_type_of, read_headers, read_mail
from specialist_agents.mail.topics import kind_of, owner_of
from specialist_agents.mail.urgency import Known, urgency_of

SCHEMA = "triage/v1"
ENTRIES_PER_DOCUMENT = 200
MAIL_CPU_S = 4.0
_HEADERS_CPU_S = 2.0
_MAX_ATTACHMENTS = 50
_BEYOND = "it cannot be read: its headers alone take too long"

Item = dict[str, Any]


def items_of(name: str, content: bytes, _media_type: str = "") -> Iterator[Item]:
    """Yield the one item of a mail: of all of it, of its headers, or of its bytes alone."""
    try:
        with within(MAIL_CPU_S):
            item = _item(read_mail(name, content), content)
    except (Overtime, RecursionError, MemoryError) as error:
        item = _of_headers(name, content, _too_much(error))
    yield item


def _of_headers(name: str, content: bytes, problem: str) -> Item:
    try:
        with within(_HEADERS_CPU_S):
            return _item(read_headers(name, content, problem), content)
    except (Overtime, RecursionError, MemoryError):
        return _item(read_headers(name, b"", _BEYOND), content)


def _too_much(error: BaseException) -> str:
    what = {"RecursionError": "its parts are nested too deeply", "MemoryError": "it needs too much memory"}
    return f"only its headers were read: {what.get(type(error).__name__, 'the rest takes too long')}"


def _item(mail: Mail, content: bytes) -> Item:
    audience, authentication, injection = audience_of(mail), authentication_of(mail), injection_of(mail)
    kind = kind_of(mail, audience)
    known = Known(kind.value, audience.value, authentication.judgement.value, injection.value)
    return {
        "mail": mail.name,
        "digest": sha256(content).hexdigest()[:32],
        "subject": clean(mail.header("Subject"), 300),
        "from": clean(mail.header("From"), 300),
        "date": _date(mail.header("Date")),
        "urgency": urgency_of(mail, known).as_json(),
        "kind": kind.as_json(),
        "owner": owner_of(kind, known.authentication, known.injection).as_json(),
        "audience": audience.as_json(),
        "authentication": authentication.as_json(),
        "injection": injection.as_json(),
        "attachments": [
            {"filename": filename_of(part), "mediaType": media_type_of(part), "bytes": len(content_of(part))}
            for part in mail.attachments[:_MAX_ATTACHMENTS]
        ],
        "problems": [clean(problem, 200) for problem in mail.problems],
    }


def _date(header: str) -> str:
    """Return the moment a mail says it was written, in UTC; empty when it says nothing that is one."""
    try:
        moment = parsedate_to_datetime(header)
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else f"{moment.isoformat()}+00:00"
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
