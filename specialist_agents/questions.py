"""Work on files for which its client says in words what is wanted: the question goes to the child beside the files."""

from collections.abc import Sequence

from a2a.server.agent_execution import RequestContext
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message
from a2a.utils.errors import InvalidParamsError
from typing_extensions import override

from specialist_agents.executor import ReviewExecutor
from specialist_agents.intake import SourceFile

MAX_CHARACTERS = 2_000


class QuestionExecutor(ReviewExecutor):
    """Runs work that begins with a question."""

    @override
    def judge(self, message: Message) -> None:
        """Refuse a message without a question, or with too long a one; raises the protocol's own error."""
        super().judge(message)
        question = question_in(message)
        if not question or len(question) > MAX_CHARACTERS:
            told = (
                f"{len(question)} characters of question; the limit is {MAX_CHARACTERS}" if question else "no question"
            )
            told = f"{told}: send it as a text part without a file name"
            raise InvalidParamsError(
                f"message.parts: {told}", {"errors": [{"field": "message.parts", "message": told}]}
            )

    @override
    async def _begin(self, updater: TaskUpdater, files: Sequence[SourceFile], context: RequestContext) -> None:
        question = question_in(context.message or Message())
        await self._carry_out(updater, files, {"question": question})


def question_in(message: Message) -> str:
    """Return the words of a message, without its files."""
    texts = (part.text.strip() for part in message.parts if part.WhichOneof("content") == "text" and not part.filename)
    return "\n".join(filter(None, texts))
