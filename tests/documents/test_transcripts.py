"""The transcripts in the documents are what happens."""

from pathlib import Path

import pytest

from tests.documents.transcripts import HEAD, SCENES, transcript

PAGE = (Path(__file__).parents[2] / "docs" / "transcripts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
async def test_a_transcript_is_what_happens(scene, tmp_path):
    assert await transcript(scene, tmp_path) in PAGE


def test_nothing_else_is_on_the_page():
    assert PAGE.startswith(HEAD)
    assert PAGE.count("\n## ") == len(SCENES)
