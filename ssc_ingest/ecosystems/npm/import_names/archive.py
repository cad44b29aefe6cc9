"""Lists a package's archive, and reads the declarations in packages of types.

https://docs.npmjs.com/cli/commands/npm-pack
"""

from contextlib import aclosing
from dataclasses import dataclass, field

from ssc_ingest.archives.gzip_stream import GzipStream
from ssc_ingest.archives.source import ByteSource
from ssc_ingest.archives.tar_stream import tar_members
from ssc_ingest.ecosystems.concurrency import off_loop
from ssc_ingest.ecosystems.npm.import_names.files import TYPE_ENDINGS
from ssc_ingest.ecosystems.npm.import_names.types import declared_modules

MAX_PACKED = 64 * 1024 * 1024
"""Maximum bytes of an archive."""

MAX_UNPACKED = 512 * 1024 * 1024
"""Maximum bytes to unpack of it."""

MAX_PATH = 1000
"""Maximum characters of a path; files with longer ones are ignored."""

MAX_DECLARATIONS = 4 * 1024 * 1024
"""Maximum bytes of a file of declarations."""


@dataclass(slots=True)
class Contents:
    """The contents of an archive."""

    paths: set[str] = field(default_factory=set)
    """Of its files, below the package's folder; without declarations that are not modules."""
    declared: set[str] = field(default_factory=set)
    """Modules that such declarations declare."""


async def list_archive(archive: ByteSource, *, is_types: bool) -> Contents:
    """List the files of a package's archive.

    Args:
        archive: a gzipped tar archive.
        is_types: read its declarations.

    Raises:
        MalformedArchive: the archive is damaged.
        ArchiveTooLarge: the archive exceeds a limit.
        IngestError: the errors of the source.
    """
    contents = Contents()
    stream = GzipStream(archive, max_packed=MAX_PACKED, max_unpacked=MAX_UNPACKED)
    async with aclosing(tar_members(stream)) as members:
        async for member in members:
            # The folder is mostly "package"; npm removes it, whatever its name is.
            path = member.name.removeprefix("./").partition("/")[2]
            if len(path) > MAX_PATH:
                continue
            declared = None
            if is_types and path.endswith(TYPE_ENDINGS):
                content = await member.read(MAX_DECLARATIONS)
                declared = await off_loop(len(content), declared_modules, content)
            if declared is None:
                contents.paths.add(path)
            else:
                contents.declared |= declared
    return contents
