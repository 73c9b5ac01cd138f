import pytest

from coordinator.core.durations import seconds


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("500ms", 0.5),
        ("60s", 60.0),
        ("0.5s", 0.5),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("90", 90.0),
        (" 5 s ", 5.0),
        (7, 7.0),
        (1.5, 1.5),
    ],
)
def test_a_duration_is_a_number_and_a_unit_or_a_number_of_seconds(written, meant):
    assert seconds(written) == pytest.approx(meant)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "s",
        "0",
        "0s",
        "-1s",
        -1,
        "1w",
        "1h30m",
        "1,5s",
        "1e3",
        "soon",
        True,
        None,
        [],
        float("inf"),
        float("nan"),
    ],
)
def test_anything_else_is_refused_with_examples(written):
    with pytest.raises(ValueError, match=r"(is not a duration|is no time at all); write for example 500ms"):
        seconds(written)


def test_a_duration_ends():
    with pytest.raises(ValueError, match="is not a duration"):
        seconds("9" * 400)
