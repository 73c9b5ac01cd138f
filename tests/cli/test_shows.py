"""`demo` and `network`: the shipped network, here with stubs for its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from coordinator.cli import members as module
from coordinator.cli.exits import Stop
from coordinator.cli.members import Card, check_free, chosen_cards, free_ports, members, moved_cards, read_cards
from coordinator.cli.program import program
from coordinator.cli.server_commands import network
from coordinator.config import CARDS
from coordinator.planning import load_plans

pytestmark = pytest.mark.processes

STUBBED = """
import sys
from coordinator.cli import main, performing
from coordinator.cli.network import Member

path = {"PYTHONPATH": sys.argv.pop(1)}

def stubs(cards, folder, port, db, cast=None):
    waits = [Member(card.name, [sys.executable, "-c", "import signal; signal.pause()"]) for card in cards]
    stand_in = [sys.executable, "-m", "tests.cli.stand_in", str(port)]
    return [*waits, Member("coordinator", stand_in, f"http://127.0.0.1:{port}/readyz", path)]

performing.members = stubs
main()
"""
ROOT = Path(__file__).parents[2]


def stubbed(*arguments: object) -> list[str]:
    return [sys.executable, "-c", STUBBED, str(ROOT), *map(str, arguments)]


def assert_no_children_of(pid: int, children: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert not psutil.pid_exists(pid)


def test_a_demo_reviews_a_folder_and_takes_everything_down(code, tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(stubbed("demo", code), capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == 0
    assert "2 findings" in done.stdout
    assert "the branches took 3.0 s together" in done.stdout
    assert "starting 6 processes: complexity, deadcode, lint, security, types, coordinator" in done.stderr
    assert list(tmp_path.iterdir()) == [code]


def test_a_question_left_open_in_a_demo_is_told_to_be_gone_with_it(code):
    asking = STUBBED.replace("str(port)]", "str(port), 'asking']")
    command = [sys.executable, "-c", asking, str(ROOT), "demo", str(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=ROOT)
    assert done.returncode == 5
    assert "which line length?" in done.stdout
    assert "the task is gone with the demo; to answer later start the agents with `coordinator network`" in done.stderr
    assert "coordinator answer" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_network_runs_until_it_is_ended_and_leaves_nothing(tmp_path, number):
    port, *others = free_ports(6)
    moved_cards(tmp_path / "cards", dict(zip([card.name for card in read_cards()], others, strict=True)))
    command = stubbed("network", "--port", port, "--cards", tmp_path / "cards")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # for the log files a killed one leaves
    network = subprocess.Popen(command, text=True, cwd=ROOT, env=environment, **pipes)
    with network:
        lines = [network.stdout.readline() for _ in range(8)]
        children = psutil.Process(network.pid).children(recursive=True)
        network.send_signal(number)
        _, told = network.communicate()
    assert f"coordinator  http://127.0.0.1:{port}\n" in lines
    assert lines[6].startswith(f"try: coordinator --server http://127.0.0.1:{port} review ")
    assert len(children) == 6
    assert network.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert "Traceback" not in told
    assert_no_children_of(network.pid, children)


def test_a_demo_of_nothing_is_told_before_anything_starts(tmp_path):
    result = CliRunner().invoke(program(), ["demo", str(tmp_path)])
    assert result.exit_code == 2
    assert "no Python files" in result.stderr


def test_the_shipped_cards_name_five_specialists_on_ports_of_their_own():
    cards = read_cards()
    assert [card.name for card in cards] == ["complexity", "deadcode", "lint", "security", "types"]
    assert len({card.port for card in cards}) == 5


def test_the_specialists_that_ask_take_part_only_when_named(tmp_path):
    assert chosen_cards(tmp_path / "none", []) == CARDS
    folder = chosen_cards(tmp_path / "cards", ["style", "licences"])
    cards = read_cards(folder)
    assert [card.name for card in cards] == ["complexity", "deadcode", "licences", "lint", "security", "style", "types"]
    assert len({card.port for card in cards}) == 7
    assert (folder / "schemas").is_dir()
    assert not (folder / "asking").exists()


def test_a_specialist_there_is_not_is_told_with_those_there_are(tmp_path):
    with pytest.raises(Stop, match="--with: there is no stile to add; there are: licences, style"):
        chosen_cards(tmp_path / "cards", ["stile", "style"])


def test_a_demo_starts_the_named_ones_beside_the_five(code, tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = stubbed("demo", code, "--with", "style, licences,style")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == 0
    assert "starting 8 processes: complexity, deadcode, licences, lint, security, style, types, coord" in done.stderr


def test_a_network_with_an_unknown_specialist_does_not_start():
    result = CliRunner().invoke(program(), ["network", "--with", "nobody"])
    assert result.exit_code == 2
    assert "there is no nobody to add" in result.stderr


def test_moved_cards_are_the_shipped_ones_on_other_ports(tmp_path):
    ports = {card.name: 30_000 + number for number, card in enumerate(read_cards())}
    moved = moved_cards(tmp_path / "cards", ports)
    assert {card.name: card.port for card in moved} == ports
    assert (tmp_path / "cards/schemas/findings-v1.json").is_file()
    text = (tmp_path / "cards/lint.json").read_text()
    assert "8421" not in text
    assert json.loads(text)["supportedInterfaces"][0]["url"] == f"http://127.0.0.1:{ports['lint']}/"


def test_every_member_is_told_its_port_and_the_cards(tmp_path):
    made = members([Card("lint", "http://127.0.0.1:9/")], tmp_path, 8000, "x.db")
    assert [m.name for m in made] == ["lint", "coordinator"]
    assert made[0].command[-6:] == ["specialist_agents", "lint", "--port", "9", "--cards", str(tmp_path)]
    assert made[1].command[-10:-4] == ["--port", "8000", "--agents", str(tmp_path), "--db", "x.db"]
    assert made[1].ready_url == "http://127.0.0.1:8000/readyz"


def test_the_network_of_mail_agents_knows_the_plan_they_are_for(tmp_path):
    cards = read_cards(module.MAIL.cards)
    assert [card.name for card in cards] == [
        "attachments",
        "read-other",
        "read-pdf",
        "read-table",
        "read-text",
        "triage",
    ]
    made = members(cards, module.MAIL.cards, 8000, None, module.MAIL)
    *_, plans, option, default = map(str, made[-1].command)
    assert option == "--default-plan"
    assert default in load_plans([Path(plans)])
    assert Path(module.MAIL.sample[1]).is_file()


def test_the_network_of_the_office_knows_the_plans_it_is_for():
    cards = read_cards(module.OFFICE.cards)
    made = members(cards, module.OFFICE.cards, 8000, None, module.OFFICE)
    *_, plans, _, default = map(str, made[-1].command)
    assert default in load_plans([Path(plans)])
    assert all(Path(given).is_file() for given in module.OFFICE.sample if given.endswith(".md"))


def test_two_networks_at_once_are_refused():
    with pytest.raises(Stop, match="--mail and --office are 2 networks"):
        network(mail=True, office=True)


def test_ports_for_a_demo_are_free_and_different():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    check_free([Card(str(port), f"http://127.0.0.1:{port}/") for port in ports[1:]], ports[0])


def test_a_taken_port_is_told_with_its_owner(url):
    port = int(url.rpartition(":")[2])
    with pytest.raises(Stop, match=f"port {port}, of lint, is taken: is the network running already"):
        check_free([Card("lint", url)], free_ports(1)[0])


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"name": "x", "supportedInterfaces": []}'])
def test_what_is_no_card_is_told_by_file(tmp_path, content):
    (tmp_path / "odd.json").write_text(content)
    with pytest.raises(Stop, match=r"odd\.json is no agent card"):
        read_cards(tmp_path)


def test_a_folder_without_cards_is_told(tmp_path):
    with pytest.raises(Stop, match="there are no agent cards"):
        read_cards(tmp_path)


def test_an_installed_package_needs_no_path(monkeypatch):
    monkeypatch.setattr(module.site, "getsitepackages", lambda: [str(module.PACKAGE.parent)])
    assert module._path() == {}
