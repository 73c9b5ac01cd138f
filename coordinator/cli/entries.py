"""The list `agents` of a configuration file, changed in its text: every comment and every other line stays as it is.

A parser says where the entries are, the text is cut there, and what comes out is parsed again: unless it says exactly
what was meant, nothing is changed. Knows nothing of agents, files or the network.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import yaml

KEY = "agents"

Entry: TypeAlias = str | Mapping[str, Any]
"""What stands in the list: where the card is, or that and more."""

_EXAMPLE = re.compile(rf"^# {KEY}:.*\n(?:#.*\n)*", re.MULTILINE)


class CannotEdit(Exception):
    """The text is written in a way that nobody dares to change; the message says what to do."""


def added(text: str, entry: Entry, defaults: Sequence[Entry]) -> str:
    """Return *text* with *entry* at the end of the list; where there is no list yet, after *defaults*.

    Raises `CannotEdit` when that would change anything else.
    """
    unix, by_hand = _unix(text), f"add this to its list `{KEY}` by hand: {_flow(entry)}"
    found = _found(unix, by_hand)
    if found is None:
        wanted = [*defaults, entry]
        return _checked(text, _with_list(unix, wanted), wanted, by_hand)
    return _checked(text, _with_item(unix, found[1], entry), [*_listed(unix), entry], by_hand)


def removed(text: str, number: int) -> str:
    """Return *text* without entry *number* of its list, counted from 0. Raises `CannotEdit` like `added`."""
    unix = _unix(text)
    wanted = _listed(unix)
    by_hand = f"take this out of its list `{KEY}` by hand: {_flow(wanted.pop(number))}"
    found = _found(unix, by_hand)
    if found is None:
        raise CannotEdit(by_hand)
    return _checked(text, _without_item(unix, *found, number), wanted, by_hand)


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _found(text: str, by_hand: str) -> tuple[yaml.Node, yaml.SequenceNode] | None:
    """Return key and value of the list. Raises `CannotEdit` when what stands there is none."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for key, value in pairs:
        if key.value == KEY:
            if not isinstance(value, yaml.SequenceNode):
                raise CannotEdit(by_hand)
            return key, value
    return None


def _listed(text: str) -> list[Entry]:
    return list((yaml.safe_load(text) or {}).get(KEY) or [])


def _with_list(text: str, entries: Sequence[Entry]) -> str:
    """Return *text* with a new list: below the example of one, if it has that, else at its end."""
    written = f"{KEY}:\n" + "".join(_block(entry, "  ") for entry in entries)
    if example := _EXAMPLE.search(text):
        return text[: example.end()] + written + text[example.end() :]
    return _whole_lines(text) + written


def _with_item(text: str, value: yaml.SequenceNode, entry: Entry) -> str:
    if value.flow_style:
        at = value.value[-1].end_mark.index if value.value else value.start_mark.index + 1
        return text[:at] + (", " if value.value else "") + _flow(entry) + text[at:]
    line, dash = _dash(text, value.value[0])
    at = _line_after(text, value.value[-1])
    return _whole_lines(text[:at]) + _block(entry, " " * (dash - line)) + text[at:]


def _without_item(text: str, key: yaml.Node, value: yaml.SequenceNode, number: int) -> str:
    items = value.value
    if value.flow_style:
        start, end = items[number].start_mark.index, items[number].end_mark.index
        if number + 1 < len(items):
            end = items[number + 1].start_mark.index
        elif number:
            start = items[number - 1].end_mark.index
        return text[:start] + text[end:]
    start, end = _dash(text, items[number])[0], _line_after(text, items[number])
    if len(items) > 1:
        return text[:start] + text[end:]
    colon = text.index(":", key.end_mark.index) + 1
    return f"{text[:colon]} []{text[colon:start]}{text[end:]}"


def _dash(text: str, item: yaml.Node) -> tuple[int, int]:
    """Return where the line of an entry begins, and its dash."""
    dash = text.rindex("-", 0, item.start_mark.index)
    return text.rfind("\n", 0, dash) + 1, dash


def _line_after(text: str, node: yaml.Node) -> int:
    """Return where the line after the last one of *node* begins; a comment at its end is part of it."""
    end = _end(node)
    if text[end - 1] == "\n":  # a block of text ends with its line
        return end
    return text.find("\n", end) + 1 or len(text)


def _end(node: yaml.Node) -> int:
    """Return the end of what is written for *node*; the parser's own end of a block includes comments after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _block(entry: Entry, indent: str) -> str:
    dumped = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=1_000)
    return textwrap.indent(dumped, indent)


def _flow(entry: Entry) -> str:
    dumped = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True, width=100_000, default_flow_style=True)
    return dumped.strip()[1:-1]


def _whole_lines(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _checked(before: str, after: str, wanted: Sequence[Entry], by_hand: str) -> str:
    """Return *after* with the line ends of *before*, once it is sure that it says what it should and no more."""
    try:
        said = yaml.safe_load(after)
    except yaml.YAMLError as error:
        raise CannotEdit(by_hand) from error
    if said != {**(yaml.safe_load(before) or {}), KEY: list(wanted)}:
        raise CannotEdit(by_hand)
    return after.replace("\n", "\r\n") if "\r\n" in before else after
