"""The language model behind an endpoint: one question, an answer in pieces, and what it has cost.

pydantic-ai speaks the protocols; here is what it leaves to its user: when to ask again, how long to
wait, and which words a failure gets. Nothing here knows A2A.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai import ModelRequest
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelServerError,
    ModelUnavailableError,
)
from pydantic_ai.messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    UserPromptPart,
)
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider
from pydantic_ai.settings import ModelSettings

from specialist_agents.minds.configuration import EndpointSettings
from specialist_agents.minds.prompt import Prompt
from specialist_agents.minds.results import MindFailure, Saying, Usage

LONGEST_PAUSE_S = 60.0
_WORDS = 300
UNREADABLE = "the endpoint's answer cannot be read: look at endpoint.api and endpoint.base_url"
_PASSING = (ModelRateLimitError, ModelUnavailableError, ModelServerError, ModelConnectionError)


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    text: str
    usage: Usage
    was_cut: bool  #: it reached the limit of its length


class Endpoint:
    """One model; several questions may be open at a time. `aclose` it in the end."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._model, self._close = _model(settings)
        self._slots = asyncio.Semaphore(settings.concurrent)
        self._not_before = 0.0

    async def aclose(self) -> None:
        """Close all connections."""
        await self._close()

    async def ask(self, prompt: Prompt, saying: Saying) -> Reply:
        """Say the answer piece by piece and return it whole; raises MindFailure."""
        limit = self.settings.answer_timeout
        try:
            async with asyncio.timeout(limit) as patience, self._slots:
                return await self._patiently(prompt, saying, patience)
        except TimeoutError as error:
            raise MindFailure(f"the model had not answered after {limit:g} seconds") from error

    async def _patiently(self, prompt: Prompt, saying: Saying, patience: asyncio.Timeout) -> Reply:
        """Ask again after passing failures, as long as no piece of an answer has come."""
        attempt = 0
        while True:
            attempt += 1
            await self._turn()
            said: list[str] = []
            try:
                return await self._once(prompt, saying, said)
            except ModelAPIError as error:
                if said:
                    raise MindFailure(f"the answer broke off: {_words(error)}") from error
                if attempt == self.settings.attempts or not _is_passing(error):
                    raise MindFailure(_told(error, attempt, self.settings)) from error
                self._postpone(error, attempt, patience)
                await saying.progress(f"{_words(error)}; attempt {attempt + 1} follows")

    async def _once(self, prompt: Prompt, saying: Saying, said: list[str]) -> Reply:
        reply = Reply("", Usage(0, 0), was_cut=False)
        async with aclosing(self._events(prompt)) as events:
            async for event in events:
                if isinstance(event, ModelResponse):
                    used = Usage(event.usage.input_tokens, event.usage.output_tokens)
                    reply = Reply("".join(said), used, event.finish_reason == "length")
                else:
                    said.append(event)
                    await saying.piece(event)
        return reply

    async def _events(self, prompt: Prompt) -> AsyncGenerator[str | ModelResponse, None]:
        """Yield the pieces of text and then the whole; raises MindFailure for what has no known form."""
        request = ModelRequest(parts=[UserPromptPart(prompt.material)], instructions=prompt.instructions)
        settings = ModelSettings(max_tokens=self.settings.max_output_tokens, timeout=self.settings.silence_timeout)
        try:
            async with model_request_stream(self._model, [request], model_settings=settings) as stream:
                async for event in stream:
                    if text := _text(event):
                        yield text
                yield stream.get()
        except ModelAPIError:
            raise
        except AgentRunError as error:
            raise MindFailure(f"the model's answer cannot be used: {str(error)[:_WORDS]}") from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # The libraries read events as they come, without checking their form first.
            raise MindFailure(UNREADABLE) from error

    async def _turn(self) -> None:
        """Wait until the endpoint may be asked; all open questions keep the pause one of them was told."""
        loop = asyncio.get_running_loop()
        while (pause := self._not_before - loop.time()) > 0:  # noqa: ASYNC110  # it may be put off meanwhile
            await asyncio.sleep(pause)

    def _postpone(self, error: ModelAPIError, attempt: int, patience: asyncio.Timeout) -> None:
        """Note when to ask again; raises MindFailure when that is later than anybody waits."""
        now = asyncio.get_running_loop().time()
        pause = error.retry_after
        if pause is None:
            longest = min(LONGEST_PAUSE_S, self.settings.backoff * 2 ** (attempt - 1))
            pause = random.uniform(longest / 2, longest)  # noqa: S311  # spreads requests, keeps no secret
        end = patience.when()
        if end is not None and now + pause >= end:
            limit = self.settings.answer_timeout
            words = f"it asks to wait {pause:g} s, and an answer may take {limit:g} s"
            raise MindFailure(f"{_words(error)}: {words}; try again later") from error
        self._not_before = max(self._not_before, now + pause)


def _model(settings: EndpointSettings) -> tuple[Model, Callable[[], Awaitable[None]]]:
    """Return the model and what closes it. Attempts are ours, so the client makes one."""
    # An endpoint without a key still gets the header: the clients insist on one.
    key, base = settings.key() or "none", settings.base_url
    if settings.api == "anthropic":
        claude = AsyncAnthropic(api_key=key, base_url=base, max_retries=0)
        return AnthropicModel(settings.model, provider=AnthropicProvider(anthropic_client=claude)), claude.close
    client = AsyncOpenAI(api_key=key, base_url=base, max_retries=0)
    provider = (
        OpenAICompatibleProvider("endpoint", openai_client=client) if base else OpenAIProvider(openai_client=client)
    )
    return OpenAIChatModel(settings.model, provider=provider), client.close


def _text(event: ModelResponseStreamEvent) -> str:
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case _:
            return ""


def _is_passing(error: ModelAPIError) -> bool:
    return isinstance(error, _PASSING) and not isinstance(error, ModelQuotaExceededError)


def _words(error: ModelAPIError) -> str:
    """Return what happened, in words for a client: no headers, no key, not the whole body."""
    status = f" (HTTP {error.status_code})" if isinstance(error, ModelHTTPError) else ""
    kinds: tuple[tuple[type[ModelAPIError], str], ...] = (
        (ModelRateLimitError, "the endpoint's rate limit is reached"),
        (ModelQuotaExceededError, "the account at the endpoint has nothing left to spend"),
        (ModelUnavailableError, "the endpoint is overloaded"),
        (ModelServerError, "the endpoint failed"),
        (ModelConnectionError, "the endpoint cannot be reached, or fell silent"),
        (ModelAuthenticationError, "the endpoint does not accept the key"),
        (ModelNotFoundError, "the endpoint does not know the model"),
        (ModelContextWindowExceededError, "the material is longer than the model can read"),
    )
    otherwise = "the endpoint refused the request" if status else UNREADABLE
    said = next((words for kind, words in kinds if isinstance(error, kind)), otherwise)
    return said + status


def _told(error: ModelAPIError, attempt: int, settings: EndpointSettings) -> str:
    tries = f", after {attempt} attempts" if attempt > 1 else ""
    hints: tuple[tuple[type[ModelAPIError], str], ...] = (
        (ModelAuthenticationError, f": look at the environment variable {settings.key_env}"),
        (ModelNotFoundError, f": look at endpoint.model ({settings.model}) and endpoint.base_url"),
    )
    return _words(error) + tries + next((hint for kind, hint in hints if isinstance(error, kind)), "")
