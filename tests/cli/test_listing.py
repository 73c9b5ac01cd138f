"""`agents add`, `agents remove` and `agents list` against agents behind real sockets."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import StatusCode
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from typer.testing import CliRunner

from coordinator import directory
from coordinator.cli import listing, meeting
from coordinator.cli.exits import Stop
from coordinator.cli.program import program
from coordinator.cli.serving import STARTER
from coordinator.config import CARDS, load_settings
from coordinator.testing import Specialist, fleet
from coordinator.testing.server import listener, serving
from tests.outbound.grpc_agents import Strike, behind_grpc

ROOT = Path(__file__).parents[2]
OURS = "port: 8421  # ours\nagents:\n  - https://other.invalid   # not there today\n# the end\n"
BEARER = {"securitySchemes": {"key": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}}}
API_KEY = {"securitySchemes": {"key": {"apiKeySecurityScheme": {"location": "header", "name": "x-key"}}}}
WANTED = {"securityRequirements": [{"schemes": {"key": {}}}]}


@pytest.fixture
def file(tmp_path):
    written = tmp_path / "coordinator.yaml"
    written.write_text(OURS)
    return written


@asynccontextmanager
async def agent(name="ada", **more):
    """One agent of the fault kit: its URL, and what it was asked."""
    async with fleet([Specialist(name, **more)]) as network:
        yield network[name]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


async def adding(url, file, *, as_json=False, **more):
    return await listing.add(listing.Wish(url, **more), file, as_json=as_json)


async def refused(url, file, **more):
    """Why it is not added; the file is as it was."""
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(Stop) as stopped:
        await adding(url, file, **more)
    assert (file.read_bytes() if file.exists() else None) == before
    assert stopped.value.code == 2
    assert "\n" not in str(stopped.value)
    return str(stopped.value)


async def test_an_agent_is_met_shown_and_written(file, capsys):
    async with agent(skills=("pricing",), tags=("money",), pushing=True) as ada:
        assert await adding(ada.url, file) == 0
        assert [asked.operation for asked in ada.received] == ["card", "get"]
    assert file.read_text() == OURS.replace("# the end", f"  - card: {ada.url}\n    name: ada\n# the end")
    shown = capsys.readouterr().out
    assert f"JSONRPC 1.0 {ada.url}, it answers" in shown
    assert "pricing (money)" in shown
    assert "stream, push, poll" in shown
    assert f"coordinator serve --config {file}" in shown


async def test_a_card_is_an_address_as_well_and_the_name_may_be_another(file):
    async with agent() as ada:
        url = f"{ada.url}.well-known/agent-card.json"
        await adding(url, file, name="prices")
    assert load_settings(file).agents[1].model_dump(exclude_defaults=True) == {"card": url, "name": "prices"}


async def test_for_programs_it_is_one_object(file, capsys):
    async with agent() as ada:
        await adding(ada.url, file, as_json=True, is_dry=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["config"], told["written"]) == (str(file), False)
    assert told["agent"]["interface"] == {"url": ada.url, "binding": "JSONRPC", "version": "1.0"}
    assert (told["agent"]["name"], told["agent"]["streaming"], told["agent"]["answered"]) == ("ada", True, True)


async def test_a_dry_run_writes_nothing(tmp_path, file, capsys):
    async with agent() as ada:
        await adding(ada.url, file, is_dry=True)
        await adding(ada.url, tmp_path / "new.yaml", is_dry=True)
    assert file.read_text() == OURS
    assert names_in(tmp_path) == ["coordinator.yaml"]
    assert "left as it is" in capsys.readouterr().out


async def test_a_file_that_is_not_there_begins_as_the_starter_and_keeps_our_agents(tmp_path, capsys):
    file = tmp_path / "coordinator.yaml"
    async with agent() as ada:
        await adding(ada.url, file)
    assert [entry.card for entry in load_settings(file).agents] == [str(CARDS), ada.url]
    gone = set(STARTER.read_text().splitlines()) - set(file.read_text().splitlines())
    assert gone == set()
    assert f"stay, as the entry {CARDS}" in capsys.readouterr().err


async def test_a_link_stays_a_link_and_the_file_keeps_its_mode(tmp_path, file):
    file.chmod(0o600)
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    async with agent() as ada:
        await adding(ada.url, link)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600
    assert ada.url in file.read_text()
    assert names_in(tmp_path) == ["coordinator.yaml", "link.yaml"]


async def test_an_agent_that_is_there_already_is_told(tmp_path, file):
    async with fleet(["ada", "bob"]) as network:
        await adding(network["ada"].url, file)
        again = network["ada"].url.removesuffix("/") + "/.well-known/agent-card.json"
        assert "is in" in await refused(again, file, name="other")
        assert "an agent named ada already" in await refused(network["bob"].url, file, name="ada")
        nameless = tmp_path / "nameless.yaml"
        nameless.write_text(f"agents: [{network['ada'].url}]\n")
        assert "give another --name" in await refused(network["bob"].url, nameless, name="ada")
        ours = tmp_path / "new.yaml"
        assert "an agent named lint already" in await refused(network["bob"].url, ours, name="lint")


async def test_what_is_no_url_or_no_name_is_told(file):
    assert "begins with http" in await refused("ftp://a.example", file)
    assert "--name A b: small letters" in await refused("http://a.invalid", file, name="A b")


async def test_a_configuration_that_is_wrong_is_not_made_worse(file):
    file.write_text("prot: 1\n")
    assert "prot" in await refused("http://a.invalid", file)


async def test_a_folder_that_is_not_there_is_told(tmp_path):
    async with agent() as ada:
        assert "cannot be written" in await refused(ada.url, tmp_path / "nowhere" / "c.yaml")


@pytest.mark.parametrize(
    ("card", "why"),
    [
        ({"name": ""}, "lacks a name"),
        ({"name": "价格"}, "give one with --name"),
        ({"supportedInterfaces": []}, "offers no interface"),
        (
            {"supportedInterfaces": [{"protocolBinding": "CARRIER-PIGEON", "protocolVersion": "1.0", "url": "x"}]},
            "offers CARRIER-PIGEON 1.0; this coordinator speaks JSONRPC",
        ),
        (
            {"supportedInterfaces": [{"protocolBinding": "JSONRPC", "protocolVersion": "2.0", "url": "http://x"}]},
            "offers JSONRPC 2.0",
        ),
        (
            {
                "supportedInterfaces": [
                    {"protocolBinding": "JSONRPC", "protocolVersion": "1.0", "url": "http://127.0.0.1:1/"}
                ]
            },
            "interface http://127.0.0.1:1/ (JSONRPC 1.0), which cannot be used: no connection",
        ),
        (BEARER | WANTED, "wants a token (key): say which variable holds it with --token-env"),
        (API_KEY | WANTED, "wants key, and this coordinator can only send bearer tokens"),
    ],
    ids=["no name", "no letters", "no interface", "another binding", "another version", "away", "token", "api key"],
)
async def test_a_card_we_cannot_work_with_says_why(file, card, why):
    async with agent(card=card) as ada:
        assert why in await refused(ada.url, file)


async def test_a_card_whose_security_may_be_left_out_needs_no_token(file):
    either = {"securityRequirements": [{"schemes": {"key": {}}}, {"schemes": {}}]}
    async with agent(card=BEARER | either) as ada:
        assert await adding(ada.url, file) == 0


@asynccontextmanager
async def pages(*routes):
    opened = listener()
    url = f"http://127.0.0.1:{opened.getsockname()[1]}"
    with opened:
        async with serving(Starlette(routes=routes), opened):
            yield url


def page(path, answer, *methods):
    async def answered(request):
        return answer(request)

    return Route(path, answered, methods=methods or ["GET"])


CARD = "/.well-known/agent-card.json"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: PlainTextResponse("<html>"), "Failed to parse JSON"),
        (lambda _: JSONResponse(["a"]), "must be a JSON object"),
        (lambda _: JSONResponse({"hello": 1}), "is it an A2A Agent Card?"),
        (lambda _: PlainTextResponse("no", 404), "HTTP 404"),
    ],
    ids=["a page", "a list", "other JSON", "nothing"],
)
async def test_what_is_no_agent_card_is_told(file, answer, why):
    async with pages(page(CARD, answer)) as url:
        assert why in await refused(url, file)


async def test_nobody_there_is_told(file):
    assert "no A2A Agent Card can be read there" in await refused("http://127.0.0.1:1", file)


@pytest.mark.parametrize("is_new", [False, True], ids=["a file", "a new one"])
async def test_what_somebody_writes_meanwhile_stays(tmp_path, file, is_new):
    place = tmp_path / "new.yaml" if is_new else file

    def writes(request):
        place.write_text("port: 9\n")
        return card_of(request)

    async with pages(page(CARD, writes), page("/rpc", guarded, "POST")) as url:
        with pytest.raises(Stop, match="was changed meanwhile, so nothing is written"):
            await adding(url, place, token_env="GUARD")
    assert place.read_text() == "port: 9\n"


def card_of(request):
    interface = {"protocolBinding": "JSONRPC", "protocolVersion": "1.0", "url": f"{request.base_url}rpc"}
    return JSONResponse({"name": "Guard", "supportedInterfaces": [interface]})


def guarded(request):
    if request.headers.get("authorization") == "Bearer right":
        return JSONResponse({"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "unknown task"}})
    return PlainTextResponse("who are you?", 401)


async def test_an_agent_behind_a_token_is_asked_with_it(file, monkeypatch, capsys):
    async with pages(page(CARD, card_of), page("/rpc", guarded, "POST")) as url:
        assert "wants a token: say which variable holds it with --token-env" in await refused(url, file)
        monkeypatch.setenv("GUARD", "wrong")
        assert "does not accept the token (HTTP 401)" in await refused(url, file, token_env="GUARD")
        monkeypatch.setenv("GUARD", "right")
        await adding(url, file, token_env="GUARD")
    assert load_settings(file).agents[1].token_env == "GUARD"
    assert "from GUARD" in capsys.readouterr().out
    assert "right" not in file.read_text()


@asynccontextmanager
async def agent_over_grpc(strikes=()):
    """One agent whose card is a page and whose only interface is gRPC."""
    async with agent() as ada, behind_grpc(ada) as (target, planned):
        planned.plan("GetTask", *strikes)
        interface = {"protocolBinding": "GRPC", "protocolVersion": "1.0", "url": target}
        card = {**ada.card(), "supportedInterfaces": [interface]}
        async with pages(Route("/.well-known/agent-card.json", lambda _: JSONResponse(card))) as url:
            yield url, target


async def test_an_agent_that_speaks_only_grpc_is_met_over_grpc(file, capsys):
    async with agent_over_grpc() as (url, target):
        assert await adding(url, file) == 0
    assert f"GRPC 1.0 {target}, it answers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "why"),
    [(StatusCode.UNAUTHENTICATED, "wants a token"), (StatusCode.UNIMPLEMENTED, "which cannot be used")],
)
async def test_a_grpc_interface_that_lets_nobody_in_is_told(file, code, why):
    async with agent_over_grpc([Strike(code)]) as (url, _):
        assert why in await refused(url, file)


async def test_without_the_extra_an_agent_that_speaks_only_grpc_is_told_with_what_to_install(file, monkeypatch):
    monkeypatch.setattr(directory, "speaks_grpc", lambda: False)
    monkeypatch.setattr(meeting, "speaks_grpc", lambda: False)
    async with agent_over_grpc() as (url, _):
        assert "a2a-coordinator[grpc]" in await refused(url, file)


async def test_a_token_that_is_not_set_here_is_told_and_nothing_is_asked(file, monkeypatch, capsys):
    monkeypatch.delenv("GUARD", raising=False)
    async with pages(page(CARD, card_of)) as url:
        await adding(url, file, token_env="GUARD")
    told = capsys.readouterr()
    assert "GUARD is not set here" in told.err
    assert "not asked" in told.out


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: PlainTextResponse("hello"), "does not speak A2A"),
        (lambda _: PlainTextResponse("no", 404), "which cannot be used: HTTP 404"),
    ],
    ids=["words", "nothing"],
)
async def test_an_interface_that_is_none_is_told(file, answer, why):
    async with pages(page(CARD, card_of), page("/rpc", answer, "POST")) as url:
        assert why in await refused(url, file)


def call(*arguments):
    return CliRunner().invoke(program(), ["agents", *map(str, arguments)])


def test_an_entry_is_removed_by_its_name_or_its_card(file):
    file.write_text(OURS.replace("# the end", "  - card: ./a.json  # a\n    name: ada\n# the end"))
    assert call("remove", "ada", "--config", file).exit_code == 0
    assert file.read_text() == OURS
    gone = call("remove", "https://other.invalid/", "--config", file, "--json")
    assert json.loads(gone.stdout) == {"config": str(file), "removed": {"card": "https://other.invalid"}}
    assert file.read_text() == "port: 8421  # ours\nagents: []\n# the end\n"


def test_whom_the_file_does_not_have_is_told_with_whom_it_has(file, tmp_path):
    unknown = call("remove", "eve", "--config", file)
    assert unknown.exit_code == 2
    assert "has no agent eve; it has: https://other.invalid" in unknown.stderr
    file.write_text(f"agents: [{CARDS}]\n")
    assert f"lint comes from {CARDS}, which is one entry" in call("remove", "lint", "--config", file).stderr
    assert "lists no agents" in call("remove", "lint", "--config", tmp_path / "none.yaml").stderr


def test_the_entries_are_listed_without_asking_anybody(file):
    file.write_text(f"agents:\n- {CARDS}\n- {{card: 'http://b.invalid', name: bob, token_env: BOB, tags: [x, y]}}\n")
    shown = call("list", "--config", file).stdout
    assert "complexity, deadcode, lint, security, types" in shown
    assert "tags: x y" in shown
    told = json.loads(call("list", "--config", file, "--json").stdout)
    assert told["entries"][1] == {
        "card": "http://b.invalid",
        "name": "bob",
        "token_env": "BOB",
        "tags": ["x", "y"],
        "agents": ["bob"],
    }
    assert not told["isDefault"]


def test_without_a_file_the_defaults_are_listed(tmp_path):
    listed = call("list", "--config", tmp_path / "none.yaml")
    assert "lint" in listed.stdout
    assert "lists none; these come with this project" in listed.stderr


async def test_as_a_program_it_ends_with_its_code(tmp_path):
    command = [sys.executable, "-m", "coordinator.cli", "agents", "add"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    async def run(*arguments):
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async with agent() as ada:
        assert (await run(ada.url))[0] == 0
        code, out, err = await run(ada.url)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is in coordinator.yaml already as ada" in err
    assert len(load_settings(tmp_path / "coordinator.yaml").agents) == 2
