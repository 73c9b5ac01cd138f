"""The plan repository-review with the real agents over sockets: each gets the files it reads."""

from contextlib import AsyncExitStack, asynccontextmanager

import yaml
from a2a.types.a2a_pb2 import Message
from google.protobuf.json_format import MessageToJson

from coordinator import testing
from coordinator.cli.repository import ALL_MODES, pack_repository
from coordinator.config import PLANS, AgentEntry
from coordinator.directory import known_agent
from coordinator.planning import load_plans, resolve
from coordinator.wire import content_in, content_out
from specialist_agents.cards import at_address, read_card
from specialist_agents.intake import PROJECT, PYTHON_AMONG_OTHERS, files_of
from specialist_agents.testing import running
from tests.policies.rig import coordinating
from tests.research.repositories import commit, git

FILES = {
    "app.py": '"""App."""\n\nimport subprocess\nimport requests\n\n\ndef run(command):\n'
    "    return subprocess.call(command, shell=True)\n",
    "README.md": "# App\n\n[usage](usage.md)\n",
    "pyproject.toml": '[project]\nname = "app"\nlicense = "MIT"\ndependencies = []\n',
    "LICENSE": "Permission is hereby granted, free of charge, to any person obtaining a copy\n",
    "coverage.json": '{"files": {"app.py": {"executed_lines": [1, 3, 4, 7], "missing_lines": [8]}}}',
}


def repository(folder):
    folder.mkdir()
    git(folder, "init", "-q")
    commit(folder, "wip", FILES)
    return [content_in(part) for part in pack_repository([folder], ALL_MODES).parts]


@asynccontextmanager
async def reviewing(folder, *names):
    """A coordinator with the plan that ships, in front of these agents."""
    cards = folder / "cards"
    cards.mkdir()
    plan = yaml.safe_load((PLANS / "repository-review.yaml").read_text())
    async with AsyncExitStack() as stack:
        for name in names:
            card = at_address(read_card(name), await stack.enter_async_context(running(name)))
            (cards / f"{name}.json").write_text(MessageToJson(card))
        nobody = await stack.enter_async_context(testing.fleet([]))
        yield await stack.enter_async_context(coordinating(folder, nobody, plan, agents=(str(cards),)))


async def test_reviewers_of_code_and_of_repositories_make_one_report(tmp_path):
    names = ("lint", "security", "history", "documentation", "coverage", "dependencies")
    async with reviewing(tmp_path, *names) as coordinator:
        answer = await coordinator.ask(*repository(tmp_path / "app"))
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "complete"), answer.reason
    found = {(item["kind"], item["path"], item["statement"]) for item in answer.parts[0]["items"]}
    assert found >= {
        ("shell-injection", "app.py", 8),
        ("unclear-commit-message", "history.gitlog", 1),
        ("broken-link", "README.md", 3),
        ("untested-function", "app.py", 7),
        ("undeclared-import", "app.py", 4),
    }
    shell = next(item for item in answer.parts[0]["items"] if item["kind"] == "shell-injection")
    assert {source["agent"] for source in shell["sources"]} == {"lint", "security"}


def test_each_reviewer_gets_the_files_its_card_lists_and_licences_what_states_one(tmp_path):
    names = ("lint", "style", "licences", "history", "documentation", "coverage", "dependencies")
    agents = [known_agent(read_card(name), AgentEntry(card=name), name).candidate() for name in names]
    plan = load_plans([PLANS / "repository-review.yaml"])["repository-review"]
    parts = repository(tmp_path / "app")
    drafts = {draft.agent.name: draft.parts for draft in resolve(plan, agents, message=parts).drafts["review"]}
    got = {name: sorted(part.filename for part in own) for name, own in drafts.items()}
    assert got["lint"] == ["app.py"]
    assert got["history"] == ["app.py", "history.gitlog"]
    assert got["coverage"] == ["app.py", "coverage.json"]
    assert got["dependencies"] == ["LICENSE", "app.py", "pyproject.toml"]
    for name, taken, kept in (
        ("licences", PROJECT, ["LICENSE", "app.py", "pyproject.toml"]),
        ("style", PYTHON_AMONG_OTHERS, ["app.py"]),
    ):
        message = Message(parts=[content_out(part) for part in drafts[name]])
        assert [file.name for file in files_of(message, taken)] == kept
