"""The ASGI application: paths, handlers, and the pages for errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ssc_ingest.errors import ConfigurationError, InvalidArguments, StoreUnavailable
from ssc_ingest.logs import get_logger
from ssc_ingest.runs.control import WrongState
from ssc_ingest.web.access import Access
from ssc_ingest.web.changes import Changes
from ssc_ingest.web.middleware import Guard
from ssc_ingest.web.pages import Pages
from ssc_ingest.web.reading import Reading
from ssc_ingest.web.site import Site
from ssc_ingest.web.sources import Sources

STATIC = Path(__file__).with_name("static")

log = get_logger(__name__)


def application(sources: Sources, access: Access) -> Starlette:
    """The application of one server."""
    reading = Reading(sources)
    site = Site(access, sources, reading)
    pages, changes = Pages(site), Changes(site)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await reading.close()

    async def refused(request: Request, error: Exception) -> Response:
        return site.problem(request, HTTPStatus.BAD_REQUEST, str(error))

    async def conflicting(request: Request, error: Exception) -> Response:
        return site.problem(request, HTTPStatus.CONFLICT, f"{error}.")

    async def unavailable(request: Request, error: Exception) -> Response:
        return site.problem(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    async def not_served(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        response = site.problem(request, HTTPStatus(status), _EXPLANATIONS.get(status, ""))
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    async def failed(request: Request, error: Exception) -> Response:
        # Starlette hands the error on to the server, which logs its traceback.
        text = f"An internal error: {type(error).__name__}. The log has its traceback."
        return site.problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, text)

    return Starlette(
        routes=[
            Route("/", pages.overview),
            Route("/runs", pages.runs),
            Route("/registries", pages.registries),
            Route("/schedules", pages.schedules),
            Route("/dead-letters", pages.letters),
            Route("/dead-letters/show/{letter_id:path}", pages.letter),
            Route("/login", pages.login),
            Route("/healthz", pages.health),
            *(Route(path, changes.change, methods=["POST"]) for path in changes.paths),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={
            InvalidArguments: refused,
            WrongState: conflicting,
            StoreUnavailable: unavailable,
            ConfigurationError: unavailable,
            HTTPException: not_served,
            Exception: failed,
        },
        lifespan=lifespan,
    )


_EXPLANATIONS = {
    404: "There is no such page.",
    405: "This address does not accept this method; changes are made by the forms of the pages.",
}
