"""Prints advisories and the state of their syncs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ssc_ingest.cli import output

if TYPE_CHECKING:
    from ssc_ingest.vulnerabilities.bookkeeping import Row
    from ssc_ingest.vulnerabilities.state import SyncState


def print_advisory(document: Mapping[str, Any], row: "Row | None") -> None:
    """Print an advisory, with the program's own data about it."""
    out = output.console()
    out.print(Text(str(document["id"]), style="bold"))
    if summary := document.get("summary"):
        output.say(str(summary))
    out.print()
    score = row.group_score if row else None
    pairs: list[tuple[str, object]] = [
        ("kind", str(row.kind) if row else "not from OSV"),
        ("score", "no score" if score is None else _score(score, row)),
        ("aliases", ", ".join(document.get("aliases", ())) or "none"),
        ("weaknesses", ", ".join(map(str, document.get("cwes") or ())) or "not stated"),
        ("published", document.get("published") or "unknown"),
        ("modified", document.get("modified") or "unknown"),
    ]
    if withdrawn := document.get("withdrawn"):
        pairs.append(("withdrawn", Text(f"{withdrawn}: it affects nothing any more", "yellow")))
    if row and row.vanished:
        text = "its source does not have it any more; it affects nothing"
        pairs.append(("vanished", Text(text, "yellow")))
    if row and row.unreadable:
        text = f"the present content could not be read ({row.unreadable}); this is the last one"
        pairs.append(("unreadable", Text(text, "red")))
    if row and row.problems:
        pairs.append(("not evaluated", Text("; ".join(row.problems), "yellow")))
    out.print(output.facts(pairs))
    affected = document.get("affected") or ()
    out.print()
    out.print(
        output.table(
            ["package", "ranges", "listed versions"],
            [
                (
                    f"{entry['package']['ecosystem']}: {entry['package']['name']}",
                    ("; ".join(_ranges(entry)) or "none") + _last_known(entry),
                    output.number(len(entry.get("versions") or ())),
                )
                for entry in affected
            ],
            right=["listed versions"],
        )
    )
    if details := document.get("details"):
        out.print()
        output.say(str(details))


def _score(score: float, row: "Row | None") -> str:
    own = row is not None and row.score == score
    return f"{score} (CVSS 3)" if own else f"{score} (CVSS 3, of an alias)"


def _ranges(entry: Mapping[str, Any]) -> list[str]:
    """``introduced 0, fixed 2.1.0`` for each range of versions."""
    return [
        ", ".join(f"{kind} {value}" for event in found["events"] for kind, value in event.items())
        for found in entry.get("ranges") or ()
        if found.get("type") != "GIT"
    ]


def _last_known(entry: Mapping[str, Any]) -> str:
    """GitHub's hint of the last affected version that was known; it does not bound a range."""
    found = entry.get("database_specific")
    hint = found.get("last_known_affected_version_range") if isinstance(found, dict) else None
    return f" (last known: {hint})" if isinstance(hint, str) else ""


def print_status(states: "Sequence[SyncState]", problems: "Sequence[Row]") -> None:
    """Print the last sync of each ecosystem, and the records with problems."""
    out = output.console()
    numbers = ["records", "malware", "notices", "withdrawn", "no score"]
    out.print(
        output.table(
            ["ecosystem", "synced", *numbers],
            [
                (
                    state.ecosystem,
                    output.age(state.synced_at) if state.synced_at else output.NOT_SYNCED,
                    *(
                        output.number(amount) if state.synced_at else ""
                        for amount in (
                            state.counts.records,
                            state.counts.malware,
                            state.counts.notices,
                            state.counts.withdrawn,
                            state.counts.unscored,
                        )
                    ),
                )
                for state in states
            ],
            right=numbers,
            whole=["ecosystem", "synced"],
        )
    )
    lines = [(state.ecosystem, _state(state)) for state in states]
    if shown := [(name, text) for name, text in lines if text.plain]:
        out.print()
        out.print(output.facts(shown))
    if problems:
        out.print()
        out.print(
            output.table(
                ["advisory", "could not be read or evaluated"],
                [(row.id, row.unreadable or "; ".join(row.problems)) for row in problems],
                whole=["advisory"],
            )
        )


def _state(state: "SyncState") -> Text:
    if state.error:
        return Text(f"failed {output.age(state.failed_at)}: {state.error}", "red")
    if state.under_way:
        done, total = state.under_way.position, state.under_way.total
        return Text(f"in progress: {output.number(done)} of {output.number(total)}", "yellow")
    counts = state.counts
    parts = [
        (counts.unreadable, "unreadable"),
        (counts.partly_read, "partly evaluated"),
        (len(state.missing), "listed and missing"),
    ]
    return Text(", ".join(f"{output.number(n)} {what}" for n, what in parts if n), "yellow")
