"""How passages are scored and found: the rule of docs/research.md, on texts small enough to follow."""

import pytest

from specialist_agents.research import dependencies, documentation, history, source
from specialist_agents.research import tests as of_tests
from specialist_agents.research.passages import File, Passage
from specialist_agents.research.ranking import ranked
from specialist_agents.research.words import asked_terms, names_in, stem, terms_of
from tests.research.repositories import FILES


def passage(text, title="t"):
    return Passage("source", title, text, "a.py", 1, 1)


def found(program, names=(), **files):
    given = files or FILES
    return {one.citation: one for one in program.passages_of([File(n, t) for n, t in given.items()], names)}


@pytest.mark.parametrize("words", ["merge merges merged merging", "retry retries", "class classes", "test tests"])
def test_forms_of_one_word_have_one_stem(words):
    assert len({stem(word) for word in words.split()}) == 1


def test_an_identifier_is_found_as_a_whole_and_by_its_parts():
    assert list(terms_of("branch_timeout")) == ["branch_timeout", "branch", "timeout"]
    assert list(terms_of("HTTPServer maxRetries")) == ["httpserver", "http", "server", "maxretries", "max", "retry"]


def test_filler_is_not_asked_for_and_nothing_twice():
    assert asked_terms("How is the tax of a basket added to the tax?") == ("tax", "basket", "add")


def test_names_are_what_is_quoted_or_looks_like_code():
    assert names_in('when did `by_type` and "no agent" come in, in maxRetries?') == (
        "by_type",
        "no agent",
        "maxRetries",
    )


def test_a_passage_with_more_and_rarer_words_of_the_question_ranks_higher():
    passages = [passage("tax"), passage("tax basket"), passage("basket"), passage("basket"), passage("nothing")]
    hits = ranked(passages, ("tax", "basket"), 10)
    assert [hit.passage.text for hit in hits][:2] == ["tax basket", "tax"]
    assert "nothing" not in [hit.passage.text for hit in hits]
    assert all(1 <= hit.score <= 100 for hit in hits)


def test_scores_are_a_share_of_the_best_there_could_be():
    [all_of_it] = ranked([passage("tax " * 1000, "tax")], ("tax",), 1)
    [half_of_it] = ranked([passage("tax " * 1000, "tax")], ("tax", "customs"), 1)
    assert all_of_it.score > 95
    assert half_of_it.score < all_of_it.score / 2  # the word nobody holds is worth more


def test_only_so_many_are_kept_and_no_words_find_nothing():
    assert len(ranked([passage("tax")] * 9, ("tax",), 4)) == 4
    assert ranked([passage("tax")], (), 4) == []


def test_source_is_cited_function_by_function_and_leaves_tests_and_documents_out():
    there = found(source)
    assert there["shop/basket.py:7"].title == "Basket.total in shop/basket.py"
    assert "class Basket" not in there["shop/basket.py:7"].text
    assert "web/app.js:1" in there
    assert not [citation for citation in there if citation.startswith(("tests/", "README"))]


def test_code_that_does_not_parse_is_searched_all_the_same():
    assert "def broken(" in found(source, **{"a.py": "def broken(:\n"})["a.py:1"].text


def test_tests_are_cited_by_their_names():
    assert found(of_tests)["tests/test_basket.py:4"].title.startswith("test_the_tax_is_added_to_the_total")


def test_documents_are_cut_at_their_headings_but_not_at_comments_in_code_blocks():
    text = "Above.\n\n# One\n\n```sh\n# no heading\n```\n\n## Two\ntext\n"
    assert list(found(documentation, **{"a.md": text})) == ["a.md:1", "a.md:3", "a.md:9"]
    assert list(found(documentation, **{"a.rst": "Title\n=====\ntext\n\nMore\n----\n"})) == ["a.rst:1", "a.rst:5"]


def test_docstrings_are_cited_where_the_thing_is_defined():
    assert found(documentation)["shop/basket.py:7"].text == "Return the price with the value added tax."


def test_dependencies_are_read_from_every_place_they_are_stated():
    document = '[project]\nname = "x"\noptional-dependencies.a = ["one>=1"]\n[dependency-groups]\nb = ["two"]\n'
    package = '{"name": "y", "devDependencies": {"three": "^3"}}'
    there = found(
        dependencies, **{"pyproject.toml": document, "package.json": package, "requirements-dev.txt": "four\n"}
    )
    assert {one.title for one in there.values()} >= {"one>=1", "two", "three ^3", "four"}
    assert found(dependencies)["pyproject.toml:4"].title == "taxes-of-the-world>=2"


def test_broken_metadata_holds_nothing():
    assert found(dependencies, **{"pyproject.toml": "[", "package.json": "[1", "README.md": "x"}) == {}


def test_a_commit_says_how_it_changes_the_number_of_times_a_name_is_there():
    lines = (
        '{"commit": "a1", "subject": "In", "patch": "+++ b/x\\n+by_type = 1\\n+by_type()"}\n'
        '{"commit": "b2", "subject": "Moved", "patch": "-by_type\\n+by_type"}\n'
        "no json\n[1]\n"
    )
    there = found(history, ("by_type",), **{"h.gitlog": lines})
    assert there["commit a1"].text.startswith("adds by_type (2 more, 0 less)")
    assert not there["commit b2"].text.startswith(("adds", "removes"))
    assert len(there) == 2
