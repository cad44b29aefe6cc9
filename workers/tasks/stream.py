"""``stream.process``: hand over the messages that other services have put on the streams."""

import asyncio
from typing import Any

import structlog
from celery import Task
from celery.exceptions import Reject
from redis.exceptions import RedisError

from ssc_ingest.control.schedules import PROCESS_STREAM
from ssc_ingest.on_demand.stream.consumer import StreamConsumer
from ssc_ingest.on_demand.stream.counts import StreamCounts
from ssc_ingest.resources import Resources
from ssc_ingest.work.arguments import ProcessStream
from ssc_ingest.work.messages import TaskMessage
from workers.app import app
from workers.process.calls import BadCall, refusing
from workers.process.delivery import delivered
from workers.process.runtime import Stopping
from workers.routing import HOUSEKEEPING

log = structlog.get_logger(__name__)


@app.task(
    bind=True,
    name=PROCESS_STREAM,
    ignore_result=False,
    throws=(BadCall,),
    send_events=PROCESS_STREAM not in HOUSEKEEPING,
)
def process_stream(self: Task, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[type-arg]
    """Hand over waiting messages, at most ``batch`` of each stream; returns counts by outcome.

    Control reads the streams continuously, so there is mostly nothing left to do. Safe to repeat: a
    message is delivered to one reader. The keywords are those of
    :class:`ssc_ingest.work.arguments.ProcessStream`.
    """
    call = delivered(PROCESS_STREAM, self.request, args, kwargs)
    try:
        return app.runtime.run(_process(app.runtime.resources, call))
    except Stopping:
        raise Reject("the worker stops", requeue=True) from None


async def _process(resources: Resources, call: TaskMessage) -> dict[str, Any]:
    state = resources.state
    async with refusing(resources, call):
        request = ProcessStream.parse(call.kwargs)
    ProcessStream.log_unknown(call.kwargs)
    consumers = state.stream_consumers(resources.settings)
    found = await asyncio.gather(*(_consume(consumer, request) for consumer in consumers))
    problems = [answer for answer in found if isinstance(answer, str)]
    counts = sum((answer for answer in found if not isinstance(answer, str)), StreamCounts())
    # What is handed over has not ended yet: here it counts as successful.
    handed = StreamCounts(successful=counts.handed_over) + counts
    taken = handed.total_processed
    message = f"{taken} messages taken" if taken else "no messages, or no room in the queues"
    recent = [await state.standings.metrics.recent(consumer.stream) for consumer in consumers]
    log.info("stream_processed", **handed.document(), problems=problems)
    return {
        **handed.document(),
        "message": "; ".join([message, *problems]),
        "last_five_minutes": sum(recent, StreamCounts()).document(),
    }


async def _consume(consumer: StreamConsumer, request: ProcessStream) -> StreamCounts | str:
    """The outcomes of one stream's messages, or the reason why it cannot be read."""
    try:
        return await consumer.process(request.batch, request.block_ms / 1000)
    except (RedisError, TimeoutError, OSError) as error:
        return f"{consumer.stream}: {type(error).__name__}: {error}"
