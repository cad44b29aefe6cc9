"""The documentation is correct: its names, links, events and commands exist."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from ssc_ingest.cli.program import program
from ssc_ingest.ecosystems import ecosystems
from tests.unit.registered_tasks import registered_tasks

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("**/*.md")])
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}


def read(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / name).read_text(encoding="utf-8")


def logged_events() -> Iterator[str]:
    """The names of all events that the code logs."""
    for folder in ("ssc_ingest", "workers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name(id="log" | "logger"), attr=method),
                        args=[ast.Constant(value=str(event)), *_],
                    ) if method in LOG_METHODS:
                        yield event


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link leads to a file, and its anchor to a heading."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        linked = (page.parent / name) if name else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
            assert anchor in slugs, target


def test_every_event_is_documented() -> None:
    """docs/LOGGING.md lists the events that are logged, and no others."""
    table = read("docs/LOGGING.md").partition("## Events")[2]
    names = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    documented = set(re.findall(r"`(\w+)`", " ".join(names)))
    assert documented == set(logged_events())


def test_every_ecosystem_is_documented() -> None:
    """The data model has its label, the operators' page its queues."""
    for name, cls in ecosystems().items():
        assert f"`{cls.identity.label}`" in read("docs/data-model.md")
        assert f"{name}.urgent" in read("docs/operations.md")
        assert cls.identity.title in read("README.md")


def test_documented_tasks_are_the_public_ones() -> None:
    """The operators' table of tasks has every task, by its public name."""
    table = read("docs/operations.md").partition("### Tasks")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z_]+\.[a-z_]+)`", table, re.MULTILINE)
    assert set(documented) == registered_tasks()


def test_every_metric_is_documented() -> None:
    """docs/operations.md explains each metric; those of the process itself have one row."""
    page = read("docs/operations.md")
    explained = set(re.findall(r"`(\w+)`", page.partition("### Metrics")[2].partition("\n### ")[0]))
    listed = json.loads(Path(__file__).with_name("public_names.json").read_text())["metrics"]
    # The client adds names to those of counters and histograms.
    names = {re.sub(r"^ssc_(.*?)(_created|_bucket|_sum|_count)?$", r"\1", name) for name in listed}
    missing = {name for name in names if not {name, f"{name}_total"} & explained}
    assert {name for name in missing if not name.startswith("process_")} == set()


def test_documented_commands_exist() -> None:
    """README names every command of the program, and no others."""
    group = typer.main.get_command(program)
    documented = set(re.findall(r"`ssc-ingest ([a-z-]+)", read("README.md")))
    assert documented == set(getattr(group, "commands", {}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_typed_commands_exist(page: Path) -> None:
    """Every ``ssc-ingest`` command on a page exists, including its subcommand."""
    known = getattr(typer.main.get_command(program), "commands", {})
    text = page.read_text(encoding="utf-8")
    for command, sub in re.findall(r"[`/\n ]ssc-ingest ([a-z][a-z-]+)(?: ([a-z][a-z-]*))?", text):
        assert command in known, command
        if sub and hasattr(known[command], "commands"):
            assert sub in known[command].commands, f"{command} {sub}"


def test_documented_make_commands_exist() -> None:
    """The make commands of README are in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")))
        assert named <= targets, page.name


def test_readme_begins_with_exactly_two_commands() -> None:
    """A new machine needs no other command."""
    section = read("README.md").partition("## Two commands")[2].partition("\n## ")[0]
    assert re.findall(r"```sh\n(.+?)\n```", section, re.DOTALL) == ["make run", "make test"]
