"""Which of the files are texts to look at, and which are the sources they were written from (those called source…)."""

from collections.abc import Sequence

from specialist_agents.office.texts import File


def texts_of(files: Sequence[File]) -> list[File]:
    """Return the files to look at."""
    return [file for file in files if not _is_source(file)]


def sources_of(files: Sequence[File]) -> list[File]:
    """Return the files to compare with."""
    return [file for file in files if _is_source(file)]


def _is_source(file: File) -> bool:
    return file.name.rpartition("/")[2].lower().startswith("source")
