"""The pages that can be read by everybody who reaches the server."""

import asyncio
import re
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from ssc_ingest import __version__
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import InvalidArguments
from ssc_ingest.models import now
from ssc_ingest.monitoring.advisories import advisory_problems, audit_problem
from ssc_ingest.monitoring.witnesses import Problem
from ssc_ingest.servers import without_credentials
from ssc_ingest.web.parts import Part
from ssc_ingest.web.reading import Advisories, Fleet
from ssc_ingest.web.site import Site
from ssc_ingest.work.dead_letters import DeadLetter, LetterFilter
from ssc_ingest.work.names import CONTROL, DEFAULT, URGENCIES

READABLE = frozenset({"/", "/runs", "/dead-letters", "/registries", "/schedules"})
"""The pages to which a login returns, besides that of one dead letter."""

LETTER = re.compile(r"/dead-letters/show/[\w.-]+/\d+-\d+")
"""Such a page; no other server can be named by its address."""

LETTERS_SHOWN = 50
"""Maximum number of dead letters on a page."""

LETTERS_SEARCHED = 2000
"""Number of newest dead letters that are searched for matching ones; everybody may ask for that."""


class Pages:
    """The handlers of reads."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def overview(self, request: Request) -> Response:
        """The first page."""
        reading = self._site.reading
        fleet, letters, graph, advisories = await asyncio.gather(
            reading.fleet.get(),
            reading.letters.get(),
            reading.graph.get(),
            reading.advisories.get(),
        )
        servers = self._site.sources.servers
        return self._site.page(
            request,
            "overview.html",
            fleet=fleet,
            letters=letters,
            graph=graph,
            advisories=advisories,
            problems=_problems(fleet, advisories),
            servers=[
                ("graph", without_credentials(servers.graph_uri), graph),
                ("redis", without_credentials(servers.redis_url), fleet),
                (
                    "vulnerabilities",
                    without_credentials(servers.vulnerabilities_uri),
                    advisories,
                ),
            ],
            ecosystems=list(ecosystems()),
            urgencies=URGENCIES,
            other_queues=(CONTROL, DEFAULT),
            freshness_goal=self._site.sources.settings.freshness_goal_days,
        )

    async def runs(self, request: Request) -> Response:
        """The newest runs."""
        fleet = await self._site.reading.fleet.get()
        return self._site.page(request, "runs.html", fleet=fleet)

    async def registries(self, request: Request) -> Response:
        """Registries and their hosts."""
        fleet = await self._site.reading.fleet.get()
        return self._site.page(request, "registries.html", fleet=fleet)

    async def schedules(self, request: Request) -> Response:
        """The schedules of beat."""
        fleet = await self._site.reading.fleet.get()
        zone = self._site.sources.settings.timezone
        return self._site.page(request, "schedules.html", fleet=fleet, zone=zone)

    async def letters(self, request: Request) -> Response:
        """The newest dead letters that match a filter."""
        query = request.query_params
        chosen = LetterFilter(
            ecosystem=query.get("ecosystem") or None,
            error_type=query.get("kind") or None,
            run_id=query.get("run") or None,
            until=_number(query.get("until")),
        )
        found: list[DeadLetter] = []
        searched = 0
        more = False
        async with self._site.sources.state() as state:
            async for letter in state.dead_letters.all(LetterFilter(until=chosen.until)):
                if len(found) == LETTERS_SHOWN or searched == LETTERS_SEARCHED:
                    more = True
                    break
                searched += 1
                if chosen.matches(letter):
                    found.append(letter)
        return self._site.page(
            request,
            "letters.html",
            kinds=await self._site.reading.letters.get(),
            letters=found,
            more=more,
            searched=searched,
            chosen=chosen,
            ecosystems=list(ecosystems()),
        )

    async def letter(self, request: Request) -> Response:
        """One dead letter."""
        letter_id = request.path_params["letter_id"]
        async with self._site.sources.state() as state:
            letter = await state.dead_letters.get(letter_id)
        if letter is None:
            text = "There is no dead letter of this id. It may have been replayed or deleted."
            return self._site.problem(request, HTTPStatus.NOT_FOUND, text)
        return self._site.page(request, "letter.html", letter=letter)

    async def login(self, request: Request) -> Response:
        """Ask the browser for the password; then go back to the page of the link."""
        if self._site.may_change(request):
            page = request.query_params.get("page", "/")
            is_known = page in READABLE or LETTER.fullmatch(page)
            return RedirectResponse(page if is_known else "/", HTTPStatus.SEE_OTHER)
        return challenge(self._site, request)

    async def health(self, request: Request) -> Response:
        """Whether the server works, and which stores responded to their last query."""
        del request
        parts = self._site.reading.parts
        return JSONResponse(
            {
                "status": "ok",
                "version": __version__,
                "stores": {
                    store: None
                    if parts[part].last.read_at is None
                    else not parts[part].last.problem
                    for store, part in (
                        ("graph", "graph"),
                        ("redis", "fleet"),
                        ("vulnerabilities", "advisories"),
                    )
                },
            }
        )


def challenge(site: Site, request: Request) -> Response:
    """Ask for the password (HTTP Basic)."""
    text = "Changes need the user name and the password of Flower (FLOWER_USER, FLOWER_PASSWORD)."
    response = site.problem(request, HTTPStatus.UNAUTHORIZED, text)
    response.headers["WWW-Authenticate"] = 'Basic realm="SSC Ingest", charset="UTF-8"'
    return response


def _problems(fleet: Part[Fleet], advisories: Part[Advisories]) -> list[Problem]:
    """The problems of the fleet and its stores, as far as they are known."""
    found: list[Problem] = []
    if fleet.value:
        found += fleet.value.work.problems
        if problem := audit_problem(fleet.value.work.audit, now=now()):
            found.append(problem)
    if advisories.value:
        states = advisories.value.states
        found += advisory_problems(states, list(states), now=now())
    return found


def _number(text: str | None) -> int | None:
    """A positive number of at most 15 digits.

    Raises:
        InvalidArguments: the text is something else.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):  # noqa: PLR2004 - milliseconds
        raise InvalidArguments("until is not a number of milliseconds")
    return int(text)
