"""The graph's readers find what programs import, with the names of each judged package.

Each package has a few of its real files. ``python -m benchmarks.import_names_truth`` searches for
the same lines with the names of the real packages.
"""

import gzip
import json
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from typing import Any

import pytest

from benchmarks.import_names_truth import crates, maven, npm, pypi
from benchmarks.import_names_truth.clients import CLIENTS, is_imported, not_imported, stored
from benchmarks.import_names_truth.nuget import WITH_ASSEMBLIES, assemblies
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.ecosystems.crates.import_names import names_of_crate
from ssc_ingest.ecosystems.maven.import_names import packages_of_jar
from ssc_ingest.ecosystems.maven.java_packages import roots
from ssc_ingest.ecosystems.npm.import_names.archive import list_archive
from ssc_ingest.ecosystems.npm.import_names.exports import parse_exports
from ssc_ingest.ecosystems.npm.import_names.files import file_subpaths
from ssc_ingest.ecosystems.npm.import_names.manifest import entries, names_without_download
from ssc_ingest.ecosystems.npm.import_names.types import is_types
from ssc_ingest.ecosystems.npm.packument import parse_manifest
from ssc_ingest.ecosystems.nuget.import_names import namespaces_of_package
from ssc_ingest.ecosystems.pypi.import_names.wheel import wheel_names
from ssc_ingest.ecosystems.rubygems.import_names import names_of_gem
from tests.assemblies import FORWARDER, assembly
from tests.unit.archives import tarred, zipped
from tests.unit.crate_files import crate

WHEELS: dict[str, str] = {
    "requests": "requests/__init__.py requests/adapters.py",
    "numpy": "numpy/__init__.py numpy/linalg/__init__.py numpy.libs/libgfortran.so",
    "google-auth": "google/auth/__init__.py google/oauth2/service_account.py",
    "PyYAML": "yaml/__init__.py yaml/loader.py _yaml/__init__.py",
    "python-dateutil": "dateutil/__init__.py dateutil/parser/__init__.py",
    "attrs": "attr/__init__.py attrs/__init__.py",
    "protobuf": "google/protobuf/__init__.py google/protobuf/message.py google/_upb/_message.so",
    "setuptools": "setuptools/__init__.py pkg_resources/__init__.py _distutils_hack/__init__.py",
    "Pillow": "PIL/__init__.py PIL/Image.py pillow.libs/libtiff.so",
    "beautifulsoup4": "bs4/__init__.py bs4/element.py",
    "google-cloud-storage": "google/cloud/storage/__init__.py",
}

NPM_PACKAGES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "express": ({}, {"index.js": "", "lib/express.js": "", "lib/application.js": ""}),
    "lodash": (
        {"main": "lodash.js"},
        dict.fromkeys(("lodash.js", "merge.js", "debounce.js", "_baseMerge.js"), ""),
    ),
    "@babel/core": ({"exports": {".": "./lib/index.js"}}, {}),
    "react": (
        {
            "exports": {
                ".": {"react-server": "./react.react-server.js", "default": "./index.js"},
                "./package.json": "./package.json",
                "./jsx-runtime": {"default": "./jsx-runtime.js"},
            }
        },
        {},
    ),
    "typescript": ({"main": "./lib/typescript.js"}, {"lib/typescript.js": "", "lib/tsc.js": ""}),
    "rxjs": (
        {
            "exports": {
                ".": {"default": "./dist/esm5/index.js"},
                "./ajax": {"node": "./dist/cjs/ajax/index.js"},
                "./internal/*": {"node": "./dist/cjs/internal/*.js"},
            }
        },
        {"dist/cjs/internal/util/pipe.js": ""},
    ),
    "uuid": ({"exports": {".": {"node": "./dist-node/index.js", "default": "./index.js"}}}, {}),
    "chalk": ({"exports": "./source/index.js"}, {}),
    "date-fns": ({"exports": {".": "./index.js", "./addDays": "./addDays.js"}}, {}),
    "@types/node": (
        {"types": "index.d.ts"},
        {
            "fs.d.ts": 'declare module "fs" {}\ndeclare module "node:fs" {}\n',
            "fs/promises.d.ts": 'declare module "node:fs/promises" {}\n',
        },
    ),
}

JARS: dict[str, str] = {
    "com.google.guava:guava": "com.google.common.collect com.google.common.util.concurrent "
    "com.google.common.base com.google.thirdparty.publicsuffix",
    "org.apache.commons:commons-lang3": "org.apache.commons.lang3 org.apache.commons.lang3.builder",
    "com.fasterxml.jackson.core:jackson-databind": "com.fasterxml.jackson.databind "
    "com.fasterxml.jackson.databind.annotation com.fasterxml.jackson.databind.jsontype",
    "org.slf4j:slf4j-api": "org.slf4j org.slf4j.event org.slf4j.spi",
    "org.junit.jupiter:junit-jupiter-api": "org.junit.jupiter.api "
    "org.junit.jupiter.api.extension org.junit.jupiter.api.io",
    "org.springframework:spring-core": "org.springframework.core.io org.springframework.core "
    "org.springframework.util org.springframework.asm",
    "org.apache.logging.log4j:log4j-core": "org.apache.logging.log4j.core "
    "org.apache.logging.log4j.core.appender",
    "org.jetbrains.kotlin:kotlin-stdlib": "kotlin kotlin.collections kotlin.jvm.functions",
    "com.google.protobuf:protobuf-java": "com.google.protobuf com.google.protobuf.compiler",
    "io.netty:netty-all": "",
}

CRATES = dict.fromkeys(CLIENTS["crates"], "") | {"md-5": '[lib]\nname = "md5"\n'}

GEMS: dict[str, dict[str, str]] = {
    "activesupport": {
        "active_support.rb": "module ActiveSupport; end",
        "active_support/concern.rb": "module ActiveSupport\n  module Concern; end\nend",
        "active_support/core_ext/object/blank.rb": "class Object; end",
    },
    "google-protobuf": {"google/protobuf.rb": "", "google/protobuf_c.so": ""},
    "net-http-persistent": {"net/http/persistent.rb": "class Net::HTTP::Persistent; end"},
    "rails": {},
    "archive-tar-minitar": {"archive/tar/minitar.rb": "module Archive\n module Tar; end\nend"},
    "blankslate": {"blankslate.rb": "class BlankSlate; end"},
    "business": {"business.rb": "", "business/calendar.rb": ""},
    "m2r": {"m2r.rb": "", "m2r/request.rb": "module M2R; end"},
    "statesman": {
        "statesman.rb": "module Statesman; end",
        "statesman/machine.rb": "module Statesman\n  module Machine; end\nend",
    },
}


async def of_wheel(project: str) -> AbstractSet[str]:
    """The modules of a wheel."""
    return await wheel_names(
        BytesSource(zipped(dict.fromkeys(WHEELS[project].split(), b""))), project
    )


async def of_npm_package(name: str) -> AbstractSet[str]:
    """The specifiers of a package, by its manifest or else its files."""
    fields, files = NPM_PACKAGES[name]
    manifest = parse_manifest(json.dumps(fields).encode(), name, "")
    if (names := names_without_download(name, manifest)) is not None:
        return set(names)
    data = tarred({f"package/{path}": content.encode() for path, content in files.items()})
    contents = await list_archive(BytesSource(data), is_types=is_types(name))
    if (exports := parse_exports(manifest.exports)) is not None:
        subpaths = exports.subpaths(f"./{path}" for path in contents.paths)
    else:
        subpaths = file_subpaths(contents.paths, entries(manifest))
    return contents.declared | {name + subpath[1:] for subpath in subpaths}


async def of_jar(artifact: str) -> AbstractSet[str]:
    """The roots of the packages in a jar."""
    classes = {f"{each.replace('.', '/')}/A.class": b"" for each in JARS[artifact].split()}
    found = await packages_of_jar(BytesSource(zipped({"META-INF/MANIFEST.MF": b"", **classes})))
    return roots(found, artifact.partition(":")[0])


async def of_crate(name: str) -> AbstractSet[str]:
    """The items of a crate."""
    manifest = f'[package]\nname = "{name}"\nedition = "2021"\n{CRATES[name]}'
    made = crate({"Cargo.toml": manifest, "src/lib.rs": "pub mod x;"}, f"{name}-1.0.0")
    return await names_of_crate(made, name, "1.0.0")


async def of_gem(name: str) -> AbstractSet[str]:
    """The paths and constants of a gem."""
    data = {f"lib/{path}": content.encode() for path, content in GEMS[name].items()}
    members = {
        "metadata.gz": gzip.compress(b"require_paths: [lib]\n"),
        "data.tar.gz": tarred(data),
    }
    return await names_of_gem(tarred(members, mode="w"), name, "1.0.0")


async def of_assembly(file: str) -> AbstractSet[str]:
    """The namespaces of an assembly."""
    real = {path: each for name in WITH_ASSEMBLIES for path, each in assemblies(name).items()}
    contents = {path.rpartition("/")[2]: content for path, content in real.items()}
    moved = [(FORWARDER, "System.Collections.Generic", "List`1")]
    contents["netstandard.dll"] = assembly((), [*moved, (FORWARDER, "System.Threading.Tasks", "X")])
    return await namespaces_of_package(BytesSource(zipped({f"lib/net8.0/{file}": contents[file]})))


Reader = Callable[[str], Awaitable[AbstractSet[str]]]

READERS: dict[str, Reader] = {
    "pypi": of_wheel,
    "npm": of_npm_package,
    "maven": of_jar,
    "crates": of_crate,
    "rubygems": of_gem,
    "nuget": of_assembly,
}


@pytest.mark.parametrize(
    ("ecosystem", "package"),
    [(ecosystem, package) for ecosystem, lines in CLIENTS.items() for package in lines],
)
async def test_readers_find_the_imports_of_programs(ecosystem: str, package: str) -> None:
    """Some name finds each line of a package's clients; none finds those of other packages."""
    fallback = package.partition(":")[0]  # the group of Maven's packages
    names = stored(await READERS[ecosystem](package), fallback)
    assert not_imported(ecosystem, package, names) == []
    others = [lines for each, lines in CLIENTS[ecosystem].items() if each != package]
    found = [line for lines in others for line in lines if is_imported(ecosystem, line, names)]
    assert found == []


def test_all_judged_packages_have_clients() -> None:
    """Each package that is compared with a judge has two different lines."""
    judged = {
        "pypi": pypi.PROJECTS,
        "npm": npm.PACKAGES,
        "maven": maven.ARTIFACTS,
        "crates": crates.CRATES,
    }
    for ecosystem, packages in judged.items():
        assert set(packages) <= set(CLIENTS[ecosystem])
    for packages_of in CLIENTS.values():
        assert all(len(set(lines)) == 2 for lines in packages_of.values())


@pytest.mark.parametrize(
    ("ecosystem", "package", "guess"),
    [
        ("pypi", "PyYAML", "pyyaml"),
        ("maven", "com.google.guava:guava", "com.google.guava"),
        ("crates", "md-5", "md_5"),
        ("rubygems", "activesupport", "ActiveSupport::Railtie"),
        ("nuget", "Python.Runtime.dll", "pythonnet"),
        ("npm", "@types/node", "@types/node"),
    ],
)
def test_a_guess_would_miss_them(ecosystem: str, package: str, guess: str) -> None:
    """A name that is only guessed from the package's own does not find them all."""
    assert not_imported(ecosystem, package, [guess])
