"""Who may call, and what callers see of each other: nothing (spec 7.4, 13.1)."""

from contextlib import aclosing

import pytest
from a2a.client import A2ACardResolver
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import TaskNotFoundError

from coordinator.config import Settings
from coordinator.errors import ConfigurationError
from tests.protocol.clients import OPERATIONS, bare_http, calling, message
from tests.protocol.specialists import held, hold
from tests.protocol.users import bearer, settings_for
from tests.protocol.wires import V1, WIRES, call, refusal_in, result_of, send

OPEN = ("/.well-known/agent-card.json", "/gather/.well-known/agent-card.json", "/healthz", "/readyz")
STRANGERS = {
    "nobody": {},
    "an unknown token": {"Authorization": "Bearer made up"},
    "another scheme": {"Authorization": "Basic c2VjcmV0IG9mIGFsaWNl"},
    "no token": {"Authorization": "Bearer"},
}


@pytest.fixture
async def url(start, monkeypatch):
    """The URL of a coordinator that knows alice and bertha."""
    return await start(**settings_for(monkeypatch, "alice", "bertha"))


@pytest.fixture
async def alice(url, binding):
    async with calling(url, binding, bearer("alice")) as caller:
        yield caller


@pytest.fixture
async def bertha(url, binding):
    async with calling(url, binding, bearer("bertha")) as caller:
        yield caller


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("wire", WIRES)
async def test_7_4_a_stranger_is_refused_and_told_how_to_authenticate(http, fleet, wire, who):
    for streaming in (False, True):
        answer = await send(http, wire, streaming=streaming, headers=STRANGERS[who])
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert not fleet.counts.sends


async def test_7_4_a_stranger_reads_nothing(http):
    for verb, path in [
        ("GET", "/tasks"),
        ("GET", "/tasks/x"),
        ("GET", "/tasks/healthz"),
        ("GET", "/tasks/readyz"),
        ("POST", "/tasks/x:cancel"),
        ("POST", "/tasks/x:subscribe"),
        ("GET", "/gather/tasks"),
        ("GET", "/extendedAgentCard"),
        ("GET", "/agents"),
        ("GET", "/plans"),
        ("POST", "/plans/gather:resolve"),
        ("GET", "/nonsense"),
    ]:
        assert (await http.request(verb, path, headers=V1)).status_code == 401, path


async def test_7_4_a_wrong_host_opens_no_door(http, fleet):
    for host in ("x/healthz?", "x/healthz#", "x/.well-known/agent-card.json?"):
        answer = await send(http, "HTTP+JSON 1.0", headers={"Host": host})
        assert answer.status_code in {400, 401}
    assert not fleet.counts.sends


async def test_8_2_the_cards_are_for_everybody(http):
    for path in OPEN:
        assert (await http.get(path)).status_code == 200


async def test_7_3_the_card_says_how_to_authenticate(http, url):
    card = await A2ACardResolver(http, url).get_agent_card()
    assert card.security_schemes["bearer"].http_auth_security_scheme.scheme == "Bearer"
    assert [list(requirement.schemes) for requirement in card.security_requirements] == [["bearer"]]
    plain = (await http.get("/.well-known/agent-card.json")).json()
    assert plain["security"] == [{"bearer": []}]


async def test_7_4_a_known_token_is_let_in(alice):
    assert (await alice.send()).status.state == a2a.TASK_STATE_COMPLETED


async def test_7_4_the_name_of_the_scheme_may_be_written_small(url):
    async with bare_http(base_url=url) as http:
        answer = await call(http, "ListTasks", {}, headers={"Authorization": "bearer secret of alice"})
    assert result_of(answer)["totalSize"] == 0


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_13_1_a_foreign_task_is_told_like_an_unknown_one(alice, bertha, fleet, operation):
    with held(fleet):
        task = await alice.send(return_immediately=True)
        refusals = [await refused(bertha, operation, task_id) for task_id in (task.id, "unknown")]
        assert refusals[0] == refusals[1].replace("unknown", task.id)
        assert (await alice.get(task.id)).status.state != a2a.TASK_STATE_CANCELED


async def refused(caller, operation, task_id):
    """Return the words with which *operation* is refused."""
    with pytest.raises(TaskNotFoundError) as refusal:
        await OPERATIONS[operation](caller, task_id)
    return refusal.value.message


async def test_13_1_a_wrong_tenant_does_not_tell_whether_a_task_exists(url, alice):
    task = await alice.send()
    async with bare_http(base_url=url, headers=dict(bearer("bertha"))) as http:
        answers = [
            refusal_in(await call(http, "GetTask", {"id": task_id, "tenant": "nobody"})).code
            for task_id in (task.id, "unknown")
        ]
    assert answers[0] == answers[1]


async def test_13_1_everybody_lists_only_their_own_tasks(alice, bertha):
    hers = await alice.send(message(context_id="shared"))
    his = await bertha.send(message(context_id="shared"))
    for caller, task in ((alice, hers), (bertha, his)):
        page = await caller.tasks(context_id="shared")
        assert ([each.id for each in page.tasks], page.total_size) == ([task.id], 1)


async def test_13_1_a_page_token_of_somebody_else_is_worth_nothing(alice, bertha):
    for _ in range(2):
        await alice.send()
    token = (await alice.tasks(page_size=1)).next_page_token
    with pytest.raises(Exception, match="page_token"):
        await bertha.tasks(page_size=1, page_token=token)


async def test_13_1_the_same_caller_sees_its_tasks_on_every_binding(url):
    async with calling(url, "JSONRPC", bearer("alice")) as one, calling(url, "HTTP+JSON", bearer("alice")) as other:
        task = await one.send()
        assert await other.get(task.id) == task


async def test_13_1_a_stream_belongs_to_its_owner_only(alice, bertha, fleet):
    hold(fleet)
    async with aclosing(alice.stream()) as events:
        task = (await anext(events)).task
        assert not (await bertha.tasks()).tasks
        with pytest.raises(TaskNotFoundError):
            await bertha.cancel(task.id)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_without_authentication_only_loopback_is_served(host):
    with pytest.raises(ValueError, match="reachable from outside"):
        Settings(host=host)
    assert Settings(host=host, insecure=True).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_authentication(host):
    assert Settings(host=host).auth == "none"


async def test_a_token_that_is_not_set_keeps_the_server_from_starting(start, monkeypatch):
    settings = settings_for(monkeypatch, "alice")
    monkeypatch.delenv("TOKEN_OF_ALICE")
    with pytest.raises(ConfigurationError, match="TOKEN_OF_ALICE"):
        await start(**settings)


async def test_a_message_keeps_the_token_to_itself(alice, fleet):
    await alice.send(message("hi"))
    assert "secret" not in str([(received.headers, received.params) for received in fleet.ledger.journal])


async def test_13_1_what_became_of_cancels_is_told_to_the_owner_only(http, alice):
    task = await alice.send()
    path = f"/tasks/{task.id}/cancels"
    codes = [(await http.get(path, headers=headers)).status_code for headers in ({}, bearer("bertha"), bearer("alice"))]
    assert codes == [401, 404, 200]


async def test_7_4_the_webhook_asks_for_the_token_of_the_attempt_not_for_a_caller_s(http):
    answer = await http.post("/-/pushes/unknown", json={})
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
