"""What kinds of work there are: what a message must hold, which program does it, what comes out.

An agent belongs to one trade. Its name, skills and address are on its card; how its work is done is
known only to the program, which runs in a child process.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from specialist_agents.intake import INVOICES, LETTERS, MAILS, PYTHON, REPOSITORY, TEXTS, Taken
from specialist_agents.reviewers import REVIEWERS, Reviewer, Way


@dataclass(frozen=True, slots=True)
class Trade:
    """One kind of work and the shape of its documents."""

    taken: Taken  #: the files it is done with, unless an agent takes others
    work: str  #: what is done with them, in a verb
    package: str  #: the program, started in a child process
    artifact: str  #: id and name of the artifact
    schema: Path  #: of each document in it, below the folder of cards
    entries: str  #: where in a document the list is
    entry: str  #: what one of them is called
    gives_files: bool = False  #: whether each document is a file to be given on


@dataclass(frozen=True, slots=True)
class Worker:
    """An agent's trade, and the program that does its work."""

    trade: Trade
    program: Reviewer


REVIEW = Trade(
    taken=PYTHON,
    work="review",
    package="specialist_agents.analysis",
    artifact="findings",
    schema=Path("schemas") / "findings-v1.json",
    entries="findings",
    entry="finding",
)
REVIEW_OF_REPOSITORY = replace(REVIEW, taken=REPOSITORY)
TRIAGE = Trade(
    taken=MAILS,
    work="triage",
    package="specialist_agents.mail",
    artifact="triage",
    schema=Path("schemas") / "triage-v1.json",
    entries="items",
    entry="mail",
)
UNPACKING = Trade(
    taken=MAILS,
    work="unpack",
    package="specialist_agents.mail",
    artifact="attachments",
    schema=Path("schemas") / "unpacked-v1.json",
    entries="items",
    entry="attachment",
    gives_files=True,
)
READING = Trade(
    taken=REPOSITORY,
    work="read",
    package="specialist_agents.mail",
    artifact="attachments",
    schema=Path("schemas") / "attachments-v1.json",
    entries="items",
    entry="attachment",
)
SEARCH = Trade(
    taken=REPOSITORY,
    work="search",
    package="specialist_agents.research",
    artifact="passages",
    schema=Path("schemas") / "passages-v1.json",
    entries="items",
    entry="passage",
)
RESEARCH: dict[str, Worker] = {
    f"search-{kind}": Worker(SEARCH, Reviewer(module=f"specialist_agents.research.{kind}", way=Way.QUESTION))
    for kind in ("source", "history", "documentation", "dependencies", "tests")
}
MAIL: dict[str, Worker] = {
    "triage": Worker(TRIAGE, Reviewer(module="specialist_agents.mail.triage")),
    "attachments": Worker(UNPACKING, Reviewer(module="specialist_agents.mail.unpacking")),
    "read-text": Worker(READING, Reviewer(module="specialist_agents.mail.reading.text")),
    "read-table": Worker(READING, Reviewer(module="specialist_agents.mail.reading.table")),
    "read-pdf": Worker(READING, Reviewer(module="specialist_agents.mail.reading.pdf", distribution="pypdf")),
    "read-other": Worker(READING, Reviewer(module="specialist_agents.mail.reading.other")),
}


def _office(taken: Taken, work: str, artifact: str, entry: str) -> Trade:
    """Return a trade of the office: its documents are named after its artifact."""
    schema = Path("schemas") / f"{artifact}-v1.json"
    return Trade(taken, work, "specialist_agents.office", artifact, schema, "items", entry)


CHECKS = _office(TEXTS, "check", "checks", "remark")
OFFICE: dict[str, Worker] = {
    "summary": Worker(
        _office(TEXTS, "summarise", "summary", "summary"), Reviewer(module="specialist_agents.office.summary")
    ),
    "grammar": Worker(CHECKS, Reviewer(module="specialist_agents.office.grammar")),
    "facts": Worker(CHECKS, Reviewer(module="specialist_agents.office.facts")),
    "tone": Worker(CHECKS, Reviewer(module="specialist_agents.office.tone")),
    "letters": Worker(
        _office(LETTERS, "write", "letters", "letter"), Reviewer(module="specialist_agents.office.letters")
    ),
    "invoices": Worker(
        _office(INVOICES, "read", "invoices", "invoice"),
        Reviewer(module="specialist_agents.office.invoices", distribution="pypdf"),
    ),
    "mailer": Worker(
        _office(TEXTS, "send", "delivery", "mail"), Reviewer(module="specialist_agents.mailing", way=Way.SENDING)
    ),
}


def worker_of(name: str) -> Worker:
    """Return who does the work of this agent; raises KeyError when nobody does."""
    others = MAIL | RESEARCH | OFFICE
    if name in others:
        return others[name]
    reviewer = REVIEWERS[name]
    return Worker(REVIEW_OF_REPOSITORY if reviewer.of_repository else REVIEW, reviewer)


def worker_names() -> list[str]:
    """Return the agents whose work somebody can do."""
    return [*REVIEWERS, *MAIL, *RESEARCH, *OFFICE]
