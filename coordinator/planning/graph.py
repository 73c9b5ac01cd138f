"""Whether a plan hangs together: stages without circles, templates that only use what they are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from string import Template

Graph = Mapping[str, tuple[str, ...]]
"""Stage to the stages it draws on, in the plan's order."""

SPLIT_NAMES = frozenset({"items", "index", "count"})
"""What a template may use in a stage that splits."""


def in_order(graph: Graph) -> list[str]:
    """Return the stages so that each comes after those it draws on. Raises `ValueError` for a circle."""
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(f"stages draw on each other in a circle: {' <- '.join(error.args[1])}") from None


def sinks(graph: Graph) -> list[str]:
    """Return the stages no other stage draws on."""
    drawn = {name for names in graph.values() for name in names}
    return [name for name in graph if name not in drawn]


def check_graph(graph: Graph, answer: str | None) -> None:
    """Raise `ValueError` unless the stages are there, draw on each other without circles and one is the answer.

    A stage nobody uses may run for its own sake, but only when the plan says which one answers.
    """
    for name, drawn in graph.items():
        unknown = [other for other in drawn if other not in graph]
        if unknown:
            raise ValueError(f"stages.{name}.fan_out draws on {unknown[0]}, which is no stage of this plan")
    in_order(graph)
    if answer is not None and answer not in graph:
        raise ValueError(f"answer: {answer} is no stage of this plan")
    unused = sinks(graph)[1:]
    if answer is None and unused:
        raise ValueError(f"stages.{unused[0]}: nobody uses what this stage brings; use it, or say which is the answer")


def check_beside(graph: Graph, answer: str, beside: Sequence[str]) -> None:
    """Raise `ValueError` unless every stage beside the answer is there, once, and is not the answer itself."""
    for number, name in enumerate(beside):
        if name not in graph:
            raise ValueError(f"beside: {name} is no stage of this plan")
        if name == answer or name in beside[:number]:
            raise ValueError(f"beside: the artifact of {name} is given to the client anyway; leave it out")


def check_template(where: str, text: str, given: Iterable[str]) -> None:
    """Raise `ValueError` for a template that uses a name nobody gives it."""
    template = Template(text)
    if not template.is_valid():
        raise ValueError(f"{where}: a $ stands alone; write $$ for a dollar sign")
    unknown = sorted(set(template.get_identifiers()) - set(given))
    if unknown:
        raise ValueError(f"{where} uses ${unknown[0]}, which is no parameter of this plan")
