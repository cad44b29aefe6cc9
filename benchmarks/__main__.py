"""All measurements, as Markdown."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

from benchmarks.end_to_end import WARMING, Measurement, measure
from ssc_ingest.embedded import EmbeddedStack
from ssc_ingest.settings import load_settings


def main() -> None:
    """Run the measurements on servers of their own and print what they say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--packages", type=int, default=600, help="packages per measurement")
    parser.add_argument("--ecosystems", nargs="+", default=["npm", "cargo", "pypi"])
    parser.add_argument("--latencies", nargs="+", type=float, default=[0, 20], help="milliseconds")
    parser.add_argument("--processes", type=int, default=1, help="worker processes of the fleet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(None, data_dir=Path(folder) / "stack")
        with EmbeddedStack(settings) as stack:
            addresses = stack.start()
            pairs = product(arguments.ecosystems, arguments.latencies)
            found = [
                _progress(
                    measure(
                        addresses,
                        Path(folder),
                        ecosystem,
                        count=arguments.packages,
                        latency=latency,
                        processes=arguments.processes,
                        warming=0 if number else WARMING,
                    )
                )
                for number, (ecosystem, latency) in enumerate(pairs)
            ]
    print(end_to_end_table(found))


def _progress(measurement: Measurement) -> Measurement:
    sys.stderr.write(f"{measurement}\n")
    return measurement


def end_to_end_table(found: list[Measurement]) -> str:
    """One column per measurement, one row per quantity."""
    rows: list[tuple[str, Callable[[Measurement], str]]] = [
        ("latency, ms", lambda m: f"{m.latency:g}"),
        ("worker processes", lambda m: f"{m.processes}"),
        ("fleet, packages/s", lambda m: f"{m.fleet_rate:.0f}"),
        ("bare script, packages/s", lambda m: f"{m.bare_rate:.0f}"),
        ("ratio", lambda m: f"{m.fleet_rate / m.bare_rate:.2f}"),
        ("worker CPU, ms/package", lambda m: f"{m.cpu_per_package * 1000:.1f}"),
        ("worker memory, MB", lambda m: f"{m.memory / 1e6:.0f}"),
        ("HTTP requests/package", lambda m: f"{m.requests_per_package:.2f}"),
        ("graph statements/package", lambda m: f"{m.statements_per_package:.2f}"),
        ("packages/transaction", lambda m: f"{m.packages_per_transaction:.1f}"),
    ]
    lines = [["", *(m.ecosystem for m in found)], ["---", *("---:" for _ in found)]]
    lines += [[title, *(value(m) for m in found)] for title, value in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
