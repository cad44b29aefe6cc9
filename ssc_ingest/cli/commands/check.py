"""``check``: checks the prerequisites and suggests a fix for each problem."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.checking import Check, Outcome, failed, ok, shown, unreachable, warning
from ssc_ingest.cli.commands.audit_check import check_audit
from ssc_ingest.cli.commands.reply_checks import check_replies
from ssc_ingest.cli.commands.stream_checks import check_streams
from ssc_ingest.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from neo4j import AsyncDriver
    from redis.asyncio import Redis

    from ssc_ingest.servers import Servers
    from ssc_ingest.settings import Settings

AUDIT_TIMEOUT = 30.0
"""Seconds for one query over the whole graph."""

BROKEN = frozenset({429, *range(500, 600)})
"""Status codes of a registry that refuses or fails to serve us."""

OLDEST_REDIS = (6, 2)
OLDEST_NEO4J = (5, 23)
"""The first version with ``CALL (variable) { ... }``."""


STYLES = {Outcome.OK: "green", Outcome.WARNING: "yellow", Outcome.FAILED: "red"}


def check(
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not contact the registries.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if there are warnings.")
    ] = False,
    as_json: output.JSONOption = False,
) -> None:
    """Check servers, schema, data and registries; suggest a fix for each problem.

    [cyan]ssc-ingest check[/cyan]

    [cyan]ssc-ingest check --offline --json[/cyan]

    The exit code is 0 if no check failed (warnings count only with --strict), 69 if a server, a
    registry or a part of the fleet is missing, 78 if a setting is wrong, and 1 if data is wrong.
    """
    asyncio.run(_check(offline=offline, strict=strict, as_json=as_json))


async def _check(*, offline: bool, strict: bool, as_json: bool) -> None:
    found = []
    out = output.console()
    async for made in checks(offline=offline):
        found.append(made)
        if not as_json:
            line = Text.assemble(
                (f"{made.outcome.value:8}", STYLES[made.outcome]), f"{made.subject}: {made.finding}"
            )
            output.write(out, line)
            if made.remedy:
                output.write(out, f"        {made.remedy}")
    if as_json:
        output.print_json([asdict(made) for made in found])
    failures = [made for made in found if made.outcome is Outcome.FAILED]
    if failures:
        raise typer.Exit(min(failures, key=_importance).exit_code)
    if strict and any(made.outcome is Outcome.WARNING for made in found):
        raise typer.Exit(ExitCode.FAILED)


def _importance(check_: Check) -> int:
    order = (ExitCode.CONFIGURATION, ExitCode.UNAVAILABLE, ExitCode.FAILED)
    return order.index(check_.exit_code)


async def checks(*, offline: bool) -> AsyncIterator[Check]:
    """All checks, one after another.

    Raises:
        ConfigurationError: a setting is wrong, or a server has no address: no further check
            is possible.
    """
    from ssc_ingest.cli.connections import configured
    from ssc_ingest.cli.misspelt import misspelt_settings

    settings, servers = configured()
    yield ok("settings", "valid")
    for wrong in misspelt_settings():
        yield warning("settings", str(wrong), "correct the name, or remove the variable")
    yield _contact(settings)
    for of_store in PARTS:
        async for made in of_store(settings, servers):
            yield made
    if not offline:
        async for made in _registries(settings):
            yield made


def _contact(settings: "Settings") -> Check:
    from ssc_ingest.http.client import user_agent

    if settings.contact:
        return ok("contact", f"registries see {user_agent(settings.contact)}")
    return warning(
        "contact",
        "registries cannot contact you before they block you",
        "set CONTACT to a web or mail address before you start bulk runs",
    )


# The graph ----------------------------------------------------------------------------------


async def _graph(settings: "Settings", servers: "Servers") -> AsyncIterator[Check]:
    from ssc_ingest.errors import ConfigurationError, StoreUnavailable
    from ssc_ingest.graph.driver import open_driver, ping

    async with AsyncExitStack() as stack:
        try:
            driver = await stack.enter_async_context(open_driver(servers, settings))
            server = await ping(driver)
        except (StoreUnavailable, ConfigurationError) as error:
            yield unreachable("graph", servers.graph_uri, error)
            return
        finding = f"Neo4j {server.version} {server.edition} at {shown(servers.graph_uri)}"
        if _version(server.version) < OLDEST_NEO4J:
            yield failed("graph", finding, "Neo4j 5.23 or later is needed")
        else:
            yield ok("graph", finding)
        if server.has_apoc:
            yield ok("APOC", "installed")
        else:
            yield failed(
                "APOC",
                "not installed",
                "other services that read the graph call it: install APOC core",
            )
        async for made in _schema_and_data(driver):
            yield made


async def _schema_and_data(driver: "AsyncDriver") -> AsyncIterator[Check]:
    from ssc_ingest.ecosystems import ecosystems
    from ssc_ingest.graph.audits import audit, questions
    from ssc_ingest.graph.schema import missing_indexes

    labels = [cls.identity.label for cls in ecosystems().values()]
    if missing := await missing_indexes(driver, labels):
        names = ", ".join(f"{index.label}.{index.key}" for index in missing)
        yield warning(
            "schema",
            f"missing indexes: {names}",
            "a worker creates them when it starts (`ssc-ingest up`)",
        )
    else:
        yield ok("schema", "all constraints and indexes exist")
    asked, wrong = 0, 0
    for subject, statement in questions(labels):
        finding = await audit(driver, subject, statement, timeout=AUDIT_TIMEOUT)
        asked += 1
        if finding.found is None:
            wrong += 1
            yield warning(
                "data",
                f"{subject}: no answer within {AUDIT_TIMEOUT:g} s",
                "the server is busy, or the graph is too large for its memory",
            )
        elif finding.found:
            wrong += 1
            yield failed(
                "data",
                f"{output.number(finding.found)} {subject}, such as {', '.join(finding.examples)}",
                "`ssc-ingest extract PURL --refresh` reads a package again; `ssc-ingest migrate` "
                "repairs data of the reference implementation",
            )
    if not wrong:
        yield ok("data", f"{output.count(asked, 'audit')} found no problem")


# Redis --------------------------------------------------------------------------------------


async def _redis(settings: "Settings", servers: "Servers") -> AsyncIterator[Check]:
    from ssc_ingest.cli.connections import probe
    from ssc_ingest.errors import ConfigurationError, StoreUnavailable
    from ssc_ingest.servers import redis_name
    from ssc_ingest.work.redis_errors import translated

    async with probe(settings, servers) as redis:
        try:
            with translated():
                info: Any = await redis.info()
                sync = await _sync_policy(redis)
        except (StoreUnavailable, ConfigurationError) as error:
            yield unreachable("redis", servers.redis_url, error)
            return
        finding = f"{redis_name(info)} at {shown(servers.redis_url)}"
        if _version(str(info["redis_version"])) < OLDEST_REDIS:
            yield failed("redis", finding, "Redis 6.2 or later is needed")
        else:
            yield ok("redis", finding)
        for made in _redis_policy(info, sync):
            yield made


async def _sync_policy(redis: "Redis") -> str:
    """When Redis syncs its append-only file: ``always``, as ours do; also if we may not ask."""
    from redis.exceptions import ResponseError

    try:
        return str((await redis.config_get("appendfsync"))["appendfsync"])
    except ResponseError:
        return "always"


def _redis_policy(info: dict[str, Any], sync: str) -> Iterator[Check]:
    policy = str(info["maxmemory_policy"])
    if policy == "noeviction":
        yield ok("redis memory", "noeviction: Redis never drops a queue")
    else:
        yield failed(
            "redis memory",
            f"{policy}: Redis drops queues when its memory is full",
            "CONFIG SET maxmemory-policy noeviction (and in redis.conf)",
        )
    if info["aof_enabled"] and sync == "always":
        yield ok("redis durability", "append-only file: queues survive a restart")
    elif info["aof_enabled"]:
        yield warning(
            "redis durability",
            f"appendfsync {sync}: a crash of Redis can lose work of the last seconds",
            "CONFIG SET appendfsync always (and in redis.conf)",
        )
    else:
        yield warning(
            "redis durability",
            "no append-only file: a crash of Redis loses queued work",
            "start it with --appendonly yes",
        )


# The fleet ----------------------------------------------------------------------------------


async def _fleet(settings: "Settings", servers: "Servers") -> AsyncIterator[Check]:
    """Missing, paused and failed parts of the fleet; nothing if Redis does not respond."""
    from ssc_ingest.cli.connections import state_store
    from ssc_ingest.control.registry_pauses import RegistryPauses, pauses
    from ssc_ingest.errors import ConfigurationError, StoreUnavailable
    from ssc_ingest.monitoring.witnesses import problems

    try:
        async with state_store(settings, servers) as state:
            registries = await RegistryPauses(state.limiter, state.queues).all()
            found = await problems(
                redis=state.redis,
                queues=state.queues,
                runs=state.runs,
                pauses=pauses(registries),
                streams=await state.standings.standings(),
            )
    except (StoreUnavailable, ConfigurationError):
        return  # the check of Redis says so
    if not found:
        yield ok("fleet", "workers read all queues, beat is running, no registry is paused")
    for problem in found:
        if problem.absent:
            yield failed(
                problem.subject, problem.finding, problem.remedy, exit_code=ExitCode.UNAVAILABLE
            )
        else:
            yield warning(problem.subject, problem.finding, problem.remedy)


# Vulnerabilities and registries --------------------------------------------------------------


async def _vulnerabilities(settings: "Settings", servers: "Servers") -> AsyncIterator[Check]:
    from ssc_ingest.ecosystems import ecosystems
    from ssc_ingest.errors import StoreUnavailable
    from ssc_ingest.models import now
    from ssc_ingest.monitoring.advisories import SUBJECT, advisory_problems
    from ssc_ingest.vulnerabilities.store import open_store

    async with open_store(servers.vulnerabilities_uri, settings) as store:
        try:
            version = await store.ping()
            states = await store.syncs.all()
            without_id = await store.without_id()
        except StoreUnavailable as error:
            yield unreachable("vulnerabilities", servers.vulnerabilities_uri, error)
            return
    yield ok("vulnerabilities", f"MongoDB {version} at {shown(servers.vulnerabilities_uri)}")
    found = list(advisory_problems(states, list(ecosystems()), now=now()))
    for problem in found:
        yield warning(problem.subject, problem.finding, problem.remedy)
    if not found:
        oldest = min(state.synced_at for state in states.values() if state.synced_at)
        yield ok(SUBJECT, f"all ecosystems are synced, the oldest {output.age(oldest)}")
    for name, count in without_id.items():
        if count:
            yield warning(
                name,
                f"{output.number(count)} documents have no id",
                f"readers show them under every advisory without {name}: remove them",
            )


async def _registries(settings: "Settings") -> AsyncIterator[Check]:
    from ssc_ingest.ecosystems import ecosystems
    from ssc_ingest.ecosystems.endpoints import host_names, load_endpoints
    from ssc_ingest.errors import RegistryUnavailable
    from ssc_ingest.http.client import open_transport
    from ssc_ingest.settings import ENV_FILE

    endpoints = {
        name: load_endpoints(name, cls.identity.endpoints, ENV_FILE, cls.identity.options)
        for name, cls in ecosystems().items()
    }
    trusted = host_names(endpoints.values(), settings.osv_url)
    async with open_transport(settings, trusted) as transport:
        for name, cls in ecosystems().items():
            for endpoint in cls.identity.endpoints:
                url = endpoints[name].url(endpoint.key)
                subject = f"{cls.identity.title} {endpoint.key}"
                try:
                    # Any response shows that the host works: a base URL need not have a document.
                    async with transport.send("HEAD", f"{url}/") as response:
                        status = response.status
                except RegistryUnavailable as error:
                    yield unreachable(subject, url, error)
                    continue
                if status in BROKEN:
                    yield unreachable(subject, url, RegistryUnavailable(f"answers {status}"))
                else:
                    yield ok(subject, f"{url} answers")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


PARTS = (_graph, _redis, check_replies, check_streams, _fleet, _vulnerabilities, check_audit)
"""The checks of the servers, in this order."""
