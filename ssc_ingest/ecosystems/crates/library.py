"""The library of a crate, by its manifest and Cargo's conventions.

https://doc.rust-lang.org/cargo/reference/cargo-targets.html#library
"""

import posixpath
from collections.abc import Container
from dataclasses import dataclass

from pydantic import Field, ValidationError

from ssc_ingest.ecosystems.toml import parse_toml
from ssc_ingest.ecosystems.wire import OrNone, WireModel
from ssc_ingest.errors import MalformedArchive

DEFAULT_ROOT = "src/lib.rs"
OLDEST_EDITION = "2015"

_IMPORTABLE = {"lib", "rlib", "dylib", "proc-macro"}
"""Kinds of libraries that Rust code can import; others (``cdylib``) are for other languages."""


@dataclass(frozen=True, slots=True)
class Library:
    """The library target of a crate, which other crates import."""

    name: str
    root: str
    """The path of its root file."""
    edition: str
    procedural: bool
    """Whether it exports only procedural macros."""


class _Target(WireModel):
    name: OrNone[str] = None
    path: OrNone[str] = None
    edition: OrNone[str] = None
    proc_macro: OrNone[bool] = Field(None, alias="proc-macro")
    proc_macro_old: OrNone[bool] = Field(None, alias="proc_macro")
    crate_type: OrNone[tuple[str, ...]] = Field(None, alias="crate-type")
    crate_type_old: OrNone[tuple[str, ...]] = Field(None, alias="crate_type")


class _Package(WireModel):
    edition: OrNone[str] = None
    autolib: OrNone[bool] = None


class _Manifest(WireModel):
    package: OrNone[_Package] = None
    lib: OrNone[_Target] = None


def library_of(manifest: bytes, crate: str, files: Container[str]) -> Library | None:
    """The library; ``None`` if the crate has none that Rust code can import.

    Args:
        manifest: ``Cargo.toml``.
        crate: the crate's name.
        files: paths of the crate's sources.

    Raises:
        MalformedArchive: the manifest cannot be read.
    """
    try:
        read = _Manifest.model_validate(parse_toml(manifest.decode()))
    except ValueError as error:
        reason = "unexpected types" if isinstance(error, ValidationError) else str(error)
        raise MalformedArchive(f"Cargo.toml of {crate}: {reason[:200]}") from error
    target, package = read.lib, read.package or _Package()
    if target is None:
        if package.autolib is False or DEFAULT_ROOT not in files:
            return None
        target = _Target()
    kinds = {kind.replace("_", "-") for kind in target.crate_type or target.crate_type_old or ()}
    if kinds and not kinds & _IMPORTABLE:
        return None
    name = (target.name or crate).replace("-", "_")
    root = posixpath.normpath(target.path) if target.path else DEFAULT_ROOT
    old_root = f"src/{name}.rs"  # accepted in the first edition
    if root not in files and not target.path and old_root in files:
        root = old_root
    return Library(
        name=name,
        root=root,
        edition=target.edition or package.edition or OLDEST_EDITION,
        procedural=bool(target.proc_macro or target.proc_macro_old or "proc-macro" in kinds),
    )
