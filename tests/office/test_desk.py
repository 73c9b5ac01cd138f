"""The files that ship to try the office with are those the tests know."""

from coordinator.cli.members import SAMPLE
from tests.office.samples import desk


def test_the_files_that_ship_are_the_ones_on_the_desk():
    there = {file.name: file.read_bytes() for file in (SAMPLE / "office").iterdir()}
    assert there == desk()
