"""Was a mail written to its reader, sent to many, or made by a program?

By headers alone: RFC 2369 and 8058 (`List-…`), RFC 3834 (`Auto-Submitted`), and the older `Precedence`.
"""

from email.utils import parseaddr

from specialist_agents.mail.judging import Judgement
from specialist_agents.mail.mime import Mail, media_type_of

BULK, AUTOMATIC, PERSONAL = "bulk", "automatic", "personal"
_BULK_PRECEDENCE = frozenset({"bulk", "list", "junk"})
_MACHINES = ("mailer-daemon", "postmaster", "no-reply", "noreply", "do-not-reply", "donotreply", "bounce")


def audience_of(mail: Mail) -> Judgement:
    """Return `bulk`, `automatic` or `personal`."""
    return _replied_by_program(mail) or _bulk(mail) or _automatic(mail) or _personal(mail)


def _auto_submitted(mail: Mail) -> str:
    return mail.header("Auto-Submitted").partition(";")[0].strip().lower()


def _precedence(mail: Mail) -> str:
    return mail.header("Precedence").strip().lower()


def _replied_by_program(mail: Mail) -> Judgement | None:
    if media_type_of(mail.root) == "multipart/report":
        return Judgement(AUTOMATIC, 98, ["it is a delivery report"])
    if _auto_submitted(mail) == "auto-replied" or _precedence(mail) == "auto_reply":
        return Judgement(AUTOMATIC, 98, ["Auto-Submitted or Precedence says a program has replied"])
    return None


def _bulk(mail: Mail) -> Judgement | None:
    reasons = [f"{name} is there" for name in ("List-Unsubscribe", "List-Id", "List-Post") if mail.header(name)]
    if _precedence(mail) in _BULK_PRECEDENCE:
        reasons.append(f"Precedence is {_precedence(mail)}")
    return Judgement(BULK, 87 + 4 * min(len(reasons), 3), reasons) if reasons else None


def _automatic(mail: Mail) -> Judgement | None:
    said = _auto_submitted(mail)
    if said and said != "no":
        return Judgement(AUTOMATIC, 95, [f"Auto-Submitted is {said}"])
    sender = parseaddr(mail.header("From"))[1].lower()
    machine = next((name for name in _MACHINES if sender.startswith(name)), None)
    return Judgement(AUTOMATIC, 75, [f"the sender's address begins with {machine}"]) if machine else None


def _personal(mail: Mail) -> Judgement:
    reasons, confidence = ["no header of a list or a program"], 70
    if mail.header("In-Reply-To") or mail.header("References"):
        reasons.append("it belongs to a conversation")
        confidence += 15
    if mail.header("To").count("@") == 1 and not mail.header("Cc"):
        reasons.append("it has one recipient")
        confidence += 5
    return Judgement(PERSONAL, confidence, reasons)
