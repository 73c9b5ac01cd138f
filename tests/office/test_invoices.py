"""Invoices as text and PDF: one table, and what does not add up is flagged."""

import pytest

from specialist_agents.office import invoices
from specialist_agents.office.texts import File
from tests.mails.files import pdf as one_line_pdf
from tests.office.rig import document, entries, office
from tests.office.samples import invoice, pdf, rechnung


def read(content, name="a.txt"):
    (item,) = invoices.items_of([File(name, content if isinstance(content, bytes) else content.encode())])
    return item


def values(item):
    return {name: value["value"] for name, value in item.items() if isinstance(value, dict)}


async def test_text_and_pdf_invoices_make_one_table_with_wrong_sums_first(tmp_path):
    sent = [document(f"{number}.txt", invoice(number)) for number in range(1, 6)]
    sent += [document(f"{number}.pdf", pdf(rechnung(number)), "application/pdf") for number in range(6, 9)]
    sent += [document("9.pdf", pdf(invoice(9, total="384.00")), "application/pdf"), document("10.txt", "Hello.")]
    async with office(tmp_path, "invoices", {"invoices-1": "invoices", "invoices-2": "invoices"}) as coordinator:
        answer = await coordinator.ask(*sent)
    assert answer.state == "COMPLETED"
    table = entries(answer)
    assert [item["file"] for item in table] == [
        "9.pdf",
        "10.txt",
        *(f"{n}.txt" for n in range(1, 6)),
        *(f"{n}.pdf" for n in (6, 7, 8)),
    ]
    assert [item["sums"] for item in table] == ["wrong", "unchecked", *["right"] * 8]
    assert table[0]["problems"] == ["290.00 and 58.00 VAT are 348.00, not 384.00"]
    assert {item["number"]["value"] for item in table[7:]} == {"2026/6", "2026/7", "2026/8"}


def test_every_field_of_an_english_invoice_is_found():
    item = read(invoice(17))
    assert values(item) == {
        "number": "NW-2026-0017",
        "date": "2026-03-12",
        "supplier": "Northwind Tools Ltd",
        "currency": "EUR",
        "net": 290.0,
        "vat": 58.0,
        "vatRate": 20.0,
        "total": 348.0,
    }
    assert item["lines"] == [
        {"description": "Steel bolts M8 box of 100", "quantity": 4.0, "unitPrice": 12.5, "amount": 50.0},
        {"description": "Consulting", "quantity": 3.0, "unitPrice": 80.0, "amount": 240.0},
    ]
    assert (item["sums"], item["problems"]) == ("right", [])


def test_a_pdf_says_the_same_as_its_text():
    text, printed = read(rechnung(55)), read(pdf(rechnung(55)), "a.pdf")
    assert values(text) == values(printed)
    assert values(text)["total"] == 38.08
    assert text["lines"] == printed["lines"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (invoice(1, total="349.00"), "290.00 and 58.00 VAT are 348.00, not 349.00"),
        (invoice(1, vat="60.00", total="350.00"), "20 % of 290.00 are 58.00, not 60.00"),
        (invoice(1, net="300.00", vat="60.00", total="360.00"), "the lines add up to 290.00, not 300.00"),
        (invoice(1).replace("50.00", "55.00"), "Steel bolts M8 box of 100: 4 x 12.50 is 50.00, not 55.00"),
    ],
)
def test_each_sum_that_is_wrong_is_told(text, told):
    item = read(text)
    assert item["sums"] == "wrong"
    assert told in item["problems"]


def test_a_field_that_is_not_there_is_left_out_and_told():
    item = read("Some Shop\nTotal 12.50\n")
    assert values(item) == {"supplier": "Some Shop", "total": 12.5}
    assert item["total"]["confidence"] < 80
    assert (item["sums"], item["problems"]) == ("unchecked", ["no number found", "no date found"])


def test_the_day_of_payment_is_not_the_date_of_the_invoice():
    assert values(read("Due date: 2026-05-01\nDate: 2026-04-01\n"))["date"] == "2026-04-01"
    assert "date" not in values(read("Payable by 2026-05-01\n"))


@pytest.mark.parametrize("content", [b"%PDF-1.4 broken", one_line_pdf(""), b""])
def test_what_cannot_be_read_is_an_entry_that_says_why(content):
    item = read(content, "a.pdf")
    assert item["sums"] == "unread"
    assert item["problems"]
