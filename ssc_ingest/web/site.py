"""The shared objects of one server's handlers: rules, data, templates, notices after a change."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ssc_ingest import __version__
from ssc_ingest.models import now
from ssc_ingest.web.access import Access
from ssc_ingest.web.reading import Reading
from ssc_ingest.web.rendering import templates
from ssc_ingest.web.sources import Sources

COOKIE = "ssc_visitor"
"""A random value by which a form is bound to a browser; it is not a login."""

MAX_NOTICES = 100


@dataclass(frozen=True, slots=True)
class Site:
    """One server."""

    access: Access
    sources: Sources
    reading: Reading
    environment: Environment = field(default_factory=templates)
    notices: "OrderedDict[str, str]" = field(default_factory=OrderedDict)
    """Results of changes, each shown once, by the id in the address of the next page."""

    def may_change(self, request: Request) -> bool:
        """Whether the visitor may change something."""
        return self.access.may_change(request.headers.get("authorization"))

    def page(
        self, request: Request, template: str, status: int = HTTPStatus.OK, **values: Any
    ) -> Response:
        """Answer with a page."""
        visitor = request.cookies.get(COOKIE) or secrets.token_urlsafe(32)
        text = self.environment.get_template(template).render(
            may_change=self.may_change(request),
            token=self.access.token(visitor),
            path=request.url.path,
            notice=self.notices.pop(request.query_params.get("notice", ""), None),
            now=now(),
            version=__version__,
            **values,
        )
        response = HTMLResponse(text, status)
        if self.may_change(request) and COOKIE not in request.cookies:
            response.set_cookie(COOKIE, visitor, httponly=True, samesite="strict")
        return response

    def problem(self, request: Request, status: HTTPStatus, text: str) -> Response:
        """Answer with a page that explains the problem."""
        return self.page(request, "problem.html", status, title=status.phrase, text=text)

    def done(self, path: str, text: str) -> Response:
        """Send the browser to a page that shows the result of a change."""
        notice = secrets.token_urlsafe(9)
        self.notices[notice] = text
        while len(self.notices) > MAX_NOTICES:
            self.notices.popitem(last=False)
        return RedirectResponse(f"{path}?notice={notice}", HTTPStatus.SEE_OTHER)
