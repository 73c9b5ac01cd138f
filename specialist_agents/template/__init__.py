"""An agent of your own in one file: one async function and a card.

    from specialist_agents.template import Request, serve

    async def answer(request: Request) -> str:
        return request.text.upper()

    serve(answer, {"name": "shout", "description": "Says it louder.", "skills": [...]})

Nothing here knows what the agent does; nothing in it needs to know the protocol.
"""

from specialist_agents.template.request import Failure, File, Question, Request
from specialist_agents.template.serving import create_app, serve

__all__ = ["Failure", "File", "Question", "Request", "create_app", "serve"]
