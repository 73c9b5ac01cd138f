"""What an office has on its desk, made up: twenty reports, a draft with flaws and its source, customers, invoices."""

from __future__ import annotations

from collections.abc import Sequence

from tests.mails.files import _document

PLACES = ("Lyon", "Bonn", "Graz", "Turin", "Ghent", "Oslo", "Porto", "Riga", "Brno", "Linz")
TOPICS = ("the cold store", "the new ticket system")


def reports() -> dict[str, str]:
    """Return twenty reports by file name."""
    pairs = [(place, topic) for topic in TOPICS for place in PLACES]
    return {f"report-{number:02}.md": _report(number, *pair) for number, pair in enumerate(pairs, start=1)}


def _report(number: int, place: str, topic: str) -> str:
    return f"""# Visit no. {number}

We looked at {topic} in {place} because the team in {place} had asked for help with {topic}.
The weather was fine. Coffee was had at ten. {topic.capitalize()} in {place} costs {number * 100} euros a month,
and the team pays for parts of {topic} that nobody in {place} uses. Dr. Weber drove. It rained later.

- The team in {place} should cancel {number} of the {number + 4} contracts for {topic}.
- Nothing else was said.
"""


SOURCE = """The Leeds plant made 4,200 pumps between 1 March 2026 and 31 May 2026, 12 % more than a year before.
Anna Kowalski has led the plant since 2019. Repairs cost 18,500 euros, and 37 people work in three shifts.
"""
DRAFT = """# The spring of Leeds

The the plant in Leeds made 4,200 pumps from 1 March 2026 to 31 May 2026, which is 14 % more than a year
before. anna Kowalski leads the plant since 2019 (and she does it well. Repairs could of cost more than 18,500 euros ,
and 39 people work there.

Maybe we should perhaps say that Greg Sutton did the repairs. DO NOT FORGET that obviously any idiot can repair a
pump!!!
"""
CLEAN = """# The spring of Leeds

The plant in Leeds made 4,200 pumps from 1 March 2026 to 31 May 2026. That is 12 % more than a year before.
"""

TEMPLATE = """Subject: Your question about $product

Dear $name,

thank you for your question about $product. We will be with you on $day.

Kind regards
"""


def customers(count: int, *more: Sequence[str]) -> str:
    """Return a table with so many customers, and *more* rows after them."""
    rows = [
        (str(number), f"Customer {number}", f"customer{number}@shop.example", f"pump {number}", "Monday")
        for number in range(1, count + 1)
    ]
    return "\n".join(",".join(row) for row in [("id", "name", "email", "product", "day"), *rows, *more]) + "\n"


INVOICE = """Northwind Tools Ltd
12 Mill Lane, Leeds
INVOICE
Invoice no.: NW-2026-{number:04}     Date: 12 March 2026
Bill to: Acme GmbH
Description    Qty   Price   Amount
Steel bolts M8 box of 100   4   12.50   50.00
Consulting    3 h   80.00   240.00
Subtotal {net} EUR
VAT 20% {vat} EUR
Total due {total} EUR
Payable by 11 April 2026
"""
RECHNUNG = """Müller & Söhne GmbH
Rechnung Nr. 2026/{number}
Rechnungsdatum: 03.03.2026
Pos Beschreibung Menge Preis Summe
1 Holzbretter Fichte 10 Stk 3,20 € 32,00 €
Netto 32,00 €
MwSt 19 % {vat} €
Gesamtbetrag {total} €
"""


def invoice(number: int, net: str = "290.00", vat: str = "58.00", total: str = "348.00") -> str:
    """Return an English invoice; with other amounts its sums are wrong."""
    return INVOICE.format(number=number, net=net, vat=vat, total=total)


def rechnung(number: int, vat: str = "6,08", total: str = "38,08") -> str:
    """Return a German invoice."""
    return RECHNUNG.format(number=number, vat=vat, total=total)


def pdf(text: str) -> bytes:
    """Return a PDF with the lines of a text on its one page."""
    shown = [f"({line.translate({40: '[', 41: ']'})}) Tj T*" for line in text.splitlines()]
    stream = "\n".join(["BT /F1 10 Tf 14 TL 30 800 Td", *shown, "ET"]).encode("cp1252", "replace")
    return _document(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
            b"<</Type/Page/Parent 2 0 R/Contents 5 0 R/Resources<</Font<</F1 3 0 R>>>>/MediaBox[0 0 595 842]>>",
            b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        ]
    )


def desk() -> dict[str, bytes]:
    """Return the files that ship to try the office with."""
    texts = {
        "draft.md": DRAFT,
        "source.md": SOURCE,
        "template.txt": TEMPLATE,
        "customers.csv": customers(5, ("6", "Nobody", "not an address", "pump 6", "Monday")),
        "invoice-1.txt": invoice(1),
        "invoice-2.txt": invoice(2, total="384.00"),
    } | {name: report for number, (name, report) in enumerate(reports().items()) if number < 4}
    return {name: text.encode() for name, text in texts.items()} | {"invoice-3.pdf": pdf(rechnung(3))}
