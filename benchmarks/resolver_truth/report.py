"""The table of results, as Markdown."""

from collections.abc import Iterable, Sequence

from benchmarks.resolver_truth.comparison import Comparison

SHOWN = 12
"""Differences of a root that are listed."""


def table(found: Sequence[Comparison]) -> str:
    """A row per root, then the share, then the differences."""
    lines = [
        "| root | packages of the tool | of the graph | equal? |",
        "|---|---:|---:|---|",
    ]
    lines += [
        f"| {each.root.name} {each.root.version} | {_size(each.tool)} | {_size(each.graph)} "
        f"| {'yes' if each.is_equal else 'no'} |"
        for each in found
    ]
    equal = sum(each.is_equal for each in found)
    return "\n".join([*lines, "", f"{equal} of {len(found)} are equal.", *_differences(found)])


def _size(pins: frozenset[str] | str) -> str:
    return "none" if isinstance(pins, str) else str(len(pins))


def _differences(found: Iterable[Comparison]) -> Iterable[str]:
    for each in found:
        if each.is_equal:
            continue
        yield f"\n{each.root.name} {each.root.version}:"
        if isinstance(each.graph, str) or isinstance(each.tool, str):
            yield from (
                f"- {who}: {said}"
                for who, said in (("graph", each.graph), ("tool", each.tool))
                if isinstance(said, str)
            )
            continue
        for who, more in (("tool", each.tool - each.graph), ("graph", each.graph - each.tool)):
            shown = ", ".join(sorted(more)[:SHOWN])
            yield f"- only of the {who} ({len(more)}): {shown or 'none'}"
