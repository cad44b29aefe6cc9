"""Three small registries, of npm, crates and PyPI, that need all facts to be resolved.

The results of their tools were recorded with npm 11.19 on Node.js 20.20, Cargo 1.95 and pip 26 on
CPython 3.11, Linux.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ssc_ingest.ecosystems.crates.index import index_path
from tests.simulator.pypi.archives import wheel
from tests.simulator.pypi.documents import SIMPLE_JSON

NPM: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "app": {
        "1.0.0": {
            "dependencies": {
                "left": "^1.0.0",
                "right": "^1.0.0",
                "shared-old": "npm:shared@^0.9.0",
                "framework": ">=1",
                "plugin": "^1.0.0",
                "pre": "^2.0.0-beta.1",
                "deprecating": "^1.0.0",
                "demanding": "^1.0.0",
                "tagged": "^1.0.0",
                "next": "next",
                "copied": "^9.0.0",
            },
            # "copied" stands in both, as older clients published it.
            "optionalDependencies": {
                "native-linux": "1.0.0", "native-win": "1.0.0", "nowhere": "^1.0.0",
                "copied": "^1.0.0",
            },
        }
    },
    "left": {"1.0.0": {"dependencies": {"shared": "^1.0.0", "ring": "*"}}},
    "right": {"1.0.0": {"dependencies": {"shared": "^2.0.0", "third": "^1.0.0"}}},
    "third": {"1.0.0": {"dependencies": {"shared": "1.0.0 - 1.0.9"}}},
    "ring": {"1.0.0": {"dependencies": {"left": "^1.0.0"}}},
    "shared": {v: {} for v in ("0.9.5", "1.0.0", "1.0.5", "1.1.0", "2.0.0", "2.1.0-rc.1")},
    "framework": {v: {} for v in ("1.0.0", "2.0.0", "2.1.0", "3.0.0")},
    "plugin": {
        "1.0.0": {
            "peerDependencies": {"framework": "1 || 2", "helper": "^1.0.0", "extra": "*"},
            "peerDependenciesMeta": {"extra": {"optional": True}},
        }
    },
    "helper": {"1.0.0": {"peerDependencies": {"framework": "^2.0.0"}}},
    "extra": {"1.0.0": {}},
    "pre": {v: {} for v in ("1.9.0", "2.0.0-alpha.1", "2.0.0-beta.2", "2.1.0-beta.1")},
    "deprecating": {"1.0.0": {}, "1.1.0": {"deprecated": "broken"}},
    "demanding": {
        "1.0.0": {"engines": {"node": ">=0.10"}},
        "1.1.0": {"engines": {"node": ">=999"}},
    },
    "tagged": {v: {} for v in ("1.0.0", "1.1.0", "1.2.0")},
    "next": {v: {} for v in ("1.0.0", "2.0.0-next.1")},
    "copied": {"1.0.0": {}},
    "native-linux": {"1.0.0": {"os": ["linux"], "cpu": ["x64"]}},
    "native-win": {"1.0.0": {"os": ["win32"]}},
    "conflicted": {"1.0.0": {"dependencies": {"framework": "^3.0.0", "plugin": "^1.0.0"}}},
}  # fmt: skip
NPM_TAGS: Mapping[str, Mapping[str, str]] = {
    "tagged": {"latest": "1.1.0"},
    "next": {"latest": "1.0.0", "next": "2.0.0-next.1"},
}

CARGO: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "app": {
        "1.0.0": {
            "deps": [
                {"name": "core-x", "req": "^1", "default_features": False, "features": ["std"]},
                {"name": "build-x", "req": "^1", "kind": "build"},
                {"name": "win-x", "req": "^0.3", "target": "cfg(windows)"},
                {"name": "never", "req": "^1", "optional": True},
                {"name": "chosen", "req": "^1", "optional": True},
                {"name": "weak", "req": "^1", "optional": True},
                {"name": "old-base", "package": "base", "req": "^0.1"},
                {"name": "base", "req": "^0.2.1"},
                {"name": "shrinking", "req": "^1", "features": ["lost"]},
                {"name": "pre", "req": "^2.0.0-rc.1"},
                {"name": "loose", "req": ">=1, <3"},
                {"name": "pin", "req": "^1"},
                {"name": "tests", "req": "^1", "kind": "dev"},
            ],
            "features": {"default": ["chosen", "core-x/extra"], "more": ["never"]},
            "features2": {"default": ["weak?/fast"], "slow": ["dep:weak"]},
        }
    },
    "core-x": {
        "1.0.0": {},
        "1.1.0": {
            "deps": [
                {"name": name, "req": "^1", "optional": True}
                for name in ("alloc-x", "extra-x", "heavy-x")
            ],
            "features": {
                "default": ["heavy-x"], "std": ["alloc-x"], "extra": ["dep:extra-x"],
            },
        },
        "1.2.0": {"yanked": True},
    },
    "build-x": {"1.0.0": {"deps": [{"name": "loose", "req": "^1"}]}},
    "win-x": {"0.3.0": {}, "0.3.9": {}, "0.4.0": {}},
    "base": {"0.1.5": {}, "0.2.0": {}, "0.2.7": {}},
    "shrinking": {"1.0.0": {"features": {"lost": []}}, "1.1.0": {}},
    "pre": {"2.0.0-rc.1": {}, "2.0.0-rc.2": {}, "2.1.0-rc.1": {}},
    "loose": {"1.0.0": {}, "1.4.0": {}, "2.0.0": {}},
    "pin": {"1.0.0": {"deps": [{"name": "pinned", "req": "=1.0.3"}]}},
    "pinned": {"1.0.3": {}, "1.0.9": {}},
    "chosen": {"1.0.0": {"deps": [{"name": "pinned", "req": "^1"}]}},
    "weak": {"1.0.0": {"features": {"fast": []}}},
    **{name: {"1.0.0": {}} for name in ("never", "alloc-x", "extra-x", "heavy-x", "tests")},
}  # fmt: skip


PYPI: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "app": {
        "1.0.0": {
            "lines": [
                "left>=1",
                "right~=1.0",
                "shared[Fast]>=1,<3",
                'old<2; python_version < "3.8"',
                'old>=2; python_version >= "3.8"',
                'winonly; sys_platform == "win32"',
                "pre>=2.0b1",
                "final",
                "onlypre",
                "compatible~=1.4.2",
                "series==1.2.*",
                "holes!=1.2.*",
                "withdrawn",
                "withdrawn-pin==1.1",
                "pythons",
                'developing; extra == "dev"',
                'either; extra == "dev" or sys_platform != "win32"',
            ]
        }
    },
    # The newest versions of these two want different ones of "shared".
    "left": {"1.0": {"lines": ["shared>=1"]}, "2.0": {"lines": ["shared<2"]}},
    "right": {"1.0": {"lines": ["shared>=2"]}, "1.5": {"lines": ["shared>=2"]}, "2.0": {}},
    "shared": {
        "1.0": {},
        "2.5": {"lines": ["speed[deep]>=1; extra == 'fast'", "slow; extra == 'slow'"]},
        "3.0": {},
    },
    "speed": {"1.0": {}, "1.1": {"lines": ["deepest; extra == 'deep'", "deep.est>=1"]}},
    "deepest": {"1.0": {}},
    "deep-est": {"1.0": {}},
    "old": {"1.9": {}, "2.1": {}},
    "pre": {v: {} for v in ("1.0", "2.0b1", "2.0rc1")},
    "final": {v: {} for v in ("1.0", "2.0rc1")},
    "onlypre": {v: {} for v in ("1.0a1", "1.0b2")},
    "compatible": {v: {} for v in ("1.4.1", "1.4.9", "1.5.0")},
    "series": {v: {} for v in ("1.2rc1", "1.2.3", "1.3")},
    "holes": {v: {} for v in ("1.1", "1.2", "1.2.5")},
    "withdrawn": {"1.0": {}, "1.1": {"yanked": True}},
    "withdrawn-pin": {"1.0": {}, "1.1": {"yanked": True}},
    "pythons": {
        "1.0": {"python": ">=3.6"},
        "2.0": {"python": ">=3.8,!=3.11.*"},
        "3.0": {"python": ">=99"},
    },
    **{name: {"1.0": {}} for name in ("winonly", "developing", "either", "slow")},
}


def pypi_documents(url: str) -> dict[str, bytes]:
    """Pages, wheels and their metadata by path."""
    documents: dict[str, bytes] = {}
    for name, versions in PYPI.items():
        files = []
        for version, fields in versions.items():
            lines = [f"Requires-Dist: {line}" for line in fields.get("lines", ())]
            python = fields.get("python")
            headers = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines]
            headers += [f"Requires-Python: {python}"] if python else []
            headers += [f"Provides-Extra: {extra}" for extra in ("dev", "fast", "slow", "deep")]
            metadata = "\n".join([*headers, ""]).encode()
            escaped = name.replace("-", "_")
            path = f"/files/{escaped}-{version}-py3-none-any.whl"
            documents[path] = wheel(escaped, version, metadata)
            documents[f"{path}.metadata"] = metadata
            files.append(
                {
                    "filename": path.removeprefix("/files/"),
                    "url": url + path,
                    "hashes": {"sha256": hashlib.sha256(documents[path]).hexdigest()},
                    "core-metadata": {"sha256": hashlib.sha256(metadata).hexdigest()},
                    "requires-python": python,
                    "yanked": fields.get("yanked", False),
                }
            )
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": files}
        documents[f"/{name}/"] = json.dumps(page | {"versions": list(versions)}).encode()
    return documents


def npm_documents() -> dict[str, bytes]:
    """Packuments by path."""
    documents = {}
    for name, versions in NPM.items():
        manifests = {
            version: {
                **fields,
                "name": name,
                "version": version,
                # npm takes packages with the same digest for the same.
                "dist": {
                    "tarball": f"http://127.0.0.1:9/{name}-{version}.tgz",
                    "shasum": hashlib.sha1(f"{name}@{version}".encode()).hexdigest(),  # noqa: S324
                },
            }
            for version, fields in versions.items()
        }
        tags = NPM_TAGS.get(name, {"latest": list(versions)[-1]})
        documents[f"/{name}"] = json.dumps(
            {"name": name, "dist-tags": tags, "versions": manifests}
        ).encode()
    return documents


def cargo_documents(url: str) -> dict[str, bytes]:
    """Files of the sparse index by path."""
    documents = {"/config.json": json.dumps({"dl": f"{url}/dl"}).encode()}
    defaults = {
        "features": [], "optional": False, "default_features": True, "target": None,
        "kind": "normal",
    }  # fmt: skip
    for name, versions in CARGO.items():
        lines = [
            {
                "name": name,
                "vers": version,
                "cksum": "0" * 64,
                "features": fields.get("features", {}),
                "yanked": fields.get("yanked", False),
                "deps": [defaults | dependency for dependency in fields.get("deps", ())],
                **({"v": 2, "features2": fields["features2"]} if "features2" in fields else {}),
            }
            for version, fields in versions.items()
        ]
        path = "/" + "/".join(index_path(name))
        documents[path] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return documents


@contextmanager
def serving() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server on loopback: its URL, and the documents by path that it serves."""
    documents: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = documents.get(self.path)
            self.send_response(404 if body is None else 200)
            is_page = self.path.endswith("/")
            self.send_header("Content-Type", SIMPLE_JSON if is_page else "application/json")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", documents
        server.shutdown()
        thread.join()
