"""``dead_letters.replay``: give failed work another try."""

from typing import Any

from ssc_ingest.arguments import ReplayDeadLetters
from ssc_ingest.queues import REPLAY
from ssc_ingest.replay import replay
from workers.app import app


@app.task(name=REPLAY, ignore_result=False)
def replay_dead_letters(**kwargs: Any) -> dict[str, list[str]]:
    """Put dead letters back on their queues, by ids or by filter.

    Safe to repeat: what was replayed is no longer a dead letter. The keywords are those of
    :class:`ssc_ingest.arguments.ReplayDeadLetters`.
    """
    request = ReplayDeadLetters.parse(kwargs)
    return {"replayed": app.runtime.run(replay(app.runtime.resources.state, request))}
