"""The control API under ``/_control/``: JSON in, JSON out.

.. code-block:: text

    GET    settings                      the program's settings for this simulator
    GET    counts                        DELETE resets them
    GET    requests                      the last ones
    GET    packages?ecosystem=&count=    &start= &trait= (repeatable): names and purls
    GET    truth?ecosystem=&name=        what the graph must hold of one package
    GET    truths?ecosystem=&start=&count=   the same of many, in order of their index
    GET    closure?ecosystem=&name=&mode=    purls that a job must fill
    GET    faults                        POST puts one in force; DELETE faults[/<number>]
    PUT    latency                       {"milliseconds", "ecosystem"?}
    POST   publish                       {"ecosystem", "name", "requirements"?}
    POST   yank                          {"ecosystem", "name", "version", "yanked"?}
    POST   delete                        {"ecosystem", "name", "version"?}
    POST   add                           {"ecosystem"}
    GET    history?ecosystem=            what has happened: a list of events, oldest first
    GET    names?ecosystem=&start=&count=    (index, name) of packages that exist, quickly
    POST   reset_sequence                {"ecosystem"}: the registry numbers everything anew
    POST   stale                         {"ecosystem", "on"?, "events"?}: listings and feeds are
                                         as they were after so many edits (0)
    POST   drop_feed_entries             {"ecosystem", "count"}: the feed loses its last ones
    POST   rebuild                       {"ecosystem"}: crates.io makes a new dump (and none by
                                         itself any more), RubyGems its list of versions anew
    POST   osv/put                       {"folder", "records"}: advisories of the OSV bucket
    POST   osv/put_raw                   {"folder", "record_id", "body", "modified"}
    POST   osv/remove                    {"folder", "ids"}
    POST   osv/hide                      {"ids"}: list and dump have them, their files are missing
    POST   osv/freeze                    {"on"}: dumps stay as they are
    POST   reset                         counts, faults, latency, and all edits
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import chain, dropwhile, islice
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from tests.simulator import osv
from tests.simulator.counts import Counts
from tests.simulator.faults import Fault
from tests.simulator.registry import Registry
from tests.simulator.traits import traits
from tests.simulator.truth import closure, truth_of
from tests.simulator.universe import Package

if TYPE_CHECKING:
    from tests.simulator.server import Simulation


class Control:
    """Reads and changes a simulation."""

    def __init__(self, simulation: "Simulation") -> None:
        self.simulation = simulation

    async def handle(self, path: str, request: web.BaseRequest) -> web.Response:
        """Answer one request; invalid requests return 400 or 404 with a text."""
        body = await request.read()
        try:
            arguments: dict[str, Any] = orjson.loads(body) if body else {}
            if request.method == "GET":
                value = self._read(path, request.rel_url.query)
            elif path.startswith("osv/"):
                value = self._edit_bucket(path.removeprefix("osv/"), **arguments)
            else:
                value = self._change(request.method, path, arguments)
        except LookupError as error:
            return web.json_response({"error": str(error)}, status=404)
        except (TypeError, ValueError, re.error) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(
            body=orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS),
            content_type="application/json",
        )

    def _read(self, path: str, query: Any) -> Any:
        simulation = self.simulation
        match path:
            case "settings":
                registries = simulation.registries.values()
                pairs = (r.ecosystem.settings(r.base_url).items() for r in registries)
                bucket = f"{simulation.base_url}/{osv.PREFIX}"
                value: Any = {**dict(chain.from_iterable(pairs)), "OSV_URL": bucket}
            case "counts":
                value = simulation.counts.as_json()
            case "requests":
                value = [asked._asdict() for asked in simulation.counts.last]
            case "faults":
                value = [asdict(fault) for fault in simulation.faults.active.values()]
            case _:
                value = self._read_registry(path, query)
        return value

    def _read_registry(self, path: str, query: Any) -> Any:
        match path:
            case "packages":
                value: Any = self._packages(query)
            case "names":
                value = self._names(query)
            case "history":
                value = [event._asdict() for event in self._registry(query).history.events]
            case "truth":
                value = asdict(truth_of(self._package(query)))
            case "truths":
                value = [
                    {"index": package.index, "truth": asdict(truth_of(package))}
                    for package in self._existing(query)
                ]
            case "closure":
                value = sorted(self._closure(query))
            case _:
                raise LookupError(f"nothing at {path!r}")
        return value

    def _change(self, method: str, path: str, arguments: dict[str, Any]) -> Any:
        simulation = self.simulation
        match (method, *path.split("/")):
            case ("DELETE", "counts"):
                simulation.counts = Counts()
            case ("POST", "faults"):
                return {"number": simulation.faults.add(Fault.from_json(arguments))}
            case ("DELETE", "faults"):
                simulation.faults.clear()
            case ("DELETE", "faults", number):
                if simulation.faults.remove(int(number)) is None:
                    raise LookupError(f"no fault {number}")
            case ("PUT", "latency"):
                names = [arguments["ecosystem"]] if arguments.get("ecosystem") else None
                for name in names or simulation.registries:
                    simulation.latency[self._named(name).ecosystem.name] = float(
                        arguments["milliseconds"]
                    )
            case ("POST", "reset"):
                self._reset()
            case ("POST", what):
                return self._change_registry(what, arguments)
            case _:
                raise LookupError(f"nothing at {method} {path!r}")
        return {}

    def _change_registry(self, what: str, arguments: dict[str, Any]) -> Any:
        match what:
            case "publish" | "yank" | "delete" | "add":
                return self._edit(what, **arguments)
            case "reset_sequence" | "stale" | "drop_feed_entries" | "rebuild":
                self._disturb(what, **arguments)
            case _:
                raise LookupError(f"nothing at POST {what!r}")
        return {}

    def _edit_bucket(self, edit: str, **arguments: Any) -> Any:
        bucket = self.simulation.bucket
        match edit:
            case "put":
                bucket.put(**arguments)
            case "put_raw":
                bucket.put_raw(**arguments)
            case "remove":
                bucket.remove(**arguments)
            case "hide":
                bucket.hide(**arguments)
            case "freeze":
                bucket.freeze(**arguments)
            case _:
                raise LookupError(f"nothing at POST osv/{edit}")
        return {}

    def _reset(self) -> None:
        simulation = self.simulation
        simulation.bucket.clear()
        simulation.counts = Counts()
        simulation.faults.clear()
        simulation.latency = dict.fromkeys(simulation.latency, simulation.options.latency)
        for registry in simulation.registries.values():
            registry.restore()

    def _edit(
        self,
        edit: str,
        *,
        ecosystem: str,
        name: str = "",
        version: str | None = None,
        requirements: int | None = None,
        yanked: bool = True,
    ) -> Any:
        registry = self._named(ecosystem)
        match edit:
            case "publish":
                changed = registry.publish(name, requirements=requirements)
            case "yank" if version is not None:
                changed = registry.yank(name, version, yanked=yanked)
            case "delete" if version is not None:
                changed = registry.delete_version(name, version)
            case "delete":
                registry.delete(name)
                return {}
            case "add":
                changed = registry.add()
            case _:
                raise ValueError("yank wants a version")
        return asdict(truth_of(changed))

    def _disturb(
        self, what: str, *, ecosystem: str, on: bool = True, events: int = 0, count: int = 1
    ) -> None:
        """Make the registry's listings and feeds differ from its contents."""
        registry = self._named(ecosystem)
        match what:
            case "reset_sequence":
                registry.reset_sequence()
            case "rebuild":
                registry.history.rebuild()
            case "stale":
                registry.history.show(events if on else None)
            case _:
                registry.history.drop(count)

    def _names(self, query: Any) -> list[tuple[int, str]]:
        start, count = int(query.get("start", "0")), int(query.get("count", "1000"))
        registry = self._registry(query)
        listed = registry.listed(registry.history.events)
        from_start = dropwhile(lambda found: found.package < start, listed)
        return [(found.package, found.name) for found in islice(from_start, count)]

    def _packages(self, query: Any) -> list[dict[str, Any]]:
        return [{"name": package.name, "purl": package.purl} for package in self._existing(query)]

    def _existing(self, query: Any) -> Iterator[Package]:
        registry = self._registry(query)
        wanted = frozenset(query.getall("trait", ()))
        indexes = range(int(query.get("start", "0")), registry.size)
        found = (
            package
            for package in map(registry.package, indexes)
            if package is not None and (not wanted or wanted <= traits(package))
        )
        return islice(found, int(query.get("count", "10")))

    def _closure(self, query: Mapping[str, str]) -> frozenset[str]:
        mode: Any = query.get("mode", "latest")
        if mode not in {"all", "latest"}:
            raise ValueError(f"mode must be all or latest, not {mode!r}")
        return closure(self._registry(query), query["name"], mode)

    def _package(self, query: Mapping[str, str]) -> Package:
        registry = self._registry(query)
        package = registry.find(query["name"])
        if package is None:
            raise LookupError(f"{registry.ecosystem.name} has no package {query['name']!r}")
        return package

    def _registry(self, query: Mapping[str, str]) -> Registry:
        return self._named(query["ecosystem"])

    def _named(self, ecosystem: str) -> Registry:
        try:
            return self.simulation.registries[ecosystem]
        except KeyError:
            known = ", ".join(self.simulation.registries)
            raise LookupError(f"no ecosystem {ecosystem!r}; there are: {known}") from None
