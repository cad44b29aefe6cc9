"""Crate files for tests, and the items of their sources."""

from collections.abc import Mapping

from ssc_ingest.source_code.rust_exports import names
from tests.unit.archives import tarred

MANIFEST = '[package]\nname = "demo"\nversion = "1.0.0"\nedition = "2021"\n'


def crate(files: Mapping[str, str | bytes], folder: str = "demo-1.0.0") -> bytes:
    """A crate file; it has a manifest unless the files have another one."""
    whole = {"Cargo.toml": MANIFEST, **files}
    return tarred(
        {
            f"{folder}/{path}": content.encode() if isinstance(content, str) else content
            for path, content in whole.items()
        }
    )


def exported(*, edition: str = "2021", procedural: bool = False, **files: str) -> set[str]:
    """The items of a crate ``demo``; ``lib`` is src/lib.rs, ``a__b`` is src/a/b.rs."""
    sources = {f"src/{path.replace('__', '/')}.rs": text.encode() for path, text in files.items()}
    found = names(
        sources, root="src/lib.rs", library="demo", edition=edition, procedural=procedural
    )
    assert "demo" in found
    return {name.removeprefix("demo::") for name in found - {"demo"}}
