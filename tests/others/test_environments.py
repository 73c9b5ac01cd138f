"""What is missing for the agents of others is said in words, not in a traceback."""

import pytest

from tests.others.environments import command_of
from tests.protocol.environment import NotInstalled


def program(folder, name, prints):
    (folder / name).write_text(f"#!/bin/sh\necho {prints}\n")
    (folder / name).chmod(0o755)


def test_without_node_it_is_said_which_one_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="needs node 20 or newer and npm, and they are not on the PATH"):
        command_of("javascript")


def test_a_node_that_is_too_old_is_named(tmp_path, monkeypatch):
    program(tmp_path, "node", "v18.20.1")
    program(tmp_path, "npm", "10")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match=r"needs node 20 or newer; this is v18\.20\.1"):
        command_of("javascript")
