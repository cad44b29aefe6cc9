"""The judge of npm: the specifiers that Node resolves in the installed package.

npm installs the version. ``pkg-entry-points`` lists what could be imported, and ``require.resolve``
and ``import.meta.resolve`` say what can: as Node does, and with the conditions of bundlers. For
``@types/node``, TypeScript's checker lists the ambient modules. By the program's rules,
``package.json``, tests, private files (``_x``) and settings of tools are no names. Names with an
ending that can be left out are not judged, because they only repeat the others.

Node.js 20 and npm must be installed.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.import_names_truth.clients import stored
from benchmarks.import_names_truth.judged import Judged
from benchmarks.import_names_truth.live import reading
from ssc_ingest.ecosystems.base import FetchRequest
from ssc_ingest.ecosystems.npm import Npm
from ssc_ingest.ecosystems.npm.import_names.types import described_package
from ssc_ingest.models import Package

PACKAGES = (
    "express", "lodash", "@babel/core", "react", "typescript", "rxjs", "uuid", "chalk", "date-fns",
    "@types/node",
)  # fmt: skip

LIMIT = 1000
"""Names of a package that the program keeps."""

TOOLS = ("pkg-entry-points@1", "typescript@5")

CONDITIONS = ("browser", "types", "development", "worker", "react-server", "react-native")

ENDINGS = (".js", ".json", ".node")
LEFT_OUT = {"test", "tests", "__tests__", "node_modules"}
SETTINGS = {"package", "bower", "component", "composer", "tsconfig", "release", "gulpfile.js"}

ENTRIES = """
import { createRequire } from "node:module";
const [folder, name, tools] = process.argv.slice(2);
const { getPackageEntryPoints } = await import(
  createRequire(tools + "/x.js").resolve("pkg-entry-points"));
const entries = Object.keys(await getPackageEntryPoints(folder + "/node_modules/" + name));
console.log(JSON.stringify(entries.map((entry) => name + entry.slice(1))));
"""

RESOLVE = """
import { createRequire } from "node:module";
import { existsSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
const [folder, file] = process.argv.slice(2);
const base = pathToFileURL(folder + "/x.mjs");
const require = createRequire(base);
const isFile = (path) => existsSync(path) && statSync(path).isFile();
const resolves = (specifier) => {
  try { if (isFile(require.resolve(specifier))) return true; } catch {}
  try { return isFile(fileURLToPath(import.meta.resolve(specifier, base))); } catch {}
  return false;
};
console.log(JSON.stringify(JSON.parse(readFileSync(file)).filter(resolves)));
"""

AMBIENT = """
const [folder, tools] = process.argv.slice(2);
const ts = require(require.resolve("typescript", { paths: [tools] }));
const program = ts.createProgram([folder + "/node_modules/@types/node/index.d.ts"],
  { types: [], module: ts.ModuleKind.NodeNext });
const names = program.getTypeChecker().getAmbientModules().map((each) => JSON.parse(each.name));
console.log(JSON.stringify(names.filter((name) => !name.includes("*"))));
"""


async def judge() -> AsyncIterator[Judged]:
    """Compare each package's latest version."""
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder, "tools")
        await asyncio.to_thread(_install, tools, *TOOLS)
        async with reading(Npm) as (npm, traffic):
            for name in PACKAGES:
                package = await npm.fetch(FetchRequest(npm.ref(name)))
                assert isinstance(package, Package)
                assert package.latest
                traffic.clear()
                ours = frozenset(package.import_names) or await npm.read_import_names(
                    package.ref, package.latest
                )
                installed = Path(folder, name.replace("/", "-"))
                truth = await asyncio.to_thread(_importable, installed, tools, name, package.latest)
                archives = [size for url, size in traffic.sizes.items() if url.endswith(".tgz")]
                yield Judged(
                    package=name,
                    version=package.latest,
                    ours=_without_endings(ours),
                    stored=stored(ours, npm.fallback_import_name(package.ref)),
                    truth=_without_endings(filter(_is_name, truth)),
                    capped=max(0, len(ours) - LIMIT),
                    transferred=sum(traffic.sizes.values()),
                    file_size=sum(archives),
                    requests=traffic.requests,
                )


def _importable(folder: Path, tools: Path, name: str, version: str) -> set[str]:
    """What can be imported of the version, with any conditions."""
    _install(folder, f"{name}@{version}")
    if described_package(name) != name:
        return set(_node(folder, "ambient.cjs", AMBIENT, (), str(folder), str(tools)))
    entries = _node(folder, "entries.mjs", ENTRIES, (), str(folder), name, str(tools))
    forms = {form for entry in entries for form in _forms(entry)}
    folder.joinpath("forms.json").write_text(json.dumps(sorted(forms)))
    found: set[str] = set()
    for condition in (None, *CONDITIONS):
        options = ["--experimental-import-meta-resolve"]
        options += ["-C", condition] if condition else []
        found.update(_node(folder, "resolve.mjs", RESOLVE, options, str(folder), "forms.json"))
    return found


def _forms(entry: str) -> Iterator[str]:
    """The ways to write a specifier, whether or not Node takes them."""
    yield entry
    for ending in ENDINGS:
        yield entry.removesuffix(ending)
        yield entry.removesuffix(f"/index{ending}")


def _install(folder: Path, *packages: str) -> None:
    folder.mkdir()
    folder.joinpath("package.json").write_text("{}")
    run = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *packages]
    subprocess.run(run, cwd=folder, check=True, stdout=sys.stderr)


def _node(
    folder: Path, file: str, script: str, options: Sequence[str], *arguments: str
) -> list[str]:
    folder.joinpath(file).write_text(script)
    run = subprocess.run(
        ["node", *options, file, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE
    )
    found: list[str] = json.loads(run.stdout)
    return found


def _is_name(specifier: str) -> bool:
    parts = specifier.split("/")
    below = parts[2:] if specifier.startswith("@") else parts[1:]
    return not (
        LEFT_OUT.intersection(below)
        or any(part.startswith(("_", ".")) for part in below)
        or (len(below) == 1 and below[0].removesuffix(".json") in SETTINGS)
        or below[-1:] == ["package.json"]
        or below[-1:] == ["package"]
    )


def _without_endings(names: Iterable[str]) -> frozenset[str]:
    names = frozenset(names)
    return frozenset(
        name
        for name in names
        if not any(
            name.endswith(ending) and name.removesuffix(ending) in names for ending in ENDINGS
        )
    )
