"""The process around an agent: cards, addresses, the command line, and what it holds on to."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import uvicorn
from a2a.server.context import ServerCallContext
from a2a.types.a2a_pb2 import ListTasksRequest, Task, TaskState, TaskStatus
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from specialist_agents import __main__ as command_line
from specialist_agents.app import BodyLimit
from specialist_agents.cards import CARDS, UnknownAgent, address_of, at_address, base_url, card_names, read_card
from specialist_agents.logs import JsonLines
from specialist_agents.premises import premises
from specialist_agents.reviewers import REVIEWERS, Reviewer
from specialist_agents.server import Address, CannotServe, bound, serve
from specialist_agents.store import BoundedTaskStore
from specialist_agents.testing import running
from specialist_agents.trades import MAIL, OFFICE, worker_names
from specialist_agents.workshop import Limits

ROOT = Path(__file__).parents[2]
PORTS = {"lint": 8421, "security": 8422, "complexity": 8423, "deadcode": 8424, "types": 8425}
ASKING_PORTS = {"style": 8426, "licences": 8427}
REPOSITORY_PORTS = {"history": 8451, "documentation": 8452, "coverage": 8453, "dependencies": 8454}


@pytest.mark.parametrize(("name", "port"), sorted((PORTS | ASKING_PORTS).items()))
def test_a_card_says_where_what_and_how(name, port):
    card = read_card(name)
    assert card.name == name
    assert address_of(card) == ("127.0.0.1", port)
    spoken = [(interface.protocol_binding, interface.protocol_version) for interface in card.supported_interfaces]
    assert spoken == [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3")]
    assert card.capabilities.streaming
    assert not card.capabilities.push_notifications
    assert card.default_input_modes[0] == "text/x-python"
    assert card.default_output_modes[0] == "application/json"
    assert (len(card.default_input_modes) == 1) == (name in PORTS)  # who asks takes answers, too


def test_every_reviewer_can_be_chosen_by_skill_or_by_tag_and_by_one_skill_of_its_own():
    assert sorted(PORTS | ASKING_PORTS | REPOSITORY_PORTS) == sorted(REVIEWERS)
    own = set()
    for name in PORTS | ASKING_PORTS:
        skills = {skill.id: set(skill.tags) for skill in read_card(name).skills}
        assert "python-review" in skills
        assert all("python-review" in tags for tags in skills.values())
        own |= skills.keys() - {"python-review"}
    named = {"python-lint", "python-security", "python-complexity", "python-dead-code", "python-types"}
    assert own == {*named, "python-style", "python-licences"}


def test_every_card_has_a_worker_and_the_cards_of_a_group_lie_in_a_folder_of_their_own():
    assert card_names() == sorted(worker_names())
    assert card_names(CARDS / "mail") == sorted(MAIL)
    assert card_names(CARDS / "office") == sorted(OFFICE)
    assert {path.stem for path in CARDS.glob("*.json")} == set(PORTS)


def test_a_card_moves_with_its_address_and_keeps_its_paths():
    moved = at_address(read_card("lint"), "https://example.org/lint/")
    assert [interface.url for interface in moved.supported_interfaces] == [
        "https://example.org/lint/",
        "https://example.org/lint",
        "https://example.org/lint/",
    ]


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.2", "http://127.0.0.2:1"), ("0.0.0.0", "http://127.0.0.1:1"), ("::1", "http://[::1]:1")],
)
def test_the_url_of_a_host(host, url):
    assert base_url(host, 1, read_card("lint")) == url


@pytest.mark.parametrize("content", ["{", "[]", '{"name": 3}', "{}"])
def test_a_file_that_is_no_card_is_refused(tmp_path, content):
    (tmp_path / "lint.json").write_text(content)
    with pytest.raises(UnknownAgent, match=r"lint\.json"):
        read_card("lint", tmp_path)


async def test_the_served_card_names_the_port_it_is_served_at():
    async with running("lint") as url, httpx.AsyncClient(base_url=url) as http:
        card = (await http.get("/.well-known/agent-card.json")).json()
        health = (await http.get("/healthz")).json()
    assert {interface["url"].rstrip("/") for interface in card["supportedInterfaces"]} == {url}
    assert health == {"status": "ok", "agent": "lint", "tool": "ruff", "version": REVIEWERS["lint"].version()}


def _command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "specialist_agents", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["nobody"],
            "unknown agent 'nobody'; .* has: attachments, .*complexity, .*lint, .*types",
        ),
        ([], "the following arguments are required: NAME"),
        (["lint", "--port", "many"], "argument --port: invalid int value: 'many'"),
        (["lint", "--port", "70000"], "cannot listen at 127.0.0.1:70000: .*"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(arguments, says):
    ended = _command(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert re.fullmatch(f"specialist_agents: {says}\n", ended.stderr)


def test_a_taken_port_is_one_line_and_status_2():
    with bound("127.0.0.1", 0) as taken:
        ended = _command("lint", "--port", str(taken.getsockname()[1]))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert "cannot listen at 127.0.0.1:" in ended.stderr


def test_help_names_the_agents():
    ended = _command("--help")
    assert ended.returncode == 0
    told = " ".join(ended.stdout.split())
    assert all(f" {name}," in told for name in ("attachments", "complexity", "coverage", "grammar", "licences", "lint"))


def test_a_missing_tool_is_named(monkeypatch):
    monkeypatch.setitem(REVIEWERS, "lint", Reviewer(module="nowhere", distribution="no-such-tool"))
    with pytest.raises(CannotServe, match="lint needs no-such-tool, which is not installed"):
        serve("lint", Address(port=0), Limits())


def test_a_card_without_an_analyser_is_named(tmp_path):
    (tmp_path / "poetry.json").write_text((CARDS / "lint.json").read_text())
    with pytest.raises(CannotServe, match="no analyser belongs to the agent 'poetry'"):
        serve("poetry", Address(port=0), Limits(), tmp_path)


@pytest.mark.processes
def test_a_served_agent_writes_nothing_but_json_lines_to_standard_error():
    process = subprocess.Popen(
        [sys.executable, "-m", "specialist_agents", "lint", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        first = json.loads(process.stderr.readline())
        assert httpx.get(f"{first['url']}/healthz").status_code == 200
        process.terminate()
        rest = [json.loads(line) for line in process.stderr]
        assert process.stdout.read() == ""
    assert (first["event"], first["agent"]) == ("listening", "lint")
    assert all({"time", "level", "logger", "event"} <= line.keys() for line in rest)


async def test_a_body_beyond_the_limit_is_refused_and_one_at_the_limit_is_not():
    async def length(request: Request):
        return PlainTextResponse(str(len(await request.body())))

    app = BodyLimit(Starlette(routes=[Route("/", length, methods=["POST"])]), max_bytes=10)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answers = [await http.post("/", content=b"x" * size) for size in (10, 11)]
    assert [answer.status_code for answer in answers] == [200, 413]


def test_a_folder_is_removed_by_the_next_process_only_when_its_own_is_dead(tmp_path):
    abandoned = tmp_path / "a2a-review-abandoned"
    abandoned.mkdir()
    (abandoned / ".lock").touch()
    (tmp_path / "a2a-review-without-lock").mkdir()
    (tmp_path / "something-else").mkdir()
    with premises(tmp_path) as first, premises(tmp_path) as second:
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {first.name, second.name, "a2a-review-without-lock", "something-else"}
    assert not first.exists()


@pytest.mark.parametrize(("limits", "kept"), [({"max_tasks": 2}, ["3", "2"]), ({"max_bytes": 1}, ["3"])])
async def test_the_store_forgets_what_ended_first_and_nothing_that_is_open(limits, kept):
    store, context = BoundedTaskStore(**limits), ServerCallContext()
    for number, state in enumerate(["WORKING", "COMPLETED", "FAILED", "CANCELED"]):
        status = TaskStatus(state=TaskState.Value(f"TASK_STATE_{state}"))
        await store.save(Task(id=str(number), context_id="c", status=status), context)
    listed = await store.list(ListTasksRequest(), context)
    assert [task.id for task in listed.tasks] == [*kept, "0"]


@pytest.mark.parametrize(
    ("arguments", "address", "limits"),
    [
        ([], Address(), Limits()),
        (["--host", "::1", "--port", "0"], Address(host="::1", port=0), Limits()),
        (["--public-url", "https://x/"], Address(public_url="https://x/"), Limits()),
        (
            ["--time-limit", "1.5", "--cpu-limit", "2", "--memory-limit", "3", "--concurrency", "4"],
            Address(),
            Limits(wall_s=1.5, cpu_s=2, memory_mb=3, concurrent=4),
        ),
        (["--findings-limit", "5"], Address(), Limits(max_findings=5)),
    ],
)
def test_the_command_line_says_where_and_within_which_limits(monkeypatch, arguments, address, limits):
    calls = []
    monkeypatch.setattr(command_line, "serve", lambda *given: calls.append(given))
    monkeypatch.setattr(command_line, "log_to_stderr", calls.append)
    assert command_line.main(["lint", *arguments]) == 0
    assert calls == ["info", ("lint", address, limits, CARDS)]


def test_what_cannot_be_served_is_told_on_standard_error(monkeypatch, capsys):
    def refuse(*_):
        raise CannotServe("the cat sits on the port")

    monkeypatch.setattr(command_line, "serve", refuse)
    monkeypatch.setattr(command_line, "log_to_stderr", lambda _: None)
    assert command_line.main(["lint"]) == 2
    assert capsys.readouterr() == ("", "specialist_agents: the cat sits on the port\n")


@pytest.mark.parametrize(
    ("address", "url"),
    [(Address(port=0), r"http://127\.0\.0\.1:\d+"), (Address(port=0, public_url="https://x/y"), "https://x/y")],
)
def test_an_agent_is_served_at_the_address_it_logs(monkeypatch, caplog, address, url):
    served = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda _, sockets: served.append(sockets))
    with caplog.at_level("INFO"):
        serve("lint", address, Limits())
    assert len(served) == 1
    assert re.fullmatch(url, caplog.records[-1].url)


def test_a_log_line_is_json_with_its_fields_and_its_exception():
    try:
        raise ValueError("bad")
    except ValueError:
        record = logging.LogRecord("a.b", logging.ERROR, __file__, 1, "it %s", ("broke",), sys.exc_info())
    record.task, record.created, record.msecs = "t1", 0.0, 7.0
    line = json.loads(JsonLines().format(record))
    assert line.pop("exception").endswith("ValueError: bad")
    assert line == {
        "time": "1970-01-01T00:00:00.007Z",
        "level": "error",
        "logger": "a.b",
        "event": "it broke",
        "task": "t1",
    }
