"""The submissions that wait for the writer."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.graph.changes import Change, ParentEdge, WriteOutcome
from ssc_ingest.graph.inbox import Submission, Waiting, take
from ssc_ingest.models import PackageRef, Purl
from ssc_ingest.work.batching import Request

Arrivals = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.booleans(), st.integers(0, 4)), max_size=20
)


def submission(
    name: str, *, urgent: bool = False, rows: int = 1
) -> Request[Submission, WriteOutcome]:
    """A submission that counts as this number of rows."""
    change = Change(
        ref=PackageRef(
            ecosystem="e", label="E", purl=Purl(f"pkg:e/{name}"), name=name, registry_name=name
        ),
        edges=(ParentEdge("4:x", "any"),) * (rows - 1),
    )
    return Request(Submission(change, urgent), asyncio.get_running_loop().create_future())


@given(Arrivals, st.integers(1, 10))
async def test_everything_is_taken_once_in_the_order_of_its_lane(
    arrivals: list[tuple[str, bool, int]], limit: int
) -> None:
    """Batches respect their rows, have a package once, and lose or reorder nothing."""
    put = [submission(name, urgent=urgent, rows=1 + extra) for name, urgent, extra in arrivals]
    waiting = list(put)

    batches = []
    while waiting:
        batches.append(take(waiting, limit))

    taken = [one for batch in batches for one in batch]
    for urgent in (True, False):
        lane = [one for one in put if one.item.urgent is urgent]
        assert [one for one in taken if one.item.urgent is urgent] == lane
    for batch in batches:
        assert batch
        purls = [one.item.change.ref.purl for one in batch]
        assert len(set(purls)) == len(purls)
        assert len(batch) == 1 or sum(one.item.change.rows for one in batch) <= limit


async def test_urgent_goes_first_and_bulk_fills_what_is_left() -> None:
    """One transaction has urgent and bulk work, so neither waits for ever."""
    waiting = [submission("bulk-1"), submission("bulk-2"), submission("urgent", urgent=True)]

    assert [one.item.change.ref.name for one in take(waiting, 2)] == ["urgent", "bulk-1"]
    assert len(waiting) == 1


async def test_what_nobody_awaits_any_more_is_dropped() -> None:
    """The package of a cancelled task is not written if its transaction has not started."""
    given_up, other = submission("given-up"), submission("other")
    given_up.answer.cancel()
    waiting: Waiting = [given_up, other]

    assert take(waiting, 10) == [other]
    assert not waiting
