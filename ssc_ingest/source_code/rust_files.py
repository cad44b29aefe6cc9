"""Reads the files of a crate into modules: level by level, from the root file.

https://doc.rust-lang.org/reference/items/modules.html#module-source-filenames
"""

import posixpath
from collections import deque
from collections.abc import Mapping

from ssc_ingest.source_code.rust_items import FileReader, Place
from ssc_ingest.source_code.rust_model import Crate


def read_crate(files: Mapping[str, bytes], root: str) -> Crate:
    """Read all files that the root file declares as modules, directly or indirectly."""
    crate = Crate()
    queue = deque([Place(crate.root, root, posixpath.dirname(root))])
    while queue and crate.unparsed >= 0:
        place = queue.popleft()
        content = files.get(place.file)
        if content is not None and place.file not in place.above:
            queue.extend(FileReader(crate, content, files).read(place))
    return crate
