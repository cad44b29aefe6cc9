"""Calls of tasks that are not about one package: an invalid one becomes a dead letter."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ssc_ingest.errors import InvalidArguments
from ssc_ingest.models import now
from ssc_ingest.resources import Resources
from ssc_ingest.work.messages import TaskMessage


class BadCall(Exception):
    """The arguments are invalid; the text has the reason and the dead letter's id."""


@asynccontextmanager
async def refusing(resources: Resources, call: TaskMessage) -> AsyncIterator[None]:
    """While the arguments of a call are read.

    Raises:
        BadCall: the arguments are invalid, and the call is a dead letter now.
    """
    try:
        yield
    except InvalidArguments as error:
        letter = await resources.state.dead_letters.add(call, error, now=now())
        raise BadCall(f"{type(error).__name__}: {error} [{letter}]") from error
