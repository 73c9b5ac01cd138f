"""Is a mail from whom it says? What the receiving server found by SPF, DKIM and DMARC (RFC 8601).

Anybody can write an `Authentication-Results` header. Only the topmost counts: the server that received
the mail last put it there, and every other one may be the sender's own.
"""

import re
from dataclasses import dataclass
from typing import Any

from specialist_agents.mail.bounds import clean
from specialist_agents.mail.judging import Judgement
from specialist_agents.mail.mime import Mail

METHODS = ("spf", "dkim", "dmarc")
_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"^\s*(spf|dkim|dmarc)(?:\s*/\s*\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
_KNOWN = frozenset({"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", "policy"})
_BAD = frozenset({"fail", "softfail", "permerror"})


@dataclass(frozen=True, slots=True)
class Authentication:
    """What each method found, who says so, and what it comes to: `pass`, `fail`, `mixed` or `none`."""

    found: dict[str, str]
    by: str
    judgement: Judgement

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in the document."""
        return {**self.judgement.as_json(), **self.found, "by": self.by}


def authentication_of(mail: Mail) -> Authentication:
    """Read the topmost results."""
    headers = mail.headers("Authentication-Results")
    if not headers:
        nothing = Judgement("none", 90, ["no Authentication-Results"])
        return Authentication(dict.fromkeys(METHODS, "none"), "", nothing)
    server, found = _results(headers[0])
    reasons = [f"{method} {found[method]}" for method in METHODS]
    if len(headers) > 1:
        reasons.append(f"{len(headers) - 1} further results below the topmost do not count")
    value, confidence = _judged(found)
    return Authentication(found, server, Judgement(value, confidence, reasons))


def _results(header: str) -> tuple[str, dict[str, str]]:
    server, *results = _COMMENT.sub(" ", header).split(";")
    found = dict.fromkeys(METHODS, "none")
    for result in results:
        if match := _RESULT.match(result):
            method, said = match[1].lower(), match[2].lower()
            # Of several signatures one that holds is enough.
            if said in _KNOWN and found[method] != "pass":
                found[method] = said
    return clean(server.strip().partition(" ")[0], 200), found


def _judged(found: dict[str, str]) -> tuple[str, int]:
    spf, dkim, dmarc = (found[method] for method in METHODS)
    if dmarc == "pass":
        return "pass", 95
    if dmarc in _BAD:
        return "fail", 95
    if (spf, dkim) == ("pass", "pass"):
        return "pass", 80
    if spf in _BAD and dkim != "pass":
        return "fail", 80 if dkim in _BAD else 65
    return ("none", 60) if {spf, dkim} == {"none"} else ("mixed", 60)
