"""``schedules``: lists, enables and disables the schedules of beat, and starts their tasks."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ssc_ingest.cli import output

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssc_ingest.control.schedules import ScheduleStatus
    from ssc_ingest.monitoring.heartbeats import Beat

commands = typer.Typer(
    help="List, enable and disable schedules, and start their tasks.\n\n"
    "[cyan]ssc-ingest schedules list[/cyan]",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name; see `list`.")]


NARROW = 100
"""Width of a terminal that has no room for all columns of the list."""

LEFT_OUT = "the running beat has no such schedule (`up --demo` and SCHEDULES=own omit some)"


@commands.command("list")
def list_(
    *,
    ecosystem: Annotated[
        str | None, typer.Option(help="Only schedules of this ecosystem (pypi, npm ...).")
    ] = None,
    as_json: output.JSONOption = False,
) -> None:
    """List all schedules with their tasks, times and states.

    [cyan]ssc-ingest schedules list[/cyan]
    """
    from ssc_ingest import ecosystems

    if ecosystem is not None:
        ecosystems.ecosystem(ecosystem)  # an unknown name is a usage error
    standings, beats, zone = asyncio.run(_list())
    if ecosystem is not None:
        standings = [s for s in standings if s.schedule.kwargs.get("ecosystem") == ecosystem]
    if as_json:
        output.print_json(
            {
                "timezone": zone,
                "beats": [beat.document() for beat in beats],
                "schedules": [_document(standing, beats) for standing in standings],
            }
        )
        return
    out = output.console()
    narrow = out.width < NARROW
    clock = "%a %H:%M" if narrow else "%a %d %b %H:%M"  # the next time is within a week
    columns: dict[str, Callable[[ScheduleStatus], Text | str]] = {
        "schedule": lambda s: s.schedule.name,
        "starts": _task,
        "when": lambda s: str(s.schedule.when),
        "next": lambda s: f"{s.following:{clock}}" if _fires(s, beats) else "",
        "last": lambda s: output.age(s.fired_at),
        "state": lambda s: _state(s, beats),
    }
    if narrow:
        del columns["starts"]  # the names say it, too
    rows = [tuple(cell(standing) for cell in columns.values()) for standing in standings]
    out.print(output.table([*columns], rows, whole=["schedule", "next", "last"]))
    output.say(f"times are in the zone {zone} (TIMEZONE)", style="dim")
    if not all(_is_known(standing.schedule.name, beats) for standing in standings):
        output.say(f"not here: {LEFT_OUT}", style="dim")
    if not any(beat.leads for beat in beats):
        output.say("no beat is running, so no schedule fires", style="yellow", stderr=True)


@commands.command("enable")
def enable(name: Name) -> None:
    """Enable a schedule, at once and permanently.

    [cyan]ssc-ingest schedules enable pypi_weekly_ingestion[/cyan]
    """
    is_known = asyncio.run(_switch(name, on=True))
    output.say(f"{name} is on")
    if not is_known:
        output.say(f"it does not fire here: {LEFT_OUT}", style="yellow", stderr=True)


@commands.command("disable")
def disable(name: Name) -> None:
    """Disable a schedule, at once and until it is enabled. Running tasks continue.

    [cyan]ssc-ingest schedules disable npm_daily_update[/cyan]
    """
    asyncio.run(_switch(name, on=False))
    output.say(f"{name} is off")


@commands.command("run-now")
def run_now(name: Name, *, as_json: output.JSONOption = False) -> None:
    """Start the task of a schedule now, even if it is disabled. The schedule's next time stays.

    [cyan]ssc-ingest schedules run-now pypi_daily_update[/cyan]
    """
    message = asyncio.run(_run_now(name))
    if as_json:
        output.print_json({"task": message.task, "task_id": message.task_id})
    else:
        output.say(f"queued {message.task} as task {message.task_id}")


async def _list() -> "tuple[list[ScheduleStatus], list[Beat], str]":
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.control.schedules import ScheduleControl
    from ssc_ingest.monitoring.heartbeats import beats

    settings, servers = configured()
    async with state_store(settings, servers) as state:
        switchboard = ScheduleControl(state.redis, state.queues, settings.timezone)
        return await switchboard.standings(), await beats(state.redis), settings.timezone


async def _switch(name: str, *, on: bool) -> bool:
    """Enable or disable a schedule; returns whether the running beat has it."""
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.control.schedules import ScheduleControl, named
    from ssc_ingest.monitoring.heartbeats import beats

    named(name)  # Fail for an unknown name before opening a connection.
    settings, servers = configured()
    async with state_store(settings, servers) as state:
        await ScheduleControl(state.redis, state.queues, settings.timezone).switch(name, on=on)
        return _is_known(name, await beats(state.redis))


async def _run_now(name: str) -> Any:
    from ssc_ingest.cli.connections import configured, state_store
    from ssc_ingest.control.schedules import ScheduleControl, named

    named(name)
    settings, servers = configured()
    async with state_store(settings, servers) as state:
        return await ScheduleControl(state.redis, state.queues, settings.timezone).run_now(name)


def _document(standing: "ScheduleStatus", beats: "list[Beat]") -> dict[str, Any]:
    schedule = standing.schedule
    return {
        "name": schedule.name,
        "task": schedule.task,
        "arguments": dict(schedule.kwargs),
        "when": str(schedule.when),
        "on": standing.on,
        "by_default": not standing.switched,
        "known_to_beat": _is_known(standing.schedule.name, beats),
        "next": standing.following if _fires(standing, beats) else None,
        "last": standing.fired_at,
    }


def _task(standing: "ScheduleStatus") -> str:
    arguments = " ".join(str(value) for value in standing.schedule.kwargs.values())
    return f"{standing.schedule.task} {arguments}".strip()


def _is_known(name: str, beats: "list[Beat]") -> bool:
    """Whether the leading beat has this schedule; true without a beat."""
    leading = [beat for beat in beats if beat.leads]
    return not leading or any(name in beat.schedules for beat in leading)


def _fires(standing: "ScheduleStatus", beats: "list[Beat]") -> bool:
    return standing.on and _is_known(standing.schedule.name, beats)


def _state(standing: "ScheduleStatus", beats: "list[Beat]") -> Text:
    if not _is_known(standing.schedule.name, beats):
        return Text("not here", "yellow")
    text = "on" if standing.on else "off"
    if not standing.switched:
        return Text(text, "" if standing.on else "dim")
    return Text(f"{text} by hand", "" if standing.on else "yellow")
