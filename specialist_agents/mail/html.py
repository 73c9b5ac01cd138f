"""The text of an HTML mail: what a reader sees of it, and what is there but not shown."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

from typing_extensions import override

_SILENT = frozenset({"script", "style", "head", "title", "template"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "table"})
_INVISIBLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]*[1-9])|opacity\s*:\s*0(?![.\d]*[1-9])"
    r"|(?<!-)color\s*:\s*(?:#fff(?:fff)?\b|white\b|transparent\b)",
    re.IGNORECASE,
)
MAX_DEPTH = 500


@dataclass(frozen=True, slots=True)
class HtmlText:
    """The words of a page, by whether they are shown."""

    visible: str
    hidden: str


class _Words(HTMLParser):
    """Sorts words by whether an element around them is hidden."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.visible: list[str] = []
        self.hidden: list[str] = []
        self._open: list[tuple[str, str]] = []  # element, and what it does to the words inside

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS:
            self.visible.append("\n")
        if tag in _VOID or len(self._open) >= MAX_DEPTH:
            return
        given = {name: value or "" for name, value in attrs}
        hides = "hidden" in given or _INVISIBLE.search(given.get("style", "")[:1000])
        way = "silent" if tag in _SILENT else "hidden" if hides else self._open[-1][1] if self._open else ""
        self._open.append((tag, way))

    @override
    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    @override
    def handle_data(self, data: str) -> None:
        way = self._open[-1][1] if self._open else ""
        if way != "silent":
            (self.hidden if way == "hidden" else self.visible).append(data)


def read_html(page: str) -> HtmlText:
    """Return the words of a page; what its markup breaks is taken as far as it goes."""
    words = _Words()
    try:
        words.feed(page)
        words.close()
    except AssertionError:  # how the parser answers some broken declarations
        words.visible.append("")
    return HtmlText(re.sub(r"[ \t]+", " ", "".join(words.visible)).strip(), " ".join(words.hidden).strip())
