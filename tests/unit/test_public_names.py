"""Names that others rely on stay: other services, dashboards, scripts and plug-ins use them.

``public_names.json`` is the list. A new name is added there on purpose; one that is there is never
taken out.
"""

import ast
import inspect
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from ssc_ingest.cli import exit_codes
from ssc_ingest.cli.checking import Check
from ssc_ingest.cli.commands import (
    affected_versions,
    import_names,
    jobs,
    migrate,
    schedules,
    show,
    vulnerabilities,
)
from ssc_ingest.cli.commands import cache as cache_command
from ssc_ingest.cli.commands.vulnerable_versions import AffectedPackage, AffectedVersion
from ssc_ingest.cli.exit_codes import ExitCode
from ssc_ingest.cli.fleet_report import FleetReport, ServerStatus, read_fleet
from ssc_ingest.cli.program import program
from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.ecosystems.endpoints import option_name, setting_names
from ssc_ingest.graph import properties
from ssc_ingest.graph.views import Counts, PackageView
from ssc_ingest.metrics import Metrics
from ssc_ingest.monitoring.status import WorkStatus
from ssc_ingest.monitoring.waiting import JobLatency
from ssc_ingest.on_demand.jobs import Job
from ssc_ingest.on_demand.stream.counts import StreamCounts
from ssc_ingest.on_demand.stream.readers import StreamReader
from ssc_ingest.on_demand.stream.status import StreamStatus
from ssc_ingest.runs.dry_run import Estimate
from ssc_ingest.runs.model import Run
from ssc_ingest.settings import Settings, is_secret
from ssc_ingest.vulnerabilities.attributor import Attributed
from ssc_ingest.vulnerabilities.audit import AuditReport
from ssc_ingest.vulnerabilities.service import SyncFailure
from ssc_ingest.vulnerabilities.state import SyncState
from ssc_ingest.vulnerabilities.sync import SyncReport
from ssc_ingest.work import arguments, names
from ssc_ingest.work.dead_letters import DeadLetter
from tests.unit.registered_tasks import registered_tasks

ROOT = Path(__file__).parents[2]
LISTED: dict[str, list[str]] = json.loads(Path(__file__).with_name("public_names.json").read_text())


def commands(group: Any, *path: str) -> Iterable[str]:
    """Every command, with each of its options."""
    for name, command in group.commands.items():
        words = " ".join((*path, name))
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield words
            options = (option for each in command.params for option in each.opts)
            yield from (f"{words} {option}" for option in options if option.startswith("-"))


def json_keys(*functions: Callable[..., Any]) -> set[str]:
    """The keys of the dictionaries that functions write out."""
    found = set()
    for function in functions:
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
            keys: Iterable[Any] = node.keys if isinstance(node, ast.Dict) else ()
            found |= {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    return found


def field_names(*classes: type) -> set[str]:
    """The fields of dataclasses that become JSON."""
    return {f"{cls.__name__}.{field.name}" for cls in classes for field in fields(cls)}


@cache
def sources() -> str:
    """The source text of the whole program."""
    found = [*ROOT.glob("ssc_ingest/**/*"), *ROOT.glob("workers/**/*")]
    return "\n".join(path.read_text() for path in found if path.suffix in {".py", ".lua"})


def settings() -> set[str]:
    """Every environment variable."""
    found = {name.upper() for name in Settings.model_fields}
    found |= {f"{n.upper()}_FILE" for n, field in Settings.model_fields.items() if is_secret(field)}
    for name, ecosystem in ecosystems().items():
        for endpoint in ecosystem.identity.endpoints:
            found.update(setting_names(name, endpoint))
        found.update(option_name(name, option) for option in ecosystem.identity.options)
    return found


def metrics() -> set[str]:
    """Every metric; fleet-wide ones from the source text."""
    own: Any = Metrics().registry
    fleet = (ROOT / "ssc_ingest/monitoring/fleet_metrics.py").read_text()
    names = re.findall(r'_gauge\(\s*(?:self\._?)?registry,\s*"(\w+)"', fleet)
    names = [f"ssc_{name}" for name in names]
    names += [f"celery_{name}" for name in re.findall(r' gauge\(\s*"(\w+)"', fleet)]
    return {*own._names_to_collectors, *names}


def graph_properties() -> set[str]:
    """Every property, by kind of node or edge."""
    tables = {
        "package": properties.PACKAGE,
        "version": properties.VERSION,
        "requirement": properties.REQUIREMENT,
    }
    return {f"{kind}.{name}" for kind, table in tables.items() for name in table.names}


CURRENT: dict[str, Callable[[], set[str]]] = {
    "tasks": registered_tasks,
    "queues": lambda: set(names.queue_names(ecosystems())),
    "settings": settings,
    "labels": lambda: {cls.identity.label for cls in ecosystems().values()},
    "properties": graph_properties,
    "commands": lambda: set(commands(typer.main.get_group(program))),
    "json": lambda: field_names(
        *(Check, Counts, DeadLetter, Estimate, Job, PackageView, ServerStatus, WorkStatus),
        *(JobLatency, StreamCounts, StreamReader, StreamStatus),
        *(Attributed, AuditReport, AffectedPackage, AffectedVersion),
        *(SyncFailure, SyncReport, SyncState),
        import_names.ShownNames,
    ),
    "json_keys": lambda: json_keys(
        affected_versions._affected,
        affected_versions.affected,
        cache_command._document,
        import_names._find_import,
        exit_codes._print_error,
        jobs.document,
        jobs._show,
        migrate._document,
        Run.document,
        schedules._document,
        StreamCounts.document,
        StreamStatus.document,
        show._show,
        FleetReport.document,
        read_fleet,
        vulnerabilities._show,
        vulnerabilities._status,
    ),
    "exit_codes": lambda: {f"{code.name}={code.value}" for code in ExitCode},
    "metrics": metrics,
    "keywords": lambda: {
        f"{cls.__name__}.{name}"
        for cls in vars(arguments).values()
        if inspect.isclass(cls) and issubclass(cls, arguments.Arguments)
        for name in cls.model_fields
    },
}


@pytest.mark.parametrize("kind", CURRENT)
def test_public_names_stay(kind: str) -> None:
    """No name is renamed or missing; new names are in the list."""
    assert sorted(CURRENT[kind]()) == LISTED[kind]


@pytest.mark.parametrize("key", LISTED["redis_keys"])
def test_keys_in_redis_stay(key: str) -> None:
    """The program writes the keys that data-model.md names."""
    literal = key.partition("<")[0].rstrip(":")
    assert re.search(rf"""["'f]{re.escape(literal)}""", sources()), key
    assert key in (ROOT / "docs/data-model.md").read_text()


def test_public_modules_stay() -> None:
    """The modules that plug-ins import and containers call exist."""
    lines = []
    for module in LISTED["modules"]:
        path, _, name = module.partition(":")
        lines.append(f"from {path} import {name}" if name else f"import {path}")
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
