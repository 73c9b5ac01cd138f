"""Twenty documents over several agents: who is quick makes no difference."""

from specialist_agents.office import summary
from specialist_agents.office.texts import File, sentences
from tests.office.rig import document, office
from tests.office.samples import reports


async def test_twenty_documents_are_summarised_in_the_order_they_were_sent(tmp_path):
    kinds = {f"summary-{number}": "summary" for number in range(1, 5)}
    sent = [document(name, text, "text/markdown") for name, text in reports().items()]
    async with office(tmp_path, "summaries", kinds) as coordinator:
        answer = await coordinator.ask(*sent)
    assert answer.state == "COMPLETED"
    items = [item for part in answer.parts for item in part["items"]]
    assert [item["document"] for item in items] == list(reports())
    for item in items:
        told = reports()[item["document"]].replace("\n", " ")
        assert item["summary"]
        assert all(sentence.text in told for sentence in sentences(item["summary"]))
    assert {branch["agent"] for branch in answer.branches.values()} == set(kinds)


def summarised(text):
    (item,) = summary.items_of([File("a.md", text.encode())])
    return item["summary"]


def test_a_summary_is_made_of_the_sentences_with_the_words_the_document_is_about():
    told = summarised(reports()["report-03.md"])
    assert "costs 300 euros a month" in told
    assert "weather" not in told
    assert "Coffee" not in told


def test_a_document_of_one_sentence_is_its_own_summary_and_an_empty_one_has_none():
    assert summarised("# Title\n\nOnly this, Dr. Weber said.") == "Only this, Dr. Weber said."
    assert summarised("") == ""


def test_headings_and_code_are_not_sentences_and_abbreviations_do_not_end_them():
    text = "# A title\n\nIt costs approx. 3 euros, e.g. in Bonn. It is new.\n\n```\nx = 1. Y\n```\n"
    assert [s.text for s in sentences(text)] == ["It costs approx. 3 euros, e.g. in Bonn.", "It is new."]
