"""Compare the import names of an ecosystem with those of its judge, and print the table."""

import argparse
import asyncio
from importlib import import_module

from benchmarks.import_names_truth.judged import table


async def main(ecosystem: str) -> None:
    """Judge every package of the ecosystem's list; differences are printed below the table."""
    judge = import_module(f"benchmarks.import_names_truth.{ecosystem}").judge
    judged = [each async for each in judge()]
    print(table(judged))
    for each in judged:
        if missed := sorted(each.truth - each.ours):
            print(f"{each.package}: missed {len(missed)}: {', '.join(missed[:20])}")
        if extra := sorted(each.ours - each.truth):
            print(f"{each.package}: only ours {len(extra)}: {', '.join(extra[:20])}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ecosystem", help="pypi, npm, maven, crates, rubygems or nuget")
    asyncio.run(main(parser.parse_args().ecosystem))
