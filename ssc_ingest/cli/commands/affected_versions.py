"""``vulnerabilities affected``: the versions that an advisory affects, and their dependents."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.attribution_stores import Stores, open_stores
from ssc_ingest.cli.exit_codes import Failed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssc_ingest.ecosystems.base import Ecosystem
    from ssc_ingest.models import Purl

PACKAGES_AT_A_TIME = 200
"""Packages per read."""

MAX_SHOWN = 10
"""Maximum number of packages to list per level."""


def affected(
    advisory: Annotated[
        str, typer.Argument(metavar="ID", help="The id of an advisory, such as GHSA-... .")
    ],
    *,
    dependents: Annotated[
        bool,
        typer.Option(
            "--dependents",
            help="Also show versions of other packages that may install an affected version.",
        ),
    ] = False,
    depth: Annotated[
        int,
        typer.Option(
            "--depth", min=1, max=100, help="With --dependents: number of levels to follow."
        ),
    ] = 1,
    optional: Annotated[
        bool,
        typer.Option("--optional", help="With --dependents: follow optional requirements, too."),
    ] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Show the versions that an advisory affects, and other versions that may install them.

    The affected versions are level 0. Level 1 has the versions that require one of level 0, level 2
    those that require one of level 1, and so on. Each version is shown once, on its lowest level.
    Numbers in brackets are serial numbers: the position of a version in the order of its package's
    versions.

    [cyan]ssc-ingest vulnerabilities affected PYSEC-2021-114[/cyan]

    [cyan]ssc-ingest vulnerabilities affected GHSA-jfh8-c2jp-5v3q --dependents --depth 3[/cyan]

    The exit code is 1 if the advisory is not in MongoDB.
    """
    found = asyncio.run(_affected(advisory, depth=depth if dependents else 0, optional=optional))
    if as_json:
        output.print_json(
            {
                "id": advisory,
                "optional": optional,
                "levels": found.levels,
                "unattributed": found.unattributed,
                "problems": found.problems,
                "in_force": found.in_force,
            }
        )
    else:
        _print_levels(found.levels)
        _print_doubts(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedLevels:
    """The versions that an advisory affects, and the reasons why some may be missing."""

    levels: list[dict[str, Any]]
    unattributed: list["Purl"]
    """Packages of the advisory that do not match their advisories in MongoDB yet."""
    problems: tuple[str, ...]
    """What of the advisory could not be read or evaluated."""
    in_force: bool
    """``False``: it is withdrawn, or its source does not have it any more."""


async def _affected(advisory: str, *, depth: int, optional: bool) -> AffectedLevels:
    from ssc_ingest.graph.dependents import DependentsReader
    from ssc_ingest.vulnerabilities.blast_radius import BlastRadius

    levels: dict[int, list[dict[str, Any]]] = {}
    async with open_stores() as stores:
        rows = await stores.store.bookkeeping.rows([advisory])
        if advisory not in rows:
            raise Failed(
                f"MongoDB has no advisory {advisory}; `ssc-ingest vulnerabilities sync` reads new "
                "ones"
            )
        row = rows[advisory]
        unattributed: list[Purl] = []
        timeout = stores.settings.db_default_query_timeout_ms / 1000
        for cls, purls in _packages(row.packages).items():
            unattributed += await _unattributed(stores, cls, purls)
            reader = DependentsReader(stores.driver, cls.identity.label, timeout=timeout)
            radius = BlastRadius(cls, reader, optional=optional)
            for level in await radius.levels(advisory, purls, depth=depth):
                ends = {
                    each.purl: {serial for span in each.spans for serial in span}
                    for each in level.packages
                }
                names = await reader.names(ends)
                levels.setdefault(level.depth, []).extend(
                    {
                        "purl": each.purl,
                        "versions": each.versions,
                        "spans": [
                            {
                                "first": names.get((each.purl, first)),
                                "last": names.get((each.purl, last)),
                                "serial_numbers": [first, last],
                            }
                            for first, last in each.spans
                        ],
                    }
                    for each in level.packages
                )
    return AffectedLevels(
        levels=[
            {
                "depth": depth,
                "versions": sum(each["versions"] for each in packages),
                "packages": packages,
            }
            for depth, packages in sorted(levels.items())
        ],
        unattributed=unattributed,
        problems=(*filter(None, [row.unreadable]), *row.problems),
        in_force=row.counts,
    )


async def _unattributed(
    stores: Stores, cls: "type[Ecosystem]", purls: "Sequence[Purl]"
) -> "list[Purl]":
    found: list[Purl] = []
    for start in range(0, len(purls), PACKAGES_AT_A_TIME):
        batch = purls[start : start + PACKAGES_AT_A_TIME]
        packages = await stores.reader.packages(cls.identity.label, batch)
        found += await stores.attributor.differing(cls.identity.name, packages)
    return found


def _print_doubts(found: AffectedLevels) -> None:
    """Print the reasons why the list of affected versions may be incomplete."""
    if not found.in_force:
        output.say("The advisory is withdrawn or gone from its source: it affects nothing.")
    for problem in found.problems:
        output.say(f"It could not be evaluated fully: {problem}", style="yellow")
    if found.unattributed:
        shown = ", ".join(found.unattributed[:MAX_SHOWN])
        output.say(
            f"{output.count(len(found.unattributed), 'package')} of the advisory do not match "
            f"their advisories yet, so versions may be missing: {shown}. Workers attribute them "
            "when their queue reaches them, or `ssc-ingest vulnerabilities attribute` does it now.",
            style="red",
        )


def _packages(keys: "Sequence[str]") -> "dict[type[Ecosystem], list[Purl]]":
    from ssc_ingest.errors import InvalidName
    from ssc_ingest.vulnerabilities.records import by_osv_name

    found: dict[type[Ecosystem], list[Purl]] = {}
    for key in keys:
        osv_name, _, name = key.partition(":")
        if cls := by_osv_name().get(osv_name):
            try:
                found.setdefault(cls, []).append(cls.ref(name).purl)
            except InvalidName:
                continue  # the graph cannot have it
    return found


def _print_levels(levels: list[dict[str, Any]]) -> None:
    out = output.console()
    for level in levels:
        packages = level["packages"]
        title = "affected" if level["depth"] == 0 else f"depth {level['depth']}"
        output.say(
            f"{title}: {output.count(level['versions'], 'version')} of "
            f"{output.count(len(packages), 'package')} in the graph",
            style="bold",
        )
        if packages:
            out.print(
                output.table(
                    ["package", "versions", "which"],
                    [
                        (each["purl"], output.number(each["versions"]), _spans(each["spans"]))
                        for each in packages[:MAX_SHOWN]
                    ],
                    right=["versions"],
                )
            )
        if len(packages) > MAX_SHOWN:
            output.say(Text(f"... and {len(packages) - MAX_SHOWN} more; --json lists all", "dim"))


def _spans(spans: list[dict[str, Any]]) -> str:
    return ", ".join(
        " to ".join(dict.fromkeys(str(each[end]) for end in ("first", "last"))) for each in spans
    )
