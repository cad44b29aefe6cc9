"""The options of a simulated universe: its size, shape and seed."""

import argparse
import re
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any

LONG_TAIL = "long-tail"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of something: ``15`` exactly, ``2-30`` uniformly distributed, or ``long-tail``.

    ``long-tail`` resembles registries: half have six or fewer, some have hundreds.
    """

    low: int
    high: int
    long_tail: bool = False

    @classmethod
    def parse(cls, text: str) -> "Amount":
        """Read one of the three forms.

        Raises:
            ValueError: another form.
        """
        if text == LONG_TAIL:
            return cls(1, 300, long_tail=True)
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"{text!r} is not a number, a range such as 2-30, or {LONG_TAIL}")
        return cls(int(match[1]), int(match[2] or match[1]))

    def draw(self, rng: Random) -> int:
        """One number."""
        if not self.long_tail:
            return rng.randint(self.low, self.high)
        share = rng.random()
        for limit, low, high in ((0.5, 1, 6), (0.85, 7, 25), (0.98, 26, 80)):
            if share < limit:
                return rng.randint(low, high)
        return rng.randint(81, self.high)


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Each is also a command-line flag and a keyword of ``Simulator.start``."""

    seed: int = _option(7, "another seed is another universe")
    packages: int = _option(1000, "packages per ecosystem")
    versions: str = _option(LONG_TAIL, "versions per package: 15, 2-30 or long-tail")
    requirements: str = _option("0-8", "edges per version: 5, 0-8 or long-tail")
    plain: bool = _option(
        default=False,
        text="leave out what is odd (unparsable versions, rare spellings of ranges, lines to be "
        "ignored, releases without metadata): for benchmarks, whose arithmetic should be simple",
    )
    huge: int = _option(0, "versions of the last package of each ecosystem; 0: as the others have")
    missing: float = _option(0.0, "share of requirements whose package does not exist")
    empty: float = _option(0.0, "share of packages without any version (PyPI, npm)")
    kept: int = _option(512, "packages whose documents stay in memory once they are made")
    latency: float = _option(0.0, "milliseconds before every answer, to begin with")
    host: str = _option("127.0.0.1", "address to listen on")
    port: int = _option(0, "port to listen on; 0 is any free one")

    def __post_init__(self) -> None:
        """Reject options that cannot be served."""
        Amount.parse(self.versions)
        Amount.parse(self.requirements)
        if self.packages < 1:
            raise ValueError("packages must be at least 1")
        if self.huge < 0 or self.kept < 0:
            raise ValueError("huge and kept must not be negative")
        for share in (self.missing, self.empty):
            if not 0 <= share <= 1:
                raise ValueError(f"{share} is not a share between 0 and 1")

    @classmethod
    def from_arguments(cls, arguments: list[str] | None = None) -> tuple["Options", bool]:
        """Read the command line; the flag says whether to stop when standard input closes."""
        parser = argparse.ArgumentParser(
            prog="python -m tests.simulator",
            description="Simulated package registries over HTTP. Prints one line of JSON with the "
            "base URL when it listens; stops on SIGTERM or Ctrl-C.",
        )
        for option in fields(cls):
            flag, text = f"--{option.name}", option.metadata["help"]
            if option.type is bool:
                parser.add_argument(flag, action="store_true", help=text)
            else:
                default, typed = option.default, option.type
                text += f" (default {default})"
                parser.add_argument(flag, type=typed, default=default, help=text)
        parser.add_argument(
            "--until-stdin-closes",
            action="store_true",
            help="stop when standard input ends, as it does when the parent process dies",
        )
        values = vars(parser.parse_args(arguments))
        tied = values.pop("until_stdin_closes")
        try:
            return cls(**values), tied
        except ValueError as error:
            parser.error(str(error))

    def as_arguments(self) -> list[str]:
        """The command line that gives these options."""
        arguments = []
        for option in fields(self):
            value = getattr(self, option.name)
            if value is True:
                arguments.append(f"--{option.name}")
            elif value is not False:
                arguments.append(f"--{option.name}={value}")
        return arguments
