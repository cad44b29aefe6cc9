"""The names by which Ruby code uses a gem: paths for ``require``, and constants.

Two requests: the index, for platforms and digests, and the gem file. It is read as a whole, because
its files are in one compressed archive at its end, and its digest is that of the whole.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from ssc_ingest.ecosystems.base import Ecosystem
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.rubygems.gem_file import MAX_GEM, GemFile, read_gem_file
from ssc_ingest.ecosystems.rubygems.gemspec import require_paths
from ssc_ingest.ecosystems.rubygems.identity import IDENTITY
from ssc_ingest.ecosystems.rubygems.info import PURE_RUBY, Build, check_digest, parse_info
from ssc_ingest.ecosystems.rubygems.listing import TEXT
from ssc_ingest.errors import PackageNotFound, RegistryError, ResourceNotFound
from ssc_ingest.models import PackageRef, VersionName
from ssc_ingest.source_code.incomplete import parse_or_keep

MAX_INFO = 32 * 1024 * 1024
"""Bytes of a file of the index; the largest have 1 to 2 MB."""

_LOADABLE = (".rb", ".so", ".bundle", ".dll", ".jar")
"""Kinds of files that ``require`` finds by their path without the ending."""

_TESTS = ("_spec.rb", "_test.rb")
_NOT_LIBRARY = {"benchmark", "benchmarks", "examples", "features", "spec", "test", "tests"}
"""Folders without importable files where the whole gem is on the load path."""

_EXTENSION = re.compile(rb"""create_(?:\w+_)?makefile\s*\(?\s*["']([\w./-]{1,200})["']""")
"""The name of a library that is compiled when the gem is installed."""

_PREFERRED = ("x86_64-linux", "x86_64-linux-gnu", "x86_64-linux-musl")
"""Platforms whose build is read if there is none in pure Ruby."""


async def read_names(rubygems: Ecosystem, ref: PackageRef, version: VersionName) -> frozenset[str]:
    """The names of one version; raises the errors of :meth:`Ecosystem.read_import_names`."""
    platform, build = await _build(rubygems, ref, version)
    suffix = "" if platform == PURE_RUBY else f"-{platform}"
    url = rubygems.endpoints.url("downloads", quote(f"{ref.registry_name}-{version}{suffix}.gem"))
    try:
        file = await rubygems.client.get_immutable(url, max_bytes=MAX_GEM, sha256=build.sha256)
    except ResourceNotFound as error:
        raise PackageNotFound(rubygems.version_purl(ref, version), url=url) from error
    try:
        return await names_of_gem(file.body, ref.registry_name, version)
    except RegistryError as error:
        error.url = error.url or url
        raise


async def _build(rubygems: Ecosystem, ref: PackageRef, version: VersionName) -> tuple[str, Build]:
    """The build that is read, with its platform."""
    url = rubygems.endpoints.url("index", "info", ref.registry_name)
    try:
        response = await rubygems.client.get(url, max_bytes=MAX_INFO, accept=TEXT)
    except ResourceNotFound as error:
        raise PackageNotFound(ref.purl, url=url) from error
    check_digest(response.body, response.headers.get("repr-digest", ""), url)
    releases = await off_loop(len(response.body), parse_info, response.body, ref, url)
    if version not in releases:
        raise PackageNotFound(rubygems.version_purl(ref, version), url=url)
    return preferred(releases[version].builds)


def preferred(builds: Mapping[str, Build]) -> tuple[str, Build]:
    """The build in pure Ruby, otherwise one for Linux, otherwise the first by name."""
    platform = next((each for each in (PURE_RUBY, *_PREFERRED) if each in builds), min(builds))
    return platform, builds[platform]


async def names_of_gem(gem: bytes, name: str, version: str) -> frozenset[str]:
    """The names of a gem file; only its paths if its sources cannot be parsed.

    Raises:
        MalformedArchive: the content is not a gem file, or is damaged.
        ArchiveTooLarge: the gem file exceeds a limit of size or members.
    """
    content = await read_gem_file(gem)
    specification = content.specification or b""
    folders = await off_loop(len(specification), require_paths, specification)
    loadable = dict(_loadable(content, folders))
    names = {*loadable.values(), *_extensions(content)}
    sources = {path: content.sources[path] for path in loadable if path in content.sources}
    if not sources:
        return frozenset(names)
    return await parse_or_keep(
        "ruby",
        {},
        sources,
        known=frozenset(names),
        package={"ecosystem": IDENTITY.name, "package": name, "version": version},
    )


def _loadable(content: GemFile, folders: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The files that ``require`` finds: path in the gem, and name."""
    starts = {_start(folder) for folder in folders}
    for path in content.paths or ():
        for start in starts:
            inner = path.removeprefix(start)
            if start and inner == path:
                continue
            stem, ending = posixpath.splitext(inner)
            first = inner.partition("/")[0]
            if (
                ending in _LOADABLE
                and not inner.endswith(_TESTS)
                and posixpath.basename(stem) not in {"", "extconf"}
                and not (start == "" and (first in _NOT_LIBRARY or ".." in path.split("/")))
            ):
                yield path, stem


def _start(folder: str) -> str:
    """How paths in a folder of the load path begin; such folders may be ``.`` or ``./lib``."""
    folder = posixpath.normpath(folder)
    return "" if folder == "." else f"{folder}/"


def _extensions(content: GemFile) -> Iterator[str]:
    for path, source in content.sources.items():
        if posixpath.basename(path) == "extconf.rb" and (match := _EXTENSION.search(source)):
            yield match[1].decode()
