"""``registries``: shows request rates of registries, pauses and resumes requests."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ssc_ingest.cli import output
from ssc_ingest.cli.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ssc_ingest.control.registry_pauses import Host, Registry, RegistryPauses

commands = typer.Typer(
    help="Show the request rates of registries; pause and resume requests.\n\n"
    "[cyan]ssc-ingest registries pause pypi --for 2h --reason maintenance[/cyan]",
    no_args_is_help=True,
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="pypi, npm, maven, cargo, rubygems or nuget.")
]


@commands.command("list")
def list_(*, as_json: output.JSONOption = False) -> None:
    """List registries and their hosts: rate limits, requests sent, pauses and their reasons.

    [cyan]ssc-ingest registries list[/cyan]
    """
    found = asyncio.run(_list())
    if as_json:
        output.print_json([asdict(registry) for registry in found])
        return
    output.console().print(
        output.table(
            ["registry", "host", "rate", "last minute", "last hour", "state"],
            [
                (
                    registry.name,
                    host.name,
                    "any" if host.rate is None else f"{host.rate:g}/s",
                    output.number(host.use.last_minute),
                    output.number(host.use.last_hour),
                    _state(registry, host),
                )
                for registry in found
                for host in registry.hosts
            ],
            right=["rate", "last minute", "last hour"],
            whole=["registry", "state"],
        )
    )
    for registry in found:
        for reason in _reasons(registry):
            output.say(f"{registry.name}: {reason}", style="yellow")


@commands.command("pause")
def pause(
    name: Name,
    *,
    length: Annotated[
        float | None,
        typer.Option(
            "--for",
            parser=parse_duration,
            metavar="TIME",
            help="Duration: 30m, 2h, 1d. Default: until resumed.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="The reason, shown by `list`.")] = "by hand",
) -> None:
    """Stop all requests to a registry, urgent ones included.

    Requests in progress complete. Tasks wait until the registry is resumed; no task is lost.

    [cyan]ssc-ingest registries pause npm --for 2h --reason "their incident"[/cyan]
    """
    asyncio.run(_pause(name, reason, length))
    until = f"for {output.duration(length)}" if length else "until it is resumed"
    output.say(f"{name} is paused {until}")


@commands.command("resume")
def resume(name: Name) -> None:
    """Resume requests to a registry; waiting tasks continue at once.

    [cyan]ssc-ingest registries resume npm[/cyan]
    """
    was_paused, woken = asyncio.run(_resume(name))
    if was_paused or woken:
        output.say(f"{name} is resumed; {output.count(woken, 'waiting package')} requeued")
    else:
        output.say(f"{name} is not paused by an operator", stderr=True)


@asynccontextmanager
async def _registries() -> "AsyncIterator[RegistryPauses]":
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.control.registry_pauses import RegistryPauses

    async with state_store(*configured()) as state:
        yield RegistryPauses(state.limiter, state.queues)


async def _list() -> "list[Registry]":
    async with _registries() as registries:
        return await registries.all()


async def _pause(name: str, reason: str, seconds: float | None) -> None:
    async with _registries() as registries:
        await registries.pause(name, reason=reason, seconds=seconds)


async def _resume(name: str) -> tuple[bool, int]:
    async with _registries() as registries:
        return await registries.resume(name)


def _state(registry: "Registry", host: "Host") -> Text:
    if registry.hold:
        return Text("paused", "yellow")
    if host.use.unreachable:
        return Text("unreachable", "red")
    return Text("paused by host" if host.use.paused_until else "", "yellow")


def _reasons(registry: "Registry") -> "Iterator[str]":
    """Why a registry or one of its hosts gets no requests; below the table, which has no room."""
    if hold := registry.hold:
        until = f"until {hold.until:%d %b %H:%M} UTC" if hold.until else "until resumed"
        yield f"paused {until}: {hold.reason}"
        return
    yield from (host.pause for host in registry.hosts if host.pause)
