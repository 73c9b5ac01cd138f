"""Short mails for tests, and the schemas of what the agents say about them."""

import json
from base64 import b64decode
from email.message import EmailMessage

import jsonschema_rs

from specialist_agents.cards import CARDS
from specialist_agents.mail import feed, triage, unpacking
from specialist_agents.mail.mime import Mail, read_mail
from specialist_agents.mail.reading import other, pdf, table, text

READERS = {"text/plain": text, "text/csv": table, "application/pdf": pdf}


def raw(text: str = "Hello", /, **headers: str) -> bytes:
    """Return a mail with these headers; underscores stand for hyphens."""
    given = {"From": "ada@example.org", "Subject": "Hello"} | {n.replace("_", "-"): v for n, v in headers.items()}
    return "".join(f"{name}: {value}\n" for name, value in given.items()).encode() + b"\n" + text.encode()


def read(text: str = "Hello", /, **headers: str) -> Mail:
    return read_mail("a.eml", raw(text, **headers))


def with_files(*files: tuple[str, str, bytes]) -> bytes:
    """Return a mail with files, each with its name, media type and content."""
    mail = EmailMessage()
    mail["From"] = "ada@example.org"
    mail["Subject"] = "Files"
    mail.set_content("See the files.")
    for name, media_type, content in files:
        main, _, sub = media_type.partition("/")
        mail.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return mail.as_bytes()


def _validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads((CARDS / "schemas" / name).read_text("utf-8")))


def triaged(content: bytes, name: str = "a.eml") -> dict:
    """Return the one item about a mail, which fits its schema."""
    (item,) = triage.items_of(name, content)
    _validator("triage-v1.json").validate({"schema": triage.SCHEMA, "items": [item]})
    return json.loads(json.dumps(item))


def fed(content: bytes, name: str = "a.eml") -> list[dict]:
    """Return the entries about a mail's attachments, each by the program for its type; they fit their schema."""
    items = [
        entry
        for file in unpacking.items_of(name, content)
        for entry in READERS.get(file["mediaType"], other).items_of(
            file["filename"], b64decode(file["content"]), file["mediaType"]
        )
    ]
    _validator("attachments-v1.json").validate({"schema": feed.SCHEMA, "items": items})
    return json.loads(json.dumps(items))
