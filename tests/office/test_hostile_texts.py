"""Texts that mean harm cost a bounded amount of time and nothing else."""

import pytest

from specialist_agents.mail.bounds import within
from specialist_agents.office import facts, grammar, invoices, letters, summary, tone
from specialist_agents.office.remarks import MOST_OF_A_KIND
from specialist_agents.office.texts import File

NASTY = {
    "full stops": "a. " * 60_000,
    "brackets": "(" * 100_000,
    "digits": "1,234 " * 30_000,
    "one long word": "a" * 200_000,
    "capitals": "ABC " * 50_000,
    "names": "He met Anna Bea " * 10_000,
    "one line of numbers": "x 1 2.00 " * 20_000,
    "no text": "\x00\xff\u202e" * 1000,
}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize(
    "program", [facts, grammar, invoices, summary, tone], ids=lambda program: program.__name__.rpartition(".")[2]
)
def test_a_nasty_text_is_done_within_the_bounds(program, text):
    files = [File("a.txt", text.encode()), File("source.txt", b"Anna paid 3 euros.")]
    with within(5.0):
        assert len(list(program.items_of(files))) <= 10 * MOST_OF_A_KIND


def test_a_table_with_a_field_that_breaks_lines_makes_no_header_of_a_mail():
    template = File("t.txt", b"Subject: Hello $name\n\nDear $name.\n")
    table = File("c.csv", b'email,name\nada@shop.example,"Ada\nBcc: eve@shop.example"\n')
    (letter,) = letters.items_of([template, table])
    assert letter["subject"] == "Hello Ada Bcc: eve@shop.example"
