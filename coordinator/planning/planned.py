"""A list of sub-tasks somebody else planned: the client, in a message, or a planner agent, in its answer.

Both are strangers: the list is checked like a request, bounded, and may only name agents the
plan allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coordinator.core.model import Part
from coordinator.errors import RequestRefused


class PlannedTask(BaseModel):
    """One sub-task of such a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
    text: str = ""
    parts: tuple[int, ...] = ()  #: indexes of the client's parts it gets, from 0
    agent: str | None = None
    skill: str | None = None
    after: tuple[str, ...] = ()  #: ids of sub-tasks whose results it gets

    @model_validator(mode="after")
    def _has_content(self) -> PlannedTask:
        if not self.text and not self.parts and not self.after:
            raise ValueError("a task needs text, parts or after: it has nothing to send")
        return self


class PlannedList(BaseModel):
    """The document a planner agent answers with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: Annotated[tuple[PlannedTask, ...], Field(min_length=1)]


def planned_tasks(parts: Sequence[Part], stage: str) -> Sequence[PlannedTask]:
    """Read the list from the data parts *stage* brought. Raises `RequestRefused`."""
    documents = [part.content for part in parts if part.kind == "data"]
    if len(documents) != 1:
        raise RequestRefused(stage, f"a planner answers with one data part, not with {len(documents)}")
    try:
        return PlannedList.model_validate(documents[0]).tasks
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(map(str, problem["loc"])) or "the document"
        raise RequestRefused(
            stage, f"the plan is wrong: {field}: {problem['msg'].removeprefix('Value error, ')}"
        ) from error
