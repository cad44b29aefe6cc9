"""Crates, judged by rustdoc: the public items in its JSON, as the compiler resolves them.

Rust must be installed. Each crate is documented with the features that it has chosen for docs.rs,
otherwise, or if they need another compiler, with its
default ones. Items made by macros, whose source text does not define them, count
apart. https://doc.rust-lang.org/nightly/nightly-rustc/rustdoc_json_types/
"""

import asyncio
import json
import re
import subprocess
import tarfile
import tomllib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from benchmarks.import_names_truth.clients import stored
from benchmarks.import_names_truth.judged import Judged
from ssc_ingest.ecosystems.crates.identity import IDENTITY
from ssc_ingest.ecosystems.crates.import_names import names_of_crate
from ssc_ingest.ecosystems.crates.index import index_path
from ssc_ingest.ecosystems.semver import parse_version

CRATES = ["serde", "tokio", "rand", "regex", "syn", "clap", "anyhow", "hyper", "bitflags", "libc"]
INDEX, FILES = (endpoint.url for endpoint in IDENTITY.endpoints[:2])
AGENT = {"User-Agent": "SSC-Ingest benchmark of import names"}
_DEFINES = r"\b(?:mod|struct|enum|union|trait|fn|const|static|type|macro_rules!|macro|crate|as)"


async def judge() -> AsyncIterator[Judged]:
    """Download, read and document each crate; prints what counts apart."""
    async with httpx.AsyncClient(headers=AGENT, timeout=60) as client:
        for crate in CRATES:
            index = await client.get("/".join((INDEX, *index_path(crate))))
            version = _latest(index.raise_for_status().text)
            url = f"{FILES}/{crate}/{crate}-{version}.crate"
            content = (await client.get(url)).raise_for_status().content
            ours = await names_of_crate(content, crate, version)
            with TemporaryDirectory() as folder:
                found = await asyncio.to_thread(_document, content, f"{crate}-{version}", folder)
            made = found.made_by_macros - ours
            print(
                f"{crate}: made by macros and not ours {len(made)}, "
                f"globs of other crates {sorted(found.foreign_globs)}"
            )
            yield Judged(
                package=crate,
                version=version,
                ours=ours,
                stored=stored(ours, crate),
                truth=frozenset(found.names - made),
                transferred=len(content) + len(index.content),
                file_size=len(content),
                requests=2,
            )


def _latest(index: str) -> str:
    lines = [json.loads(line) for line in index.splitlines()]
    stable = [
        (parsed, line["vers"])
        for line in lines
        if not line["yanked"]
        and (parsed := parse_version(line["vers"]))
        and not parsed.is_prerelease
    ]
    return str(max(stable)[1])


@dataclass
class Documented:
    """The names of a crate's documentation."""

    names: set[str] = field(default_factory=set)
    made_by_macros: set[str] = field(default_factory=set)
    foreign_globs: set[str] = field(default_factory=set)


def _document(content: bytes, stem: str, folder: str) -> Documented:
    archive = Path(folder) / "file.crate"
    archive.write_bytes(content)
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    root = Path(folder) / stem
    target = f"{folder}/target"
    command = ["env", "RUSTC_BOOTSTRAP=1", "RUSTDOCFLAGS=--cap-lints allow", "cargo", "rustdoc"]
    command += ["--lib", "--target-dir", target]
    output = ["--", "-Z", "unstable-options", "--output-format", "json"]
    chosen = _features_of_docs(root)
    for development, features in ((True, chosen), (True, []), (False, chosen), (False, [])):
        if not development:  # they may require what the index here does not have
            _without_development(root / "Cargo.toml")
        whole = [*command, *features, *output]
        done = subprocess.run(whole, cwd=root, capture_output=True, check=False)
        if done.returncode == 0:
            break
        print(f"{stem}: not with {features}: {done.stderr.decode()[-300:]}")
    (written,) = Path(target, "doc").glob(f"{stem.rpartition('-')[0].replace('-', '_')}.json")
    return _Walk(json.loads(written.read_text()), root).found


def _without_development(manifest: Path) -> None:
    """Remove what only the crate's own tests require: it need not be downloaded."""
    tables = re.split(r"(?m)^(?=\[)", manifest.read_text())
    kept = [table for table in tables if "dev-dependencies" not in table.partition("\n")[0]]
    manifest.write_text("".join(kept))


def _features_of_docs(root: Path) -> list[str]:
    """The features that a crate has chosen for its documentation on docs.rs."""
    package = tomllib.loads((root / "Cargo.toml").read_text()).get("package", {})
    chosen = package.get("metadata", {}).get("docs", {}).get("rs", {})
    features = ["--all-features"] * chosen.get("all-features", False)
    if named := chosen.get("features"):
        features += ["--features", ",".join(named)]
    return features


class _Walk:
    """Follows the modules and imports from the root of a crate's JSON."""

    def __init__(self, document: dict[str, Any], folder: Path) -> None:
        self._index = document["index"]
        self._folder = folder
        self._sources: dict[str, list[str]] = {}
        self.found = Documented()
        root = self._index[str(document["root"])]
        self.found.names.add(root["name"])
        queue: deque[tuple[tuple[str, ...], dict[str, Any], frozenset[Any]]] = deque()
        queue.append(((root["name"],), root, frozenset({root["id"]})))
        while queue:
            path, module, above = queue.popleft()
            for name, item, target in self._names(module, set()):
                full = "::".join((*path, name))
                self.found.names.add(full)
                if not self._is_defined(name, item):
                    self.found.made_by_macros.add(full)
                if target and "module" in target["inner"] and target["id"] not in above:
                    queue.append(((*path, name), target, above | {target["id"]}))

    def _names(
        self, module: dict[str, Any], seen: set[Any]
    ) -> Iterator[tuple[str, dict[str, Any], dict[str, Any] | None]]:
        """What a module offers: name, the defining or importing item, and what it stands for."""
        if module["id"] in seen:
            return
        seen.add(module["id"])
        (kind, inner), *_ = module["inner"].items()
        for number in inner["items"] if kind == "module" else inner.get("variants", ()):
            item = self._index.get(str(number))
            if item is None or (kind == "module" and item["visibility"] != "public"):
                continue
            if "use" not in item["inner"]:
                if item["name"] and "impl" not in item["inner"]:
                    yield item["name"], item, item
                continue
            use = item["inner"]["use"]
            target = self._index.get(str(use["id"]))
            while target and "use" in target["inner"] and not use["is_glob"]:
                target = self._index.get(str(target["inner"]["use"]["id"]))
            if not use["is_glob"]:
                yield use["name"], item, target
            elif target is None:
                self.found.foreign_globs.add(use["source"])
            else:
                yield from self._names(target, seen)

    def _is_defined(self, name: str, item: dict[str, Any]) -> bool:
        """Whether the text at the item's place defines or imports the name."""
        span = item["span"]
        if not span:
            return False
        if span["filename"] not in self._sources:
            path = self._folder / span["filename"]
            text = path.read_text(errors="replace") if path.exists() else ""
            self._sources[span["filename"]] = text.splitlines()
        lines = self._sources[span["filename"]][span["begin"][0] - 1 : span["end"][0]]
        text = "\n".join(lines)
        if "use" in item["inner"] or "variant" in item["inner"]:
            return re.search(rf"\b{re.escape(name)}\b", text) is not None
        return (
            re.search(rf"{_DEFINES}\s+(?:ref\s+|mut\s+|r#)?{re.escape(name)}\b", text) is not None
        )
