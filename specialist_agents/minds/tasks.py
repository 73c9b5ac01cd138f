"""A list of sub-tasks as a document: how a model is asked for one, and how it is found in what it says.

Whoever gets the list checks it; here it only has to be a list of sub-tasks at all.
"""

import json
from collections.abc import Mapping
from typing import Any

from a2a.types.a2a_pb2 import Part
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Value

from specialist_agents.minds.results import MindFailure


def form(most: int, agents: Mapping[str, str]) -> str:
    """Return how the list has to look, for the instructions of a model."""
    who = "\n".join(f"- {name}: {can}" for name, can in agents.items())
    named = f'"agent" is who does it, one of:\n{who}\n' if agents else ""
    return f"""Answer with nothing but one JSON object:
{{"tasks": [{{"id": "short-name", "text": "what to do", "parts": [0]{', "agent": "name"' if agents else ""}}}]}}
At least 1 and at most {most} tasks. "id" has letters, digits and hyphens; "parts" lists the numbers of the parts the
task is about, as the material gives them; "after" may list ids of tasks whose results a task needs first.
{named}"""


def tasks_in(said: str) -> dict[str, Any]:
    """Return the list in what a model said, fenced or between other words; raises MindFailure."""
    found = object_in(said)
    if isinstance(found.get("tasks"), list):
        return found
    raise MindFailure('the model did not answer with a list of sub-tasks, a JSON object {"tasks": […]}')


def object_in(said: str) -> dict[str, Any]:
    """Return the first JSON object in what a model said; an empty one when there is none."""
    decoder = json.JSONDecoder()
    start = said.find("{")
    while start >= 0:
        try:
            found, _ = decoder.raw_decode(said, start)
        except ValueError:
            start = said.find("{", start + 1)
            continue
        return found if isinstance(found, dict) else {}
    return {}


def tasks_part(document: Mapping[str, Any]) -> Part:
    """Return the list as a data part."""
    return Part(data=ParseDict(dict(document), Value()), media_type="application/json")
