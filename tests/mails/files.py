"""Small files to attach: a text, a table, a PDF that a PDF reader can read."""

from __future__ import annotations

from collections.abc import Mapping


def attachment(kind: str, words: Mapping[str, str]) -> tuple[str, str, bytes]:
    """Return the name, the media type and the bytes of a file of this kind."""
    if kind == "csv":
        rows = [f"{words['product']} {number},{number},{words['amount']}" for number in range(1, 4)]
        return f"list-{words['number']}.csv", "text/csv", "\n".join(["article,count,price", *rows, ""]).encode()
    if kind == "text":
        return "log.txt", "text/plain", f"E{words['number']} in {words['product']} {words['version']}\n".encode()
    told = f"{words['company']}: {words['amount']} EUR, no. {words['number']}"
    return f"document-{words['number']}.pdf", "application/pdf", pdf(told)


def pdf(*pages: str) -> bytes:
    """Return a PDF with a line of text on each page."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 20 20 Td ({text}) Tj ET".encode()
        page = f"<</Type/Page/Parent 2 0 R/Contents {5 + 2 * number} 0 R/Resources<</Font<</F1 3 0 R>>>>"
        objects += [
            f"{page}/MediaBox[0 0 300 60]>>".encode(),
            b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        ]
    return _document(objects)


def _document(objects: list[bytes]) -> bytes:
    written, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(written))
        written += b"%d 0 obj%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(written))
    return written + b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table) + end
