"""What holds for every test of the suite."""

import pytest
from hypothesis import settings

# Whatever the profile of the surroundings says: how long one example takes depends on what else the computer does.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")

SHRINKING_S = 20
"""Of the 120 s a test has: what fails is shown as small as it has become by then, rather than as a timeout."""


@pytest.fixture(autouse=True, scope="session")
def a_failing_property_is_shown_in_time():
    with pytest.MonkeyPatch.context() as patch:
        # No setting limits it, but the library keeps it open to be replaced, and says so beside it.
        patch.setattr("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", SHRINKING_S)
        yield
