"""What a rule says about a mail: a value, how sure it is, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from specialist_agents.mail.bounds import clean

MAX_REASONS = 8
MAX_REASON_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Judgement:
    """One statement about a mail; the confidence lies between 0 and 100."""

    value: str
    confidence: int
    reasons: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in the document."""
        reasons = [clean(reason, MAX_REASON_CHARACTERS) for reason in self.reasons[:MAX_REASONS]]
        return {"value": self.value, "confidence": min(max(self.confidence, 0), 100), "reasons": reasons}
