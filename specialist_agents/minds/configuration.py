"""The configuration file of minds: one endpoint, and what each agent does with it.

Read once, when the process starts; a wrong field is named before anything listens. It holds the name
of the environment variable with the key, never the key.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Seconds = Annotated[float, Field(gt=0)]


class WrongConfiguration(Exception):
    """The configuration cannot be used; the message names file and field."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EndpointSettings(_Strict):
    """Where the language model is, and how patient we are with it."""

    api: Literal["openai", "anthropic"] = "openai"  #: `openai`: everything that speaks chat completions
    base_url: str | None = None  #: left out: the provider's own
    model: Annotated[str, Field(min_length=1)]
    key_env: str | None = None  #: environment variable with the key; left out: the endpoint wants none
    attempts: Annotated[int, Field(ge=1, le=20)] = 5  #: requests for one answer, as long as none has begun to come
    backoff: Seconds = 1.0  #: the longest first pause; doubles each time, unless the endpoint says how long
    answer_timeout: Seconds = 300.0  #: for one answer, with all attempts and pauses
    silence_timeout: Seconds = 60.0  #: between two pieces of an answer
    max_output_tokens: Annotated[int, Field(ge=1)] = 4096
    concurrent: Annotated[int, Field(ge=1)] = 4  #: requests of one agent at a time

    def key(self) -> str:
        """Return the key; empty when the endpoint wants none, or when there is none."""
        return os.environ.get(self.key_env, "") if self.key_env else ""

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked: it wants no key, or there is one."""
        return not self.key_env or bool(self.key())


class AgentSettings(_Strict):
    """What one agent does."""

    task: Literal["answer", "plan", "synthesize", "vote"] = "answer"
    by: Literal["model", "rule"] = "model"
    instructions: str = ""  #: what the model is told besides what the card says
    may_use: dict[str, str] = Field(default_factory=dict)  #: `plan` by model: agents it may name, and what they can
    max_tasks: Annotated[int, Field(ge=1, le=1000)] = 12  #: `plan`: at most so many sub-tasks
    max_characters: Annotated[int, Field(ge=1)] = 400_000  #: of all that a message holds

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.by == "rule" and self.task in {"answer", "vote"}:
            raise ValueError("by: rule is for task: plan and task: synthesize")
        if self.by == "rule" and (self.instructions or self.may_use):
            raise ValueError("a rule reads no instructions and no may_use")
        if self.may_use and self.task != "plan":
            raise ValueError("may_use is for task: plan")
        return self


class MindsFile(_Strict):
    """The whole file."""

    endpoint: EndpointSettings | None = None
    agents: dict[str, AgentSettings]

    @model_validator(mode="after")
    def _models_have_an_endpoint(self) -> Self:
        for name, agent in self.agents.items():
            if agent.by == "model" and self.endpoint is None:
                raise ValueError(f"agents.{name} needs a model, but there is no endpoint")
        return self


def read_configuration(file: Path) -> MindsFile:
    """Return what the file says; raises WrongConfiguration that names the field."""
    try:
        return MindsFile.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        told = [(".".join(map(str, p["loc"])), p["msg"].removeprefix("Value error, ")) for p in problems[:5]]
        text = "; ".join(f"{field}: {message}" if field else message for field, message in told)
        raise WrongConfiguration(f"{file}: {text}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WrongConfiguration(f"{file}: {error}") from error
