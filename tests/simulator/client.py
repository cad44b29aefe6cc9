"""Start a simulator in its own process and talk to it.

.. code-block:: python

    with Simulator.start(packages=500, versions="15", requirements="5") as simulator:
        os.environ |= simulator.environment()
        simulator.fault("status", package="pkg:npm/left-pad-12", status=429, retry_after="1")
        ...
        assert simulator.counts().endpoints["npm.packument"] == 2
"""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx

from tests.simulator.options import Options
from tests.simulator.truth import Following, PackageTruth

ROOT = Path(__file__).parents[2]

STOPS_WITHIN = 10.0

TRUTHS_AT_A_TIME = 200

NAMES_AT_A_TIME = 50_000

ADVISORIES_AT_A_TIME = 300
"""The server takes a megabyte at a time."""


class PackageName(NamedTuple):
    """A package as the registry spells it, and as a package URL."""

    name: str
    purl: str


class Happened(NamedTuple):
    """An edit; see :class:`tests.simulator.history.Event`. ``moment`` is ISO text."""

    sequence: int
    moment: str
    package: int
    kind: str
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsReport:
    """Requests since the start or the last reset. ``packages`` is by purl."""

    total: int
    endpoints: Mapping[str, int]
    packages: Mapping[str, int]
    statuses: Mapping[str, int]
    faults: Mapping[str, int]
    in_flight: int
    most_in_flight: int


class Simulator:
    """A running simulator. Ends with its process, at the latest with ours."""

    def __init__(self, url: str, process: "subprocess.Popen[str] | None" = None) -> None:
        """Talk to the simulator at ``url``; ``process`` is stopped with it."""
        self.url = url
        self.process = process
        # Loopback: no proxy of the environment may come in between.
        self._http = httpx.Client(base_url=f"{url}/_control/", trust_env=False, timeout=60)

    @classmethod
    def start(cls, **options: Any) -> Self:
        """Start one with these :class:`~tests.simulator.options.Options`.

        Raises:
            RuntimeError: the simulator did not start; its own words are on standard error.
        """
        command = [sys.executable, "-m", "tests.simulator", "--until-stdin-closes"]
        with ExitStack() as undo:
            process = undo.enter_context(
                subprocess.Popen(
                    command + Options(**options).as_arguments(),
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            undo.callback(process.kill)
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the simulator did not start (exit code {process.wait()})")
            undo.pop_all()
        return cls(json.loads(line)["url"], process)

    def stop(self) -> None:
        """Stop the process (SIGTERM) and wait for its end."""
        self._http.close()
        if self.process is not None:
            with self.process as process:
                process.terminate()
                try:
                    process.wait(STOPS_WITHIN)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Looking ----------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """The program's settings that make it read these registries."""
        settings: dict[str, str] = self._get("settings")
        return settings

    def packages(
        self, ecosystem: str, count: int = 10, *, start: int = 0, traits: tuple[str, ...] = ()
    ) -> list[PackageName]:
        """The first packages from an index on that have all traits (see ``truth.traits``).

        Many packages require those with the lowest indexes.

        Raises:
            LookupError: no package has all these traits.
        """
        query = {"ecosystem": ecosystem, "count": count, "start": start, "trait": list(traits)}
        found = [PackageName(**package) for package in self._get("packages", **query)]
        if not found:
            raise LookupError(f"no package of {ecosystem} from {start} on has {traits}")
        return found

    def truth(self, ecosystem: str, name: str) -> PackageTruth:
        """The correct data of one package in the graph."""
        return PackageTruth.from_json(self._get("truth", ecosystem=ecosystem, name=name))

    def truths(self, ecosystem: str) -> Iterator[PackageTruth]:
        """The correct data of all existing packages, requested in parts."""
        start = 0
        while found := self._get(
            "truths", ecosystem=ecosystem, start=start, count=TRUTHS_AT_A_TIME
        ):
            yield from map(PackageTruth.from_json, (each["truth"] for each in found))
            start = found[-1]["index"] + 1

    def names(self, ecosystem: str) -> Iterator[str]:
        """The names of all existing packages in the registry's spelling, in parts."""
        start = 0
        while found := self._get("names", ecosystem=ecosystem, start=start, count=NAMES_AT_A_TIME):
            yield from (name for _, name in found)
            start = found[-1][0] + 1

    def history(self, ecosystem: str) -> list[Happened]:
        """The edits so far, oldest first."""
        return [Happened(**event) for event in self._get("history", ecosystem=ecosystem)]

    def closure(self, ecosystem: str, name: str, mode: Following = "latest") -> frozenset[str]:
        """Purls that a job for one package must fill, itself included."""
        return frozenset(self._get("closure", ecosystem=ecosystem, name=name, mode=mode))

    def counts(self) -> CountsReport:
        """Requests so far; those to the control API do not count."""
        return CountsReport(**self._get("counts"))

    def requests(self) -> list[dict[str, Any]]:
        """The last requests, oldest first: path, endpoint, package, status, user_agent ..."""
        found: list[dict[str, Any]] = self._get("requests")
        return found

    # Changing ---------------------------------------------------------------------------

    def fault(self, kind: str, *, body: str | bytes | None = None, **fields: Any) -> int:
        """Make requests fail; see :mod:`tests.simulator.faults` for the kinds and fields."""
        if isinstance(body, bytes):
            fields["body_base64"] = b64encode(body).decode()
        elif body is not None:
            fields["body"] = body
        number: int = self._send("POST", "faults", kind=kind, **fields)["number"]
        return number

    def clear_faults(self, number: int | None = None) -> None:
        """Remove one fault, or all."""
        self._send("DELETE", "faults" if number is None else f"faults/{number}")

    def latency(self, milliseconds: float, ecosystem: str | None = None) -> None:
        """Wait before every answer."""
        self._send("PUT", "latency", milliseconds=milliseconds, ecosystem=ecosystem)

    def reset_counts(self) -> None:
        """Count from zero."""
        self._send("DELETE", "counts")

    def reset(self) -> None:
        """Restore the initial counts, faults, latency and contents."""
        self._send("POST", "reset")

    def publish(
        self, ecosystem: str, name: str, *, requirements: int | None = None
    ) -> PackageTruth:
        """Release a new highest version; returns the package's new data."""
        return self._edit("publish", ecosystem=ecosystem, name=name, requirements=requirements)

    def yank(self, ecosystem: str, name: str, version: str, *, yanked: bool = True) -> PackageTruth:
        """Yank or un-yank a version; returns the package's new data."""
        return self._edit("yank", ecosystem=ecosystem, name=name, version=version, yanked=yanked)

    def delete_version(self, ecosystem: str, name: str, version: str) -> PackageTruth:
        """Delete a version; returns the package's new data."""
        return self._edit("delete", ecosystem=ecosystem, name=name, version=version)

    def delete(self, ecosystem: str, name: str) -> None:
        """Delete a package."""
        self._send("POST", "delete", ecosystem=ecosystem, name=name)

    def add(self, ecosystem: str) -> PackageTruth:
        """Add a new package."""
        return self._edit("add", ecosystem=ecosystem)

    def reset_sequence(self, ecosystem: str) -> None:
        """Restart the registry's sequence numbers, far lower and in the same order."""
        self._send("POST", "reset_sequence", ecosystem=ecosystem)

    def stale(self, ecosystem: str, on: bool = True, *, events: int = 0) -> None:  # noqa: FBT001, FBT002
        """Show listings and feeds as they were after the first ``events`` edits, or stop that.

        Documents of packages are not affected.
        """
        self._send("POST", "stale", ecosystem=ecosystem, on=on, events=events)

    def rebuild(self, ecosystem: str) -> None:
        """Regenerate what the registry generates only from time to time.

        This is the database dump of crates.io, which is then no longer generated automatically, and
        RubyGems' list of versions.
        """
        self._send("POST", "rebuild", ecosystem=ecosystem)

    def drop_feed_entries(self, ecosystem: str, count: int = 1) -> None:
        """Remove the last entries from the feed for ever."""
        self._send("POST", "drop_feed_entries", ecosystem=ecosystem, count=count)

    # The OSV bucket ---------------------------------------------------------------------

    def put_advisories(self, folder: str, records: list[dict[str, Any]]) -> None:
        """Put records into the bucket, or others in their place; ``folder`` is OSV's name."""
        for start in range(0, max(1, len(records)), ADVISORIES_AT_A_TIME):
            part = records[start : start + ADVISORIES_AT_A_TIME]
            self._send("POST", "osv/put", folder=folder, records=part)

    def put_raw_advisory(self, folder: str, record_id: str, body: str, modified: str) -> None:
        """Put in a file that is no record."""
        self._send(
            "POST", "osv/put_raw", folder=folder, record_id=record_id, body=body, modified=modified
        )

    def remove_advisories(self, folder: str, *ids: str) -> None:
        """Take records out of the bucket."""
        self._send("POST", "osv/remove", folder=folder, ids=list(ids))

    def hide_advisories(self, *ids: str) -> None:
        """Let only the files of these records be missing; none without an id."""
        self._send("POST", "osv/hide", ids=list(ids))

    def freeze_dumps(self, *, on: bool = True) -> None:
        """Let the dumps be as they are now, whatever changes, or stop that."""
        self._send("POST", "osv/freeze", on=on)

    # ------------------------------------------------------------------------------------

    def _edit(self, edit: str, **arguments: Any) -> PackageTruth:
        return PackageTruth.from_json(self._send("POST", edit, **arguments))

    def _get(self, path: str, **query: Any) -> Any:
        return self._checked(self._http.get(path, params=query))

    def _send(self, method: str, path: str, /, **arguments: Any) -> Any:
        return self._checked(self._http.request(method, path, json=arguments))

    @staticmethod
    def _checked(answer: httpx.Response) -> Any:
        value = answer.json()
        if answer.status_code != httpx.codes.OK:
            raise (LookupError if answer.status_code == httpx.codes.NOT_FOUND else ValueError)(
                value["error"]
            )
        return value
