"""The queue before the writer."""

from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.graph.changes import Change, ParentEdge
from ssc_ingest.graph.inbox import Inbox, Submission
from ssc_ingest.models import PackageRef, Purl

Arrivals = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.booleans(), st.integers(0, 4)), max_size=20
)


def submission(name: str, *, urgent: bool = False, rows: int = 1) -> Submission:
    """A submission that counts for so many rows."""
    change = Change(
        ref=PackageRef(
            ecosystem="e", label="E", purl=Purl(f"pkg:e/{name}"), name=name, registry_name=name
        ),
        edges=(ParentEdge("4:x", "any"),) * (rows - 1),
    )
    return Submission(change, urgent)


@given(Arrivals, st.integers(1, 10))
async def test_everything_is_taken_once_in_the_order_of_its_lane(
    arrivals: list[tuple[str, bool, int]], limit: int
) -> None:
    """Batches keep within their rows, hold a package once, and lose or reorder nothing."""
    inbox = Inbox()
    put = [submission(name, urgent=urgent, rows=1 + extra) for name, urgent, extra in arrivals]
    for one in put:
        inbox.put(one)

    batches = []
    while inbox:
        batches.append(inbox.take(limit))

    taken = [one for batch in batches for one in batch]
    for urgent in (True, False):
        lane = [one for one in put if one.urgent is urgent]
        assert [one for one in taken if one.urgent is urgent] == lane
    for batch in batches:
        assert batch
        purls = [one.change.ref.purl for one in batch]
        assert len(set(purls)) == len(purls)
        assert len(batch) == 1 or sum(one.change.rows for one in batch) <= limit


async def test_urgent_goes_first_and_bulk_fills_what_is_left() -> None:
    """One transaction holds both, so that neither waits for the other for ever."""
    inbox = Inbox()
    for name in ("bulk-1", "bulk-2"):
        inbox.put(submission(name))
    inbox.put(submission("urgent", urgent=True))

    assert [one.change.ref.name for one in inbox.take(2)] == ["urgent", "bulk-1"]
    assert len(inbox) == 1


async def test_what_nobody_awaits_any_more_is_dropped() -> None:
    """A cancelled submitter's package is not written if it was not on its way."""
    inbox = Inbox()
    given_up, other = submission("given-up"), submission("other")
    given_up.done.cancel()
    inbox.put(given_up)
    inbox.put(other)

    assert inbox.take(10) == [other]
    assert not inbox


async def test_a_stopped_writer_gives_back_all_that_waits() -> None:
    """Nothing is forgotten, whichever lane it is in."""
    inbox = Inbox()
    waiting = [submission("a", urgent=True), submission("b")]
    for one in waiting:
        inbox.put(one)

    assert inbox.take_all() == waiting
    assert not inbox
