"""What a coordinator cannot do now is refused so that clients try again (spec 3.3.2), on every binding."""

import pytest

from coordinator import app
from coordinator.errors import RetryLater
from coordinator.inbound.intake import Intake
from coordinator.journal import MemoryJournal
from tests.journal.away import AwayJournal
from tests.protocol.specialists import held
from tests.protocol.wires import V1, WIRES, result_of, rpc, said, send

on_every_wire = pytest.mark.parametrize("wire", WIRES)
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["send", "stream"])


@pytest.fixture
def journal(monkeypatch):
    """The journal of the next coordinator, which tests take away."""
    journal = AwayJournal(MemoryJournal())

    async def given(_):
        return journal

    monkeypatch.setattr(app, "_journal", given)
    return journal


@pytest.fixture
async def url(journal, start):
    return await start()


def check_later(answer, *, reason, seconds, rpc_id=None):
    """Check everything clients look at: the status, the header, the code and the details."""
    assert answer.headers["retry-after"] == str(seconds)
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    if rpc_id is not None:
        assert (answer.status_code, answer.json()["id"], error["code"]) == (200, rpc_id, -32603)
        info, retry = error["data"]
    else:
        assert (answer.status_code, error["code"], error["status"]) == (503, 503, "UNAVAILABLE")
        info, retry = error["details"]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (info["reason"], info["domain"]) == (reason, "w3id.org/a2a-coordinator")
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{seconds}s"}
    return error["message"]


@on_every_wire
@both_ways
async def test_3_3_2_a_send_without_a_database_is_to_be_repeated(http, journal, fleet, wire, streaming):
    with journal.away():
        answer = await send(http, wire, streaming=streaming)
    rpc_id = 7 if wire.startswith("JSONRPC") else None
    says = check_later(answer, reason="JOURNAL_UNAVAILABLE", seconds=2, rpc_id=rpc_id)
    assert "database is away" in says
    assert "/secret" not in answer.text  # where our files are is nobody's business
    assert not fleet.counts.sends
    again = await send(http, wire, streaming=streaming)
    assert (again.status_code, "retry-after" in again.headers) == (200, False)


@on_every_wire
@both_ways
async def test_3_3_2_whoever_is_refused_for_another_reason_is_told_it(http, monkeypatch, wire, streaming):
    async def full(*_):
        raise RetryLater("too many at once", reason="TOO_MANY", retry_after_s=6.2)

    monkeypatch.setattr(Intake, "accept", full)
    rpc_id = 7 if wire.startswith("JSONRPC") else None
    answer = await send(http, wire, streaming=streaming)
    assert check_later(answer, reason="TOO_MANY", seconds=7, rpc_id=rpc_id) == "too many at once"


OPERATIONS_1_0 = [
    ("POST", "/", rpc("GetTask", {"id": "{}"})),
    ("POST", "/", rpc("ListTasks", {})),
    ("POST", "/", rpc("CancelTask", {"id": "{}"})),
    ("POST", "/", rpc("SubscribeToTask", {"id": "{}"})),
    ("GET", "/tasks/{}", None),
    ("GET", "/tasks", None),
    ("POST", "/tasks/{}:cancel", {}),
    ("GET", "/tasks/{}:subscribe", None),
    ("GET", "/tasks/{}/pushNotificationConfigs", None),
    ("GET", "/tasks/{}/pushNotificationConfigs/x", None),
    ("DELETE", "/tasks/{}/pushNotificationConfigs/x", None),
]
OPERATIONS_0_3 = [
    ("POST", "/", rpc("tasks/get", {"id": "{}"})),
    ("POST", "/", rpc("tasks/cancel", {"id": "{}"})),
    ("POST", "/", rpc("tasks/resubscribe", {"id": "{}"})),
    ("POST", "/", rpc("tasks/pushNotificationConfig/list", {"id": "{}"})),
    ("GET", "/v1/tasks/{}", None),
    ("POST", "/v1/tasks/{}:cancel", {}),
    ("GET", "/v1/tasks/{}:subscribe", None),
]


def told(operation):
    method, path, body = operation
    return body["method"] if path == "/" else f"{method} {path}"


@pytest.mark.parametrize(
    ("headers", "operation"),
    [(V1, operation) for operation in OPERATIONS_1_0] + [({}, operation) for operation in OPERATIONS_0_3],
    ids=[told(operation) for operation in OPERATIONS_1_0 + OPERATIONS_0_3],
)
async def test_3_3_2_every_operation_without_a_database_is_to_be_repeated(http, journal, fleet, headers, operation):
    with held(fleet):
        sent = await send(http, request={"message": said(), "configuration": {"returnImmediately": True}})
        task_id = result_of(sent)["task"]["id"]
        method, path, body = operation
        if path == "/" and "id" in body["params"]:
            body = body | {"params": {"id": task_id}}
        with journal.away():
            answer = await http.request(method, path.format(task_id), json=body, headers=headers)
        check_later(answer, reason="JOURNAL_UNAVAILABLE", seconds=2, rpc_id=7 if path == "/" else None)


async def test_an_error_of_the_client_stays_one_while_the_database_is_away(http, journal):
    with journal.away():
        answer = await send(http, "HTTP+JSON 1.0", {"message": said(messageId="")})
    assert (answer.status_code, "retry-after" in answer.headers) == (400, False)
