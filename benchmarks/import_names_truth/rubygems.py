"""Gems, judged by what their authors packaged: the specification's list of files.

Only recorded gems (``SSC_RECORDINGS``, otherwise ``../shared/registry-fixtures``): no request is
sent. The judge reads the archive with the standard library and the specification with a full YAML
loader, and applies ``require``'s rule to the listed files. Constants are not judged.

https://docs.ruby-lang.org/en/master/Kernel.html#method-i-require
"""

import gzip
import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.import_names_truth.clients import stored
from benchmarks.import_names_truth.judged import Judged
from ssc_ingest.ecosystems.rubygems.import_names import names_of_gem

RECORDED = Path(__file__).parents[3] / "shared" / "registry-fixtures"


class _Loader(yaml.SafeLoader):
    """Builds mappings and lists in place of Ruby's objects."""


def _plain(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    del tag
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


_Loader.add_multi_constructor("!", _plain)


async def judge() -> AsyncIterator[Judged]:
    """Read and judge each recorded gem."""
    for name, content in _recorded():
        stem, _, version = name.rpartition("-")
        found = await names_of_gem(content, stem, version)
        yield Judged(
            package=stem,
            version=version,
            ours=frozenset(each for each in found if not each[:1].isupper()),
            stored=stored(found, stem),
            truth=_listed(content),
            transferred=len(content),
            file_size=len(content),
            requests=2,
        )


def _recorded() -> list[tuple[str, bytes]]:
    folder = Path(os.environ.get("SSC_RECORDINGS", RECORDED))  # noqa: TID251 - as the tests do
    gems = {path.stem: path.read_bytes() for path in folder.glob("**/*.gem")}
    return sorted(gems.items())


def _listed(content: bytes) -> frozenset[str]:
    with tarfile.open(fileobj=io.BytesIO(content)) as gem:
        packed = gem.extractfile("metadata.gz")
        assert packed
        loaded = yaml.load(gzip.decompress(packed.read()), _Loader)  # noqa: S506 - a safe one
    folders = [f"{folder}/" for folder in loaded["require_paths"]]
    return frozenset(
        each.removeprefix(folder).removesuffix(".rb")
        for folder in folders
        for each in loaded["files"]
        if each.startswith(folder) and each.endswith(".rb")
    )
