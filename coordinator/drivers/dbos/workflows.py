"""Turns as workflows of DBOS: all that is known of DBOS in this project is in here.

DBOS keeps a row for each turn: that it was started, by which executor, whether it came to its end. So no two
replicas start the same turn, and what an executor leaves behind is given to another one. None of it is needed to
find out what there is to do: that is the journal's, and these tables may be deleted whenever everything is stopped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowStatus, error
from sqlalchemy.exc import SQLAlchemyError

from coordinator.drivers.dbos.guard import conninfo
from coordinator.errors import ConfigurationError, JournalUnavailable

SCHEMA = "coordinator_dbos"
QUEUE = "turns"
HANDED_OVER_S = 0.3
"""How often each replica looks whether a turn was given away."""

VERSION = "1"
"""What DBOS calls the version of the application: it gives a turn only to executors of the same one, and every
version of this program can go on with what another one began, or says that it cannot."""

IN_FLIGHT = ["PENDING", "ENQUEUED"]
OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
PER_DELETE = 500

Host = Callable[[str, str, int], Awaitable[bool]]
"""Runs, as the workflow of that id, a turn of a task and returns whether it came to its end here."""

Turn = Callable[[str, int], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Flight:
    """A turn that was started and has not come to its end; nobody's while it is being given to somebody."""

    workflow_id: str
    executor: str

    @property
    def task_id(self) -> str:
        """The task it is a turn of."""
        return self.workflow_id.split(":")[0]

    @property
    def turn(self) -> int:
        """Which one of its turns."""
        return int(self.workflow_id.split(":")[1])


@dataclass(slots=True)
class Workflows:
    """The turns of one executor; *host* runs them. There is one of these in a process."""

    url: str
    executor: str
    host: Host
    _dbos: DBOS | None = None
    _turn: Turn | None = None
    _is_on: bool = False
    _stopping: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Give and take turns inside the context. Raises `ConfigurationError` when DBOS cannot be started."""
        try:
            self._launch()
            await DBOS.register_queue_async(QUEUE, polling_interval_sec=HANDED_OVER_S)
        except (error.DBOSException, SQLAlchemyError) as cause:
            raise ConfigurationError(f"db: DBOS cannot use the schema {SCHEMA}: {cause}") from cause
        try:
            yield
        finally:
            await self.stop()

    def _launch(self) -> None:
        """Start DBOS in the running loop: its turns run here, its threads do the waiting for the database."""
        _quiet()
        config: DBOSConfig = {
            "name": "a2a-coordinator",
            "system_database_url": conninfo(self.url).replace("postgresql://", "postgresql+psycopg://", 1),
            "dbos_system_schema": SCHEMA,
            "executor_id": self.executor,
            "application_version": VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": 16,
            "sys_db_pool_size": 6,
            "use_listen_notify": False,  # for messages between workflows, of which there are none
            "notification_listener_polling_interval_sec": 0.2,
            "scheduler_polling_interval_sec": 3600.0,
            "enable_otlp": False,
            "log_level": "ERROR",
        }
        self._dbos = dbos = DBOS(config=config)
        self._turn = _registered(self.host)
        DBOS.launch()
        # Its threads would wait for a database that is away as long as that takes, and the end of the process for
        # them. DBOS offers this to its clients only; what failed is tried again by the sweep.
        dbos._sys_db._retry_connection_errors = False  # noqa: SLF001
        self._is_on = True

    async def start(self, workflow_id: str, task_id: str, turn: int) -> bool:
        """Start a turn here, unless it was started before; then return False. Raises `JournalUnavailable`."""
        if self._turn is None or not self._is_on:
            return False
        with translated(), SetWorkflowID(workflow_id, workflow_id_reuse_policy="reject"):
            try:
                await DBOS.start_workflow_async(self._turn, task_id, turn)
            except error.DBOSWorkflowIDInUseError:
                return False
        return True

    async def of_turn(self, turn_id: str) -> list[Flight]:
        """Return the workflows of one turn (`task:number`) that are not over. Raises `JournalUnavailable`."""
        with translated():
            rows = await DBOS.list_workflows_async(
                status=IN_FLIGHT, workflow_id_prefix=turn_id, load_input=False, load_output=False
            )
        return [_flight(row) for row in rows if f"{row.workflow_id}:".startswith(f"{turn_id}:")]

    async def in_flight(self, executors: Sequence[str] = ()) -> list[Flight]:
        """Return the turns that are not over, all or those of *executors*. Raises `JournalUnavailable`."""
        if not self._is_on:
            return []
        with translated():
            rows = await DBOS.list_workflows_async(
                status="PENDING" if executors else IN_FLIGHT,
                executor_id=list(executors) or None,
                load_input=False,
                load_output=False,
            )
        return [_flight(row) for row in rows]

    async def give_away(self, flights: Collection[Flight]) -> None:
        """Let anyone take up these turns. Raises `JournalUnavailable`."""
        if flights and self._is_on:
            with translated():
                await DBOS.resume_workflows_async([flight.workflow_id for flight in flights], queue_name=QUEUE)

    async def forget(self, before: str) -> None:
        """Forget the turns that came to their end *before* (ISO 8601). Raises `JournalUnavailable`."""
        while self._is_on:
            with translated():
                rows = await DBOS.list_workflows_async(
                    status=OVER, completed_before=before, limit=PER_DELETE, load_input=False, load_output=False
                )
                if rows:
                    await DBOS.delete_workflows_async([row.workflow_id for row in rows])
            if len(rows) < PER_DELETE:
                return

    def take_no_more(self) -> None:
        """Leave what is given away to others; turns under way go on, and more can be started."""
        if self._dbos is not None:
            for event in self._dbos.background_thread_stop_events:  # as DBOS itself begins its end
                event.set()

    async def stop(self) -> None:
        """Take no more turns; those under way must have been let go. A second time does nothing."""
        async with self._stopping:
            if not self._is_on:
                return
            self._is_on = False
            # DBOS made its threads the ones of this loop, and is about to send them home.
            loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(thread_name_prefix="asyncio")
            loop.set_default_executor(threads)
            try:
                # In a thread: what it waits for may need this loop.
                await loop.run_in_executor(threads, partial(DBOS.destroy, destroy_registry=True))
            finally:
                # Once more: a turn that was just coming to its end may have made DBOS's the loop's again.
                loop.set_default_executor(threads)


def _flight(row: WorkflowStatus) -> Flight:
    return Flight(row.workflow_id, (row.executor_id or "") if row.status == "PENDING" else "")


def _registered(host: Host) -> Turn:
    @DBOS.workflow(name="turn", max_recovery_attempts=None)  # how often it was tried is counted in the head row
    async def turn(task_id: str, number: int) -> None:
        if not await host(DBOS.workflow_id or "", task_id, number):
            # Neither an end nor an error: the row stays as it is, and somebody else goes on.
            raise asyncio.CancelledError

    return turn


def _quiet() -> None:
    """Send what DBOS logs our way: it would log to the console by itself, and at INFO it advertises."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.ERROR)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of DBOS and its database into `JournalUnavailable`."""
    try:
        yield
    except (error.DBOSException, SQLAlchemyError) as cause:
        raise JournalUnavailable(f"DBOS: {cause}") from cause
