"""Questions of a task: printed, listed, answered from another shell, asked in the terminal."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import MessageToDict
from typer.testing import CliRunner

from coordinator.cli import dialogue, prompt, replying
from coordinator.cli.program import program
from coordinator.cli.questions import Question, question_lines
from coordinator.cli.tables import local_time
from coordinator.cli.terminal import say
from tests.cli.stand_in import (
    ASKING,
    COMPLETE,
    URI,
    Coordinator,
    artifact,
    asking,
    branch,
    progress,
    question,
    quietly,
    refusal,
    status,
)

ANSWER = f"{URI}/answer"
TASK = "0badcafe-1111"
STYLE = question("1")
FAILED = question(
    "2",
    "lint",
    "no connection",
    kind="failure",
    choices=["retry", "skip", "agent:types"],
    default={"then": "skip", "at": "2026-11-20T23:00:00Z"},
)
LOGIN = question(
    "3",
    "licences",
    "somebody has to approve",
    kind="auth",
    parts=[{"text": "somebody has to approve"}, {"url": "http://127.0.0.1:1/approve/x", "mediaType": "text/html"}],
)
WORKING = status(a2a.TASK_STATE_WORKING)


LONG = 60.0


@pytest.fixture(autouse=True)
def _nobody_is_stayed_with(monkeypatch):
    """Let `answer` end as soon as its message is taken, but where a test wants it to stay."""
    monkeypatch.setattr(replying, "VERDICT_S", 0.0)


def waiting(coordinator: Coordinator, *questions, task_id=TASK, **more):
    task = coordinator.new_task(task_id)
    quietly(asking(*questions, **more))(coordinator, task)
    return task


def sent(coordinator: Coordinator, number: int = -1):
    """What was answered: (question, part) for each part."""
    message = MessageToDict(coordinator.requests[number].message)
    assert (message["taskId"], message["contextId"]) == (TASK, "context-1")
    return [(part.pop("metadata", {}).get(ANSWER), part) for part in message["parts"]]


@pytest.mark.parametrize("form", [["review"], ["review", "--no-input"], ["send"]], ids=" ".join)
def test_without_a_terminal_the_questions_are_printed_and_the_end_is_5(call, coordinator, code, form):
    coordinator.steps = [asking(STYLE, FAILED)]
    result = call(*form, code)
    assert result.exit_code == 5
    assert result.stdout.splitlines()[:8] == [
        "1. style asks",
        "   tabs or spaces?",
        "2. lint failed",
        "   no connection",
        "   retry  to retry",
        "   skip  to skip",
        "   agent:types  to agent:types",
        f"   without an answer: skip at {prompted_time()}",
    ]
    assert f"answer with: coordinator answer {TASK} 1=TEXT 2=TEXT\n" in result.stderr
    assert len(coordinator.requests) == 1


def prompted_time():
    return local_time("2026-11-20T23:00:00Z")


def test_an_authorisation_is_shown_with_the_address_where_it_is_given(call, coordinator):
    waiting(coordinator, LOGIN, state=a2a.TASK_STATE_AUTH_REQUIRED)
    told = call("show", TASK)
    assert told.exit_code == 0
    assert "3. licences wants an authorisation\n   somebody has to approve\n" in told.stdout
    assert "http://127.0.0.1:1/approve/x" in told.stdout
    assert call("watch", TASK).exit_code == 5
    assert "authorise it where it says above; the task goes on by itself" in told.stderr
    assert f"Or answer with: coordinator answer {TASK} 3=credential:NAME\n" in told.stderr


def test_beside_a_question_an_authorisation_is_answered_with_a_credential(call, coordinator):
    waiting(coordinator, STYLE, LOGIN)
    assert f"answer with: coordinator answer {TASK} 1=TEXT 3=credential:NAME\n" in call("show", TASK).stderr


def test_what_a_specialist_says_cannot_steer_the_terminal(call, coordinator):
    waiting(coordinator, question("1", "st\x1byle", "or\x1b[2J?", parts=[{"data": {"x": "\x1b[1m"}}]))
    assert "\x1b" not in call("show", TASK).stdout
    assert "\x1b" not in call("tasks", "--waiting").stdout


def test_an_address_is_whole_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "30")
    address = "http://127.0.0.1:1/approve/" + "x" * 60
    asked = Question("1", "auth", "approve", parts=({"text": f"approve at\n{address}"}, {"url": address}))
    say(question_lines([asked]), unbroken=True)
    assert capsys.readouterr().out.count(address) == 2


def test_data_is_shown_only_where_no_text_says_it(call, coordinator):
    both = question("1", parts=[{"text": "tabs or spaces?"}, {"data": {"lengthy": 1}}])
    waiting(coordinator, both, question("2", text="a form", parts=[{"data": {"field": "name"}}]))
    told = call("show", TASK).stdout
    assert "lengthy" not in told
    assert '"field": "name"' in told


def test_the_questions_are_in_the_json_as_the_coordinator_told_them(call, coordinator):
    waiting(coordinator, STYLE, FAILED)
    result = call("watch", TASK, "--json")
    assert result.exit_code == 5
    assert json.loads(result.stdout)["questions"] == [STYLE, FAILED]


def test_where_a_document_was_wanted_the_questions_go_to_stderr(call, coordinator):
    waiting(coordinator, STYLE)
    result = call("watch", TASK, "--format", "markdown")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "1. style asks\n   tabs or spaces?\n" in result.stderr


def test_what_waits_is_listed_with_who_asks_what_and_the_default(call, coordinator):
    waiting(coordinator, STYLE, FAILED)
    waiting(coordinator, LOGIN, task_id="feed-2", state=a2a.TASK_STATE_AUTH_REQUIRED)
    quietly(ASKING[0])(coordinator, coordinator.new_task("cafe-3"))
    coordinator.new_task("busy-4", a2a.TASK_STATE_WORKING)
    told = call("tasks", "--waiting").stdout
    rows = [line.split() for line in told.splitlines()]
    assert [row[:4] for row in rows[1:3]] == [[TASK, "1", "style", "input"], [TASK, "2", "lint", "failure"]]
    assert f"skip at {prompted_time()}" in told
    assert "feed-2" in told
    assert "cafe-3" in told
    assert "busy-4" not in told
    listed = json.loads(call("tasks", "--waiting", "--json").stdout)["waiting"]
    assert [(task["taskId"], [asked.get("id") for asked in task["questions"]]) for task in listed] == [
        (TASK, ["1", "2"]),
        ("cafe-3", [None]),
        ("feed-2", ["3"]),
    ]
    assert len(json.loads(call("tasks", "--waiting", "--json", "--limit", 2).stdout)["waiting"]) == 2


def test_nothing_that_waits_is_told_beside_the_result(call, coordinator):
    result = call("tasks", "--waiting")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing waits for an answer\n")


def test_answers_go_to_the_questions_they_name(call, coordinator):
    waiting(coordinator, STYLE, FAILED)
    coordinator.answer_steps = [[WORKING]]
    result = call("answer", "0bad", "1=tabs, of course", "2=retry")
    assert (result.exit_code, result.stdout) == (0, f"task {TASK} is working\n")
    assert f"coordinator watch {TASK}" in result.stderr
    assert sent(coordinator) == [("1", {"text": "tabs, of course"}), ("2", {"text": "retry"})]
    assert list(coordinator.requests[0].message.extensions) == [URI]
    assert coordinator.requests[0].configuration.return_immediately


def test_the_only_question_needs_no_number(call, coordinator):
    waiting(coordinator, STYLE)
    coordinator.answer_steps = [[WORKING]]
    call("answer", TASK, "tabs")
    assert sent(coordinator) == [("1", {"text": "tabs"})]


def test_text_file_and_data_are_one_answer_to_the_question_named(call, coordinator, tmp_path):
    (tmp_path / "table.csv").write_text("1,2")
    waiting(coordinator, STYLE, LOGIN)
    coordinator.answer_steps = [[WORKING]]
    call("answer", TASK, "1=as it is", "--question", "3", "--file", tmp_path / "table.csv", "--data", '{"n": 3}')
    assert sent(coordinator) == [
        ("3", {"text": "1=as it is"}),
        ("3", {"raw": "MSwy", "filename": "table.csv", "mediaType": "text/csv"}),
        ("3", {"data": {"n": 3.0}, "mediaType": "application/json"}),
    ]


def test_a_specialists_own_question_is_answered_by_a_plain_message(call, coordinator):
    quietly(ASKING[0])(coordinator, coordinator.new_task())
    coordinator.answer_steps = [[WORKING]]
    call("answer", TASK, "1=100")
    assert sent(coordinator) == [(None, {"text": "1=100"})]
    assert not coordinator.requests[0].message.extensions


def test_half_an_answer_prints_what_is_still_open_and_ends_with_5(call, coordinator):
    waiting(coordinator, STYLE, FAILED)
    coordinator.answer_steps = [[asking(FAILED)]]
    result = call("answer", TASK, "1=tabs")
    assert result.exit_code == 5
    assert result.stdout.startswith("2. lint failed\n")
    assert "1=TEXT" not in result.stderr


def test_an_answer_the_coordinator_cannot_use_is_told_with_the_reason_and_5(call, coordinator):
    waiting(coordinator, STYLE)
    reason = "Question 1 takes one of: tabs, spaces."
    coordinator.answer_steps = [[asking(STYLE, problems=[reason])]]
    result = call("answer", TASK, "both")
    assert result.exit_code == 5
    assert f"{reason}\n" in result.stderr
    assert result.stdout.startswith("1. style asks\n")
    told = json.loads(call("show", TASK, "--json").stdout)
    assert (told["problems"], told["questions"]) == ([reason], [STYLE])


def test_an_answer_the_specialist_asks_again_about_is_told_with_its_reason_and_5(call, coordinator, monkeypatch):
    monkeypatch.setattr(replying, "VERDICT_S", LONG)
    waiting(coordinator, STYLE)
    coordinator.answer_steps = [[WORKING]]
    coordinator.later_steps = [
        progress(branch("style", "working")),
        asking(question("2", text="both is no convention")),
    ]
    result = call("answer", TASK, "both")
    assert result.exit_code == 5
    assert result.stdout.startswith("2. style asks\n   both is no convention\n")


def test_a_task_that_ends_with_its_answer_is_told_to_have_ended(call, coordinator, monkeypatch):
    monkeypatch.setattr(replying, "VERDICT_S", LONG)
    waiting(coordinator, STYLE)
    coordinator.answer_steps = [[WORKING]]
    coordinator.later_steps = COMPLETE
    result = call("answer", TASK, "tabs")
    assert (result.exit_code, result.stdout) == (0, f"task {TASK} is completed\n")
    assert f"coordinator show {TASK}" in result.stderr


def test_an_answer_as_json_is_one_object(call, coordinator):
    waiting(coordinator, STYLE)
    coordinator.answer_steps = [[WORKING]]
    assert json.loads(call("answer", TASK, "tabs", "--json").stdout)["state"] == "TASK_STATE_WORKING"


def test_without_an_answer_and_a_terminal_the_questions_are_printed(call, coordinator):
    waiting(coordinator, STYLE)
    result = call("answer", TASK)
    assert (result.exit_code, coordinator.requests) == (5, [])
    assert "tabs or spaces?" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tabs"], "the answer is for one question, and there are 1, 2: write N=TEXT, or give --question N"),
        (["1=tabs", "spaces"], "the answer is for one question"),
        (["--question", "1", "tabs", "spaces"], "several texts are several answers"),
        (["7=tabs"], "question 7 is not open; open is: 1, 2"),
        (["--question", "7"], "question 7 is not open; open is: 1, 2"),
        (["2=again"], "question 2: again is no choice; there are: retry, skip, agent:types"),
        (["--question", "2", "--data", "{}"], "question 2: a file or data is no choice"),
        (["1=tabs", "2=skip", "--data", "3"], "--file and --data are for one question, and there are 1, 2"),
        (["--data", "{"], "--data is not JSON"),
    ],
)
def test_what_answers_nothing_is_told_and_not_sent(call, coordinator, arguments, words):
    waiting(coordinator, STYLE, FAILED)
    result = call("answer", TASK, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert coordinator.requests == []


def test_a_task_that_asks_nothing_is_not_answered(call, coordinator):
    coordinator.new_task(state=a2a.TASK_STATE_WORKING)
    result = call("answer", TASK, "tabs")
    assert result.exit_code == 2
    assert f"task {TASK} is working: it asks nothing" in result.stderr


def test_who_answers_second_is_told(call, coordinator):
    waiting(coordinator, STYLE)
    coordinator.answer_steps = [[refusal("question 1 is closed")]]
    result = call("answer", TASK, "tabs")
    assert result.exit_code == 2
    assert "refused: question 1 is closed" in result.stderr


def test_waiting_and_a_state_do_not_go_together(call):
    assert call("tasks", "--waiting", "--state", "working").exit_code == 2


class Person:
    """Types what a test says; `None` is nothing for ever."""

    def __init__(self, *lines: str | None) -> None:
        self.lines = list(lines)
        self.prompts: list[str] = []

    async def read_line(self, text: str) -> str | None:
        self.prompts.append(text)
        line = self.lines.pop(0)
        if line is None:
            await asyncio.Event().wait()
        return line


@pytest.fixture
def person(monkeypatch):
    """Somebody at a terminal, who types these lines."""

    def sits_down(*lines: str | None) -> Person:
        someone = Person(*lines)
        monkeypatch.setattr(prompt, "can_ask", lambda *, no_input: not no_input)
        monkeypatch.setattr(prompt, "read_line", someone.read_line)
        return someone

    return sits_down


def test_in_a_terminal_the_answers_are_sent_and_the_task_is_followed_to_its_end(call, coordinator, code, person):
    someone = person("tabs", "skip")
    coordinator.steps = [asking(STYLE, FAILED)]
    coordinator.answer_steps = [[WORKING, *COMPLETE]]
    result = call("review", code)
    assert result.exit_code == 0
    assert "2 findings" in result.stdout
    assert "   agent:types  to agent:types\n" in result.stderr
    assert sent(coordinator) == [("1", {"text": "tabs"}), ("2", {"text": "skip"})]
    assert someone.prompts == [f"{n}. your answer (empty leaves it open): " for n in "12"]


def test_a_watched_task_asks_too(call, coordinator, person):
    waiting(coordinator, STYLE)
    person("tabs")
    coordinator.answer_steps = [COMPLETE]
    assert call("watch", TASK).exit_code == 0
    assert sent(coordinator) == [("1", {"text": "tabs"})]


def test_a_second_round_of_questions_is_asked_in_turn(call, coordinator, code, person):
    person("tabs", "retry")
    coordinator.steps = [asking(STYLE)]
    coordinator.answer_steps = [[WORKING, asking(FAILED)], COMPLETE]
    assert call("review", code).exit_code == 0
    assert [sent(coordinator, number) for number in (1, 2)] == [
        [("1", {"text": "tabs"})],
        [("2", {"text": "retry"})],
    ]


def test_what_is_no_choice_is_asked_again_before_anything_is_sent(call, coordinator, code, person):
    person("again", "retry")
    coordinator.steps = [asking(FAILED)]
    coordinator.answer_steps = [COMPLETE]
    assert "again is no choice" in call("review", code).stderr
    assert sent(coordinator) == [("2", {"text": "retry"})]


def test_an_answer_that_cannot_be_used_is_asked_again_with_the_reason(call, coordinator, code, person):
    person("both", "tabs")
    coordinator.steps = [asking(STYLE)]
    coordinator.answer_steps = [[asking(STYLE, words="both is not a convention\n1. style: tabs or spaces?")], COMPLETE]
    result = call("review", code)
    assert result.exit_code == 0
    assert "both is not a convention" in result.stderr


def test_what_is_left_open_is_not_asked_again(call, coordinator, code, person):
    person("tabs", "")
    coordinator.steps = [asking(STYLE, FAILED)]
    coordinator.answer_steps = [[asking(FAILED)]]
    result = call("review", code)
    assert result.exit_code == 5
    assert sent(coordinator) == [("1", {"text": "tabs"})]
    assert f"answer with: coordinator answer {TASK} 2=TEXT\n" in result.stderr


def test_who_leaves_all_open_sends_nothing(call, coordinator, code, person):
    person("  ", "")
    coordinator.steps = [asking(STYLE, FAILED)]
    assert call("review", code).exit_code == 5
    assert len(coordinator.requests) == 1


def test_a_refused_answer_is_told_and_what_is_open_then_is_asked(call, coordinator, code, person):
    person("tabs", "retry")

    def elsewhere(coordinator, task):
        quietly(asking(FAILED))(coordinator, task)
        return refusal("question 1 is closed")(coordinator, task)

    coordinator.steps = [asking(STYLE)]
    coordinator.answer_steps = [[elsewhere], COMPLETE]
    result = call("review", code)
    assert result.exit_code == 0
    assert "question 1 is closed" in result.stderr
    assert sent(coordinator) == [("2", {"text": "retry"})]


def test_who_is_second_at_the_terminal_is_told_and_sees_the_task_to_its_end(call, coordinator, code, person):
    person("tabs")

    def elsewhere(coordinator, task):
        quietly(WORKING)(coordinator, task)
        coordinator.later_steps = COMPLETE
        return refusal("question 1 is closed")(coordinator, task)

    coordinator.steps = [asking(STYLE)]
    coordinator.answer_steps = [[elsewhere]]
    result = call("review", code)
    assert result.exit_code == 0
    assert "question 1 is closed" in result.stderr
    assert "2 findings" in result.stdout


def test_a_specialists_own_second_question_is_shown_once(call, coordinator, code, person):
    person("80", "tabs")
    coordinator.steps = ASKING
    coordinator.answer_steps = [[status(a2a.TASK_STATE_INPUT_REQUIRED, "tabs?")], COMPLETE]
    result = call("review", code)
    assert result.exit_code == 0
    assert result.stderr.count("tabs?") == 1
    assert [part for _, part in sent(coordinator)] == [{"text": "tabs"}]


def test_an_authorisation_given_elsewhere_ends_the_asking(call, coordinator, code, person):
    person(None)
    coordinator.steps = [asking(LOGIN, state=a2a.TASK_STATE_AUTH_REQUIRED)]
    coordinator.later_steps = [progress(branch("licences", "working")), *COMPLETE]
    result = call("review", code)
    assert result.exit_code == 0
    assert "nothing is asked any more: the task goes on" in result.stderr
    assert "2 findings" in result.stdout
    assert len(coordinator.requests) == 1


def test_a_question_that_joins_keeps_the_answers_already_given(call, coordinator, code, person):
    person("tabs", None, "retry", "")
    coordinator.steps = [asking(STYLE, FAILED)]
    coordinator.later_steps = [asking(STYLE, FAILED, LOGIN)]
    coordinator.answer_steps = [[asking(FAILED, LOGIN)], [asking(LOGIN)]]
    result = call("review", code)
    assert result.exit_code == 5
    assert "the questions have changed meanwhile" in result.stderr
    assert [sent(coordinator, number) for number in (1, 2)] == [
        [("1", {"text": "tabs"})],
        [("2", {"text": "retry"})],
    ]


def test_news_that_change_no_question_do_not_interrupt(call, coordinator, code, person, monkeypatch):
    monkeypatch.setattr(dialogue, "LOOK_EVERY_S", 0.0)
    person()
    looks = threading.Semaphore(0)

    def look(coordinator, task):
        looks.release()
        return artifact({"artifactId": "x", "parts": [{"text": "one"}]})(coordinator, task)

    async def type_after_three_looks(_):
        for _ in range(3):
            await asyncio.to_thread(looks.acquire)
        return "tabs"

    monkeypatch.setattr(prompt, "read_line", type_after_three_looks)
    coordinator.steps = [asking(STYLE)]
    coordinator.later_steps = [look]
    coordinator.answer_steps = [COMPLETE]
    result = call("review", code)
    assert "have changed" not in result.stderr
    assert sent(coordinator) == [("1", {"text": "tabs"})]


def test_answer_alone_asks_in_the_terminal(call, coordinator, person):
    waiting(coordinator, STYLE, FAILED)
    person("retry")
    coordinator.answer_steps = [[WORKING]]
    result = call("answer", TASK, "--question", "2")
    assert (result.exit_code, result.stdout) == (0, f"task {TASK} is working\n")
    assert sent(coordinator) == [("2", {"text": "retry"})]


def test_no_input_asks_nobody(call, coordinator, code, person):
    someone = person()
    coordinator.steps = [asking(STYLE)]
    assert call("review", code, "--no-input").exit_code == 5
    assert someone.prompts == []


def test_a_task_that_is_gone_while_it_is_asked_about_is_told_in_one_line(coordinator, url, person):
    person(None)
    waiting(coordinator, STYLE)

    def unknown(coordinator, task):
        coordinator.tasks.clear()
        raise StopAsyncIteration

    coordinator.later_steps = [unknown]
    result = CliRunner().invoke(program(), ["--server", url, "watch", TASK])
    assert result.exit_code == 2
    assert "knows no such task" in result.stderr
