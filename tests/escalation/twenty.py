"""Twenty branches: five ask at once, two later, one fails, twelve are quiet."""

from coordinator.testing import Behaviour, Specialist
from tests.escalation.rig import answering, asking, plan

EARLY = ("amy", "ben", "cat", "dan", "eli")
LATE = ("fay", "gus")
BROKEN = "hal"
QUIET = tuple(f"quiet-{number:02}" for number in range(12))
EVERYBODY = (*EARLY, *LATE, BROKEN, *QUIET)
PLAN = plan(
    EVERYBODY,
    stage={"on_failure": {"exhausted": "escalate"}, "merge": {"strategy": "concat"}},
    ask="soon",
)


def staff():
    late = [
        Specialist(
            name,
            (
                Behaviour(end="input_required", end_text=f"{name} wonders", artifacts=(), holds=("end",)),
                answering(name),
            ),
        )
        for name in LATE
    ]
    broken = Specialist(BROKEN, (Behaviour(end="failed", end_text="out of ideas"), answering(BROKEN)))
    return [*(asking(name) for name in EARLY), *late, broken, *(Specialist(name, answering(name)) for name in QUIET)]
