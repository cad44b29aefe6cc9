"""The output of ``show`` for a package or a version."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ssc_ingest.cli import output

if TYPE_CHECKING:
    from datetime import datetime

    from ssc_ingest.graph.views import Dependents, PackageView, RequirementView, VersionView
    from ssc_ingest.models import Purl

NEWEST = 10
"""Maximum number of versions, requirements and dependents, each, to list without --all."""


@dataclass(frozen=True, slots=True)
class Synced:
    """How current the advisories of an ecosystem are."""

    at: "datetime | None"
    """When the last complete sync began; ``None``: not synced, or unknown."""
    unknown: str = ""
    """Why it is unknown."""
    outdated: "Collection[Purl]" = ()
    """The package's versions that do not match the advisories yet."""

    def __str__(self) -> str:
        if self.unknown:
            return self.unknown
        if not self.at:
            return output.NOT_SYNCED
        waiting = f"; {output.count(len(self.outdated), 'version')} not attributed yet"
        return f"synced {output.age(self.at)}{waiting if self.outdated else ''}"


def print_package(package: "PackageView", synced: Synced, *, everything: bool) -> None:
    """A package and its newest versions."""
    out = output.console()
    out.print(Text(package.purl, style="bold"))
    if package.is_stub:
        out.print()
        output.say(
            "a stub: something requires it, but it was not extracted yet; "
            f"`ssc-ingest extract {package.purl}` extracts it"
        )
        return
    out.print()
    out.print(
        output.facts(
            [
                ("latest", package.latest or "no versions"),
                ("vendor", package.vendor),
                ("repository", package.repository_url),
                ("import names", import_names(package)),
                ("extracted", output.age(package.moment)),
                ("advisories", synced),
            ]
        )
    )
    if not package.versions:
        return
    shown = len(package.versions)
    title = f"{output.count(package.version_count, 'version')}"
    if shown < package.version_count:
        title += f", the newest {shown}"
    out.print()
    out.print(
        output.table(
            ["version", "released", "requires", "vulnerabilities", ""],
            [
                (
                    v.name,
                    output.day(v.release_date),
                    _count(v),
                    vulnerabilities(v, synced),
                    _marks(v, package),
                )
                for v in package.versions
            ],
            title=title,
            right=["requires"],
        )
    )
    if shown < package.version_count and not everything:
        output.say(f"all versions: ssc-ingest show {package.purl} --all", style="dim")


def print_version(version: "VersionView", package: "PackageView", synced: Synced) -> None:
    """A version, with the facts of its package."""
    out = output.console()
    out.print(Text(version.purl, style="bold"))
    out.print()
    out.print(
        output.facts(
            [
                ("released", output.day(version.release_date) or "unknown"),
                (
                    "position",
                    f"{version.serial_number + 1} of {package.version_count} in version order",
                ),
                ("", _marks(version, package) or f"latest is {package.latest}"),
                ("vulnerabilities", vulnerabilities(version, synced)),
                ("repository", package.repository_url),
                ("import names", import_names(package)),
                ("extracted", output.age(package.moment)),
                ("advisories", synced),
            ]
        )
    )


def print_facts(version: "VersionView", tables: dict[str, Any]) -> None:
    """Print the facts that an install of the version uses; unknown ones are marked as unknown."""
    rows = [
        ("licence", version.license or "unknown"),
        ("deprecated", version.deprecated),
        ("Python", version.requires_python),
        ("engines", version.engines),
        ("systems", ", ".join(version.os or ())),
        ("processors", ", ".join(version.cpu or ())),
        ("features", _first(tables["features"] or ())),
        ("extras", _first(tables["extra_requirements"] or ())),
        ("peers", _first(map(_peer, (tables["peer_requirements"] or {}).items()))),
        ("other facts", None if version.facts_known else _UNKNOWN_FACTS),
    ]
    out = output.console()
    out.print()
    out.print(Text(f"{version.name} installs with", "bold"))
    out.print(output.facts([(name, text) for name, text in rows if text]))


def import_names(package: "PackageView") -> str:
    """Some of the import names, and whether they are a guess."""
    if not package.import_names:
        return "unknown"
    text = _first(package.import_names)
    if guesses(package):
        return f"{text} (a guess from the package's name)"
    since = package.import_names_from
    return f"{text} (of {since})" if since and since != package.latest else text


def guesses(package: "PackageView") -> bool:
    """Whether the import names are only guessed from the package's name."""
    from ssc_ingest.ecosystems.purls import parse_purl
    from ssc_ingest.import_names.knowledge import is_guess

    named = parse_purl(package.purl)
    return is_guess(named.ecosystem, named.ref, package.import_names, package.import_names_from)


def _count(version: "VersionView") -> str | int:
    """The number of required packages, as far as it is known."""
    if not version.requirements_unknown:
        return version.requirements or ""
    return f"{version.requirements} or more" if version.requirements else "unknown"


_UNKNOWN_FACTS = "unknown: not read yet, or not available"


def _first(names: Iterable[str]) -> str:
    """Some of them: a crate may have thousands of features."""
    names = list(names)
    more = f" and {len(names) - NEWEST} more" if len(names) > NEWEST else ""
    return ", ".join(names[:NEWEST]) + more


def _peer(entry: tuple[str, Any]) -> str:
    name, peer = entry
    return f"{name} {peer.get('range', '')}{' (optional)' if peer.get('optional') else ''}"


def _declared(requirement: "RequirementView") -> str:
    """The kind of a requirement and what it declares beyond its range: ``build, optional``."""
    marks = [requirement.kind or "", "optional" if requirement.optional else ""]
    texts = [
        ", ".join(
            f"{key.replace('_', ' ')} {' '.join(value) if isinstance(value, list) else value}"
            for key, value in declaration.items()
        )
        for declaration in requirement.declared or ()
    ]
    return "; ".join(filter(None, (", ".join(filter(None, marks)), *texts)))


def print_requirements(
    version: "VersionView", requirements: Sequence["RequirementView"], most: int
) -> None:
    """Print the requirements of a version, at most this number."""
    out = output.console()
    out.print()
    if version.requirements_unknown and requirements:
        output.say(f"{version.name} may require more: the registry has no readable metadata")
    elif version.requirements_unknown:
        output.say(f"{version.name}: requirements unknown, the registry has no readable metadata")
    elif not requirements:
        output.say(f"{version.name} requires nothing")
    if not requirements:
        return
    title = f"{version.name} requires {output.count(len(requirements), 'package')}"
    if len(requirements) > most:
        title += f", the first {most} (--all for the rest)"
    out.print(
        output.table(
            ["package", "constraints", "declared", "latest"],
            [
                (
                    r.purl,
                    r.constraints,
                    _declared(r),
                    Text("stub", "dim") if r.is_stub else r.latest or "",
                )
                for r in requirements[:most]
            ],
            title=title,
        )
    )


def print_dependents(package: "PackageView", dependents: "Dependents") -> None:
    """The packages that require a package."""
    out = output.console()
    out.print()
    files = output.count(dependents.requirement_files, "requirement file")
    if not dependents.packages:
        output.say(f"no package in the graph requires {package.purl} ({files})")
        return
    title = f"required by {output.count(dependents.total, 'package')} and {files}"
    if dependents.total > len(dependents.packages):
        title += f", the first {len(dependents.packages)} (--all for the rest)"
    out.print(
        output.table(
            ["package", "newest version", "constraints", "versions"],
            [
                (
                    d.purl,
                    f"{d.newest} (latest)" if d.is_latest else d.newest,
                    d.constraints,
                    d.versions,
                )
                for d in dependents.packages
            ],
            title=title,
            right=["versions"],
        )
    )


def vulnerabilities(version: "VersionView", synced: Synced) -> Text:
    """The vulnerabilities of a version; before the first sync they are unknown, not none."""
    if version.vulnerable:
        # Every score is above 0.0 but that of a flaw without impact, so 0.0 stands for no score.
        score = f"CVSS mean {version.mean}" if version.mean else "no score"
        return Text(f"{', '.join(version.vulnerabilities)} ({score})", "red")
    if synced.unknown:
        return Text("unknown", "yellow")
    if version.purl in synced.outdated:
        return Text("not attributed yet", "yellow")
    return Text("none known" if synced.at else output.NOT_SYNCED, "dim")


def _marks(version: "VersionView", package: "PackageView") -> str:
    marks = [("latest", version.name == package.latest), ("yanked", version.yanked)]
    return ", ".join(mark for mark, holds in marks if holds)
