"""The plan research with the real agents over sockets: ranked, cited, and what happens when agents are dead."""

from coordinator import testing
from coordinator.cli.repository import ALL_MODES, pack_repository
from coordinator.wire import content_in
from tests.planning.making import text
from tests.policies.rig import coordinating
from tests.research.repositories import AGENTS, made, plan, searching

QUESTION = text("How is the tax_rate of the total applied?")


async def researched(folder, dead=(), question=QUESTION):
    """Return a coordinator's answer about the small repository while some agents are dead."""
    parts = [content_in(part) for part in pack_repository([made(folder / "shop")], ALL_MODES).parts]
    async with (
        searching(folder / "cards", dead) as cards,
        testing.fleet([]) as nobody,
        coordinating(folder, nobody, plan(), agents=(str(cards),)) as coordinator,
    ):
        return await coordinator.ask(question, *parts)


def found(answer):
    return answer.parts[0]["items"]


async def test_five_sources_make_one_ranked_list_in_which_everything_is_cited(tmp_path):
    answer = await researched(tmp_path)
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "complete")
    assert sorted(branch["agent"] for branch in answer.branches.values()) == list(AGENTS)
    items = found(answer)
    assert {one["item"]["kind"] for one in items} == {"source", "history", "documentation", "dependency", "test"}
    assert [one["rank"] for one in items] == list(range(1, len(items) + 1))
    scores = [one["score"] for one in items]
    assert scores == sorted(scores, reverse=True)
    assert all(one["item"]["citation"] and one["sources"] for one in items)
    method = next(one for one in items if one["item"]["citation"] == "shop/basket.py:7")
    assert {source["agent"] for source in method["sources"]} == {"search-source", "search-documentation"}
    assert method["votes"] == 2


async def test_with_two_of_five_agents_dead_there_is_an_answer_labelled_partial(tmp_path):
    answer = await researched(tmp_path, dead=("search-source", "search-tests"))
    assert (answer.state, answer.record["verdict"]) == ("COMPLETED", "partial")
    assert {one["item"]["kind"] for one in found(answer)} == {"history", "documentation", "dependency"}
    missing = {branch["agent"] for branch in answer.branches.values() if branch["outcome"] != "succeeded"}
    assert missing == {"search-source", "search-tests"}


async def test_with_four_of_five_agents_dead_it_fails_and_says_why(tmp_path):
    answer = await researched(tmp_path, dead=set(AGENTS) - {"search-documentation"})
    assert answer.state == "FAILED"
    assert "2" in answer.reason
    assert "search-source" in answer.reason
    assert all(answer.branches[f"search/{name}"]["error"]["message"] for name in set(AGENTS) - {"search-documentation"})


async def test_an_agent_gets_only_the_files_it_reads(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/README.md").write_text("# Tax\n\nThe tax is high.\n")
    parts = [content_in(part) for part in pack_repository([tmp_path / "shop"], {"text/markdown"}).parts]
    async with (
        searching(tmp_path / "cards") as cards,
        testing.fleet([]) as nobody,
        coordinating(tmp_path, nobody, plan(), agents=(str(cards),)) as coordinator,
    ):
        answer = await coordinator.ask(QUESTION, *parts)
    assert list(answer.branches) == ["search/search-documentation"]
    assert [one["item"]["citation"] for one in found(answer)] == ["README.md:1"]
