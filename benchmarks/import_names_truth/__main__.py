"""Compare the import names of an ecosystem with those of its judge, and print the table."""

import argparse
import asyncio
from collections.abc import Sequence
from importlib import import_module

from benchmarks.import_names_truth.clients import CLIENTS, not_imported
from benchmarks.import_names_truth.judged import Judged, table


async def main(ecosystem: str) -> None:
    """Judge every package of the ecosystem's list; differences are printed below the table."""
    judge = import_module(f"benchmarks.import_names_truth.{ecosystem}").judge
    judged = [each async for each in judge()]
    print(table(judged))
    judge_clients(ecosystem, judged)
    for each in judged:
        if missed := sorted(each.truth - each.ours):
            print(f"{each.package}: missed {len(missed)}: {', '.join(missed[:20])}")
        if extra := sorted(each.ours - each.truth):
            print(f"{each.package}: only ours {len(extra)}: {', '.join(extra[:20])}")


def judge_clients(ecosystem: str, judged: Sequence[Judged]) -> None:
    """Print the lines of clients that the graph's readers miss."""
    lines = 0
    for each in judged:
        package = each.package.rpartition("/")[2] if ecosystem == "nuget" else each.package
        lines += len(CLIENTS[ecosystem].get(package, ()))
        for line in not_imported(ecosystem, package, each.stored):
            print(f"{each.package}: readers miss: {line}")
    print(f"{lines} lines of clients searched")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ecosystem", help="pypi, npm, maven, crates, rubygems or nuget")
    asyncio.run(main(parser.parse_args().ecosystem))
