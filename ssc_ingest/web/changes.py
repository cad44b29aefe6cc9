"""The changes: replay, pauses of runs and registries, switches of schedules. POST only.

Each requires the password, if there is one, and a form of this page (:mod:`.access`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from ssc_ingest.control.registry_pauses import RegistryPauses
from ssc_ingest.control.replay import REPLAY
from ssc_ingest.control.schedules import ScheduleControl, named
from ssc_ingest.ecosystems import ecosystem
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.logs import get_logger
from ssc_ingest.phrases import count
from ssc_ingest.resources import State
from ssc_ingest.web.access import is_own_origin
from ssc_ingest.web.middleware import read_form
from ssc_ingest.web.pages import challenge
from ssc_ingest.web.site import COOKIE, Site
from ssc_ingest.work.arguments import ReplayDeadLetters
from ssc_ingest.work.messages import TaskMessage
from ssc_ingest.work.names import CONTROL

Form = Mapping[str, Sequence[str]]

PAUSES = {"1h": 3600.0, "4h": 4 * 3600.0, "1d": 24 * 3600.0, "": None}
"""Lengths of a pause in seconds; the last one ends when an operator resumes the registry."""

MAX_REASON = 200
"""Characters."""

MAX_IDS = 100
"""Dead letters that are replayed by one form; a filter has no limit."""

log = get_logger(__name__)


class Changes:
    """The handlers of changes."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._handlers: dict[str, Callable[[Form], Awaitable[Response]]] = {
            "/dead-letters/replay": self._replay,
            "/runs/pause": self._pause_run,
            "/runs/resume": self._resume_run,
            "/registries/pause": self._pause,
            "/registries/resume": self._resume,
            "/schedules/switch": self._switch,
            "/schedules/run-now": self._run_now,
        }

    @property
    def paths(self) -> list[str]:
        """The paths of all changes."""
        return list(self._handlers)

    async def change(self, request: Request) -> Response:
        """Check the visitor's rights and the origin of the request, then make the change."""
        if not self._site.may_change(request):
            client = request.client.host if request.client else None
            log.warning("web_change_refused", path=request.url.path, client=client)
            return challenge(self._site, request)
        form = await read_form(request)
        headers = request.headers
        is_ours = is_own_origin(
            headers.get("host"), headers.get("origin"), headers.get("sec-fetch-site")
        ) and self._site.access.accepts_token(request.cookies.get(COOKIE), _one(form, "token"))
        if not is_ours:
            text = "The form is not from this page, or is too old. Go back, reload, and try again."
            return self._site.problem(request, HTTPStatus.FORBIDDEN, text)
        response = await self._handlers[request.url.path](form)
        log.info("web_change", path=request.url.path)
        self._site.reading.fleet.forget()
        self._site.reading.letters.forget()
        return response

    async def _replay(self, form: Form) -> Response:
        ids = list(form.get("id", ()))
        if len(ids) > MAX_IDS:
            raise InvalidArguments(f"at most {MAX_IDS} dead letters at once, or all of a kind")
        request = ReplayDeadLetters(
            ids=ids,
            ecosystem=_one(form, "ecosystem") or None,
            error_type=_one(form, "kind") or None,
            run_id=_one(form, "run") or None,
        )
        async with self._site.sources.state() as state:
            if ids:
                replayed = await state.replay().replay(request)
                text = f"{count(len(replayed.ids), 'dead letter')} back in the queues."
                for letter_id, reason in replayed.kept.items():
                    text += f" {letter_id} stays: {reason}."
                return self._site.done("/dead-letters", text)
            if request == ReplayDeadLetters():
                raise InvalidArguments("no dead letters selected: select some, or set a filter")
            # There may be very many: control replays them, as a task does for other services.
            message = TaskMessage(
                task=REPLAY, kwargs=request.model_dump(), queue=CONTROL, ignore_result=False
            )
            await state.queues.publish([message])
        text = f"Control replays all that match (task {message.task_id})."
        return self._site.done("/dead-letters", text)

    async def _pause_run(self, form: Form) -> Response:
        async with self._site.sources.state() as state:
            run = await state.run_control().pause(_one(form, "id"))
        queued = count(run.pending, "package")
        text = f"The {run.title} is paused; {queued} in the queues will still be read."
        return self._site.done("/runs", text)

    async def _resume_run(self, form: Form) -> Response:
        async with self._site.sources.state() as state:
            run = await state.run_control().resume(_one(form, "id"))
        return self._site.done("/runs", f"The {run.title} continues from its last page.")

    async def _pause(self, form: Form) -> Response:
        name, length = _one(form, "name"), _one(form, "length")
        reason = _one(form, "reason").strip()[:MAX_REASON] or "by hand, on the overview page"
        if length not in PAUSES:
            raise InvalidArguments("the page offers no pause of this length")
        ecosystem(name)
        async with self._site.sources.state() as state:
            pauses = RegistryPauses(state.limiter, state.queues)
            await pauses.pause(name, reason=reason, seconds=PAUSES[length])
        return self._site.done("/registries", f"{name} is paused.")

    async def _resume(self, form: Form) -> Response:
        name = _one(form, "name")
        ecosystem(name)
        async with self._site.sources.state() as state:
            _, woken = await RegistryPauses(state.limiter, state.queues).resume(name)
        text = f"{name} is resumed; {count(woken, 'waiting package')} requeued."
        return self._site.done("/registries", text)

    async def _switch(self, form: Form) -> Response:
        name, state_wanted = _one(form, "name"), _one(form, "state")
        if state_wanted not in {"on", "off"}:
            raise InvalidArguments("a schedule is switched on or off")
        named(name)
        async with self._site.sources.state() as state:
            await self._schedules(state).switch(name, on=state_wanted == "on")
        return self._site.done("/schedules", f"{name} is {state_wanted}.")

    async def _run_now(self, form: Form) -> Response:
        name = _one(form, "name")
        named(name)
        async with self._site.sources.state() as state:
            message = await self._schedules(state).run_now(name)
        text = f"{name} starts now: {message.task} is queued as task {message.task_id}."
        return self._site.done("/schedules", text)

    def _schedules(self, state: State) -> ScheduleControl:
        return ScheduleControl(state.redis, state.queues, self._site.sources.settings.timezone)


def _one(form: Form, name: str) -> str:
    """A field that a form has once; empty if it is missing.

    Raises:
        InvalidArguments: the form has it several times.
    """
    values = form.get(name, ())
    if len(values) > 1:
        raise InvalidArguments(f"the field {name} is there {len(values)} times")
    return values[0] if values else ""
