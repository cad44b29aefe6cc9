"""The archive of every version: the same small package.

https://docs.npmjs.com/cli/commands/npm-pack
"""

import gzip
import io
import tarfile

from tests.simulator.ecosystem import Document

FILES = {
    "package/package.json": b'{"main": "index.js"}',
    "package/index.js": b"module.exports = require('./lib/part')\n",
    "package/lib/part.js": b"exports.part = 1\n",
    "package/test/part.js": b"require('../lib/part')\n",
}

SUBPATHS = ("", "/index", "/index.js", "/lib/part", "/lib/part.js")
"""What a program can import, each behind the package's name."""


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in FILES.items():
            header = tarfile.TarInfo(path)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 6, mtime=0)


ARCHIVE = _archive()
DOCUMENT = Document(ARCHIVE, "application/octet-stream")
