"""Documents as large as the largest of npm, with similar contents.

A packument repeats the whole ``package.json`` for each version: scripts, development dependencies,
exports, contributors, formerly also the readme. Readers use little of it.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import orjson

from tests.simulator.words import ADJECTIVES, NOUNS


def heavier(body: bytes, size: int) -> bytes:
    """The same packument with larger manifests: ``size`` bytes, or a little more.

    Raises:
        ValueError: the document has no versions, or already has that size.
    """
    document: dict[str, Any] = orjson.loads(body)
    manifests: dict[str, dict[str, Any]] = document.get("versions", {})
    if not manifests or len(body) > size:
        raise ValueError(f"a document of {len(body)} bytes cannot be filled to {size}")
    lines = _lines()
    share = (size - len(body)) // len(manifests)
    for version in manifests:
        added = _package_json(version)
        lacking = share - len(orjson.dumps(added))
        readme = []
        while lacking > 0:
            readme.append(next(lines))
            lacking -= len(orjson.dumps(readme[-1])) - len('""')
        manifests[version] |= added | {"readme": "".join(readme)}
    return orjson.dumps(document)


def _package_json(version: str) -> dict[str, Any]:
    """Further fields of authors."""
    modules = [f"{adjective}-{noun}" for adjective, noun in zip(ADJECTIVES, NOUNS, strict=True)]
    return {
        "gitHead": version.encode().hex().ljust(40, "0")[:40],
        "exports": {
            f"./{m}": {"import": f"./esm/{m}.mjs", "require": f"./{m}.js"} for m in modules
        },
        "scripts": {f"build:{m}": f"rollup -c rollup.{m}.js" for m in modules[:8]},
        "devDependencies": {f"@types/{m}": f"^{n}.0.0" for n, m in enumerate(modules)},
        "files": [f"{m}/**/*.js" for m in modules],
        "contributors": [{"name": m, "email": f"{m}@example.org"} for m in modules[:4]],
    }


def _lines() -> Iterator[str]:
    """Distinct lines of a readme."""
    for number in count():
        adjective, noun = ADJECTIVES[number % 32], NOUNS[number // 32 % 32]
        yield f'{number}. "{noun}" is *{adjective}*: `require("{noun}-{number}").{adjective}()`\n'
