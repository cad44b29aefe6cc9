"""The import names of wheels, eggs and source distributions."""

from collections.abc import Mapping
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.archives import tar_stream
from ssc_ingest.archives.source import BytesSource
from ssc_ingest.ecosystems.pypi.import_names.build_hints import hints_of
from ssc_ingest.ecosystems.pypi.import_names.declared import declared_names
from ssc_ingest.ecosystems.pypi.import_names.modules import import_names
from ssc_ingest.ecosystems.pypi.import_names.sdist import sdist_names
from ssc_ingest.ecosystems.pypi.import_names.wheel import wheel_names
from ssc_ingest.errors import ArchiveTooLarge, IngestError, MalformedArchive
from tests.unit.archives import Counted, tarred, zipped

PLATFORM = "cpython-312-x86_64-linux-gnu.so"
NAMESPACE = b"__import__('pkg_resources').declare_namespace(__name__)\n"
EXTENDED = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"


def metadata(*lines: str) -> bytes:
    """Core metadata with these lines."""
    return "\n".join(("Metadata-Version: 2.5", "Name: demo", "Version: 1", *lines, "")).encode()


def files(text: str) -> dict[str, bytes]:
    """Empty files at these paths."""
    return dict.fromkeys(text.split(), b"")


async def names_in(members: Mapping[str, bytes], project: str = "demo") -> set[str]:
    """The names of a wheel with these members."""
    return await wheel_names(BytesSource(zipped(members)), project)


def in_sdist(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """The members below the folder of a source distribution."""
    return {f"demo-1.0/{path}": content for path, content in members.items()}


@pytest.mark.parametrize(
    ("project", "paths", "names"),
    [
        ("six", "six.py", "six"),
        ("pyyaml", "yaml/__init__.py yaml/loader.py", "yaml yaml.loader"),
        ("opencv-python", "cv2/__init__.py cv2/cv2.abi3.so cv2/data/__init__.py",
         "cv2 cv2.cv2 cv2.data"),
        ("attrs", "attr/__init__.py attrs/__init__.py attrs/py.typed", "attr attrs"),
        # An extension module's name ends at the first dot; the other is a shared library
        ("demo", f"_x.{PLATFORM} a/_y.{PLATFORM} a/__init__.py a/z.pyd a/w.so a/libzip.so",
         "_x a a._y a.z a.w"),
        ("numpy", f"numpy/__init__.py numpy/_core/_simd.{PLATFORM} numpy.libs/libgfortran-1.so.5",
         "numpy numpy._core numpy._core._simd"),
        # Namespace packages: the parents, without the shared root
        ("google-cloud-storage", "google/cloud/storage/__init__.py",
         "google.cloud google.cloud.storage"),
        ("google-auth", "google/auth/__init__.py google/oauth2/__init__.py",
         "google.auth google.oauth2"),
        ("protobuf", "google/_upb/_message.abi3.so google/protobuf/__init__.py",
         "google._upb google._upb._message google.protobuf"),
        ("azure-core", "azure/core/__init__.py azure/core/pipeline/__init__.py",
         "azure.core azure.core.pipeline"),
        ("ruamel-yaml", "ruamel/yaml/__init__.py", "ruamel.yaml"),
        ("zope-interface", "zope/interface/__init__.py zope.interface-7-nspkg.pth",
         "zope.interface"),
        ("sphinxcontrib-httpdomain", "sphinxcontrib/httpdomain.py", "sphinxcontrib.httpdomain"),
        # A folder with modules and no __init__.py is its author's mistake
        ("python-sloppy", "sloppy/api.py", "sloppy sloppy.api"),
        ("my-sloppy", "mysloppy/api/x.py", "mysloppy mysloppy.api mysloppy.api.x"),
        # Stubs, types only, compiled only
        ("types-requests", "requests-stubs/__init__.pyi requests-stubs/api.pyi",
         "requests requests.api"),
        ("demo", "demo/__init__.pyi demo/a.pyi", "demo demo.a"),
        ("demo", "demo/__init__.pyc demo/__pycache__/a.cpython-312.pyc", "demo"),
        # No names
        ("demo", "demo/__init__.py demo/__main__.py demo/tests/__init__.py tests/b.py", "demo"),
        ("demo", "demo/__init__.py docs/conf.py example/c.py examples/d.py demo/test/e.py", "demo"),
        ("examples", "examples/__init__.py tests/__init__.py", "examples"),
        ("odd", "tests/__init__.py", "tests"),
        ("demo", "demo/__init__.py demo/a-b.py demo/my.dir/c.py demo/1.py x-y/d.py", "demo"),
        ("demo", "demo-1.0.data/scripts/run.py demo-1.0.data/data/x.py demo/__init__.py", "demo"),
        ("demo", "demo-1.0.data/purelib/a.py demo-1.0.data/platlib/b/__init__.py", "a b"),
        ("demo", "demo-1.0.dist-info/METADATA", ""),
        # Only what lies at the top is on the path
        ("setuptools", ("setuptools/_vendor/x-4.dist-info/top_level.txt setuptools/_vendor/six.py "
         "setuptools/__init__.py _distutils_hack/__init__.py"),
         "setuptools setuptools._vendor setuptools._vendor.six _distutils_hack"),
    ],
)  # fmt: skip
async def test_names_by_the_paths(project: str, paths: str, names: str) -> None:
    """The modules of a wheel, by its list of files."""
    assert await names_in(files(paths), project) == set(names.split())


async def test_path_files_add_folders() -> None:
    """The modules in the folders of ``.pth`` files are at the top, too; their code is not run."""
    members = files("win32/win32api.pyd win32/lib/win32con.py pythoncom.py Pythonwin/dde.pyd")
    members["pywin32.pth"] = b"# .pth\nwin32\nwin32\\lib\nimport pywin32_bootstrap\n../..\n/etc\n"
    names = await names_in(members, "pywin32")
    assert {"win32api", "win32con", "pythoncom", "win32.win32api"} <= names
    assert "dde" not in names
    hack = {"distutils-precedence.pth": b"import os; import _distutils_hack\n"}
    assert await names_in(files("setuptools/__init__.py") | hack, "setuptools") == {"setuptools"}


@pytest.mark.parametrize(
    "members",
    [
        {"google/__init__.py": NAMESPACE},
        {"google/__init__.py": b"# Licence\n" * 100 + EXTENDED},
        {"demo-1.0.dist-info/namespace_packages.txt": b"google\n"},
        {"demo-1.0.dist-info/METADATA": metadata("Import-Namespace: google")},
    ],
)
async def test_declared_namespaces(members: dict[str, bytes]) -> None:
    """A root that is declared a namespace is shared."""
    assert await names_in(files("google/api/x.py google/api/__init__.py") | members) == {
        "google.api",
        "google.api.x",
    }


async def test_code_cannot_be_declared_a_namespace() -> None:
    """A package with code keeps its name, whatever its metadata says."""
    members = files("evil/__init__.py evil/a/__init__.py") | {
        "demo-1.0.dist-info/METADATA": metadata("Import-Namespace: evil"),
        "demo-1.0.dist-info/namespace_packages.txt": b"evil\n",
    }
    assert await names_in(members) == {"evil", "evil.a"}


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["Import-Name: packaging", "Import-Name: packaging.licenses"],
         "demo packaging packaging.licenses"),
        (["Import-Name: _hidden; private", "Import-Name: shown ; private"], "demo _hidden shown"),
        (["Import-Name:"], "demo"),
        (["Import-Name: a-b", "Import-Name: a..b", "Import-Name: next/(group"], "demo"),
        (["Import-Namespace: a.b", "Import-Namespace: a", "Import-Name: a.b.c"],
         "demo a.b a.b.c"),
    ],
)  # fmt: skip
async def test_declared_names(lines: list[str], names: str) -> None:
    """``Import-Name`` adds names, and removes none."""
    members = files("demo/__init__.py") | {"demo-1.0.dist-info/METADATA": metadata(*lines)}
    assert await names_in(members) == set(names.split())


async def test_nothing_to_import() -> None:
    """A project whose metadata declares that there is no name has none."""
    assert await names_in({"demo-1.0.dist-info/METADATA": metadata("Import-Name:")}) == set()


async def test_few_bytes_of_a_large_wheel() -> None:
    """The modules' contents are not read."""
    large = {f"demo/m{n}.py": n.to_bytes(4) * 40_000 for n in range(100)}
    incompressible = {"demo/data.bin": bytes(range(256)) * 20_000}
    source = Counted(
        zipped(large | incompressible | {"demo-1.dist-info/METADATA": metadata()}, method=0)
    )
    assert len(await wheel_names(source, "demo")) == 101
    assert source.bytes_read < len(source.content) / 100


@pytest.mark.parametrize(
    ("project", "members", "names"),
    [
        # The result of a build
        ("demo", {"demo.egg-info/top_level.txt": b"yaml\n_yaml\ntests\n", **files(
            "setup.py lib/yaml/__init__.py lib/yaml/a.py tests/__init__.py tools/x/__init__.py")},
         "yaml yaml.a _yaml"),
        ("demo", {"src/demo.egg-info/top_level.txt": b"one\ntwo", **files(
            "src/one/__init__.py src/two.py src/three/__init__.py")}, "one two"),
        ("demo", {"demo.egg-info/top_level.txt": b"google\n", **files(
            "google/cloud/x/__init__.py")}, "google.cloud google.cloud.x"),
        ("demo", {"demo.egg-info/top_level.txt": b"\n", **files("scripts/a.py other.py")}, ""),
        # Build files
        ("demo", {"pyproject.toml": b'[tool.poetry]\npackages=[{include="a",from="code"}]',
                  **files("code/a/__init__.py code/b/__init__.py c/__init__.py")}, "a"),
        ("demo", {"pyproject.toml": b'[tool.hatch.build.targets.wheel]\npackages=["x/a"]',
                  **files("x/a/__init__.py b/__init__.py")}, "a"),
        ("demo", {"pyproject.toml": b'[tool.flit.module]\nname="a"',
                  **files("a.py b.py")}, "a"),
        ("demo", {"pyproject.toml": b'[tool.setuptools.packages.find]\nwhere=["code"]',
                  **files("code/a/__init__.py b/__init__.py")}, "a"),
        ("demo", {"pyproject.toml": b'[tool.setuptools]\npy-modules=["a"]', **files("a.py b.py")},
         "a"),
        ("demo", {"pyproject.toml": b'[tool.uv.build-backend]\nmodule-root=""',
                  **files("demo/__init__.py")}, "demo"),
        ("demo", {"pyproject.toml": b'[tool.maturin]\npython-source="py"\nmodule-name="demo._d"',
                  **files("py/demo/__init__.py src/lib.rs")}, "demo"),
        ("demo", {"setup.cfg": b"[options]\npackage_dir=\n    =code\npackages = find:\n",
                  **files("code/a/__init__.py b/__init__.py")}, "a"),
        ("demo", {"setup.cfg": b"[options]\npy_modules = a, b\n", **files("a.py b.py c.py")},
         "a b"),
        ("demo", {"setup.py": b'setup(package_dir={"": "code"})',
                  **files("code/a/__init__.py b/__init__.py")}, "a"),
        # The layout
        ("demo", files("src/a/__init__.py src/b.py setup.py other/__init__.py"), "a b"),
        ("demo", files("a/__init__.py a/b.pyx b.py setup.py conftest.py noxfile.py tests/c.py"),
         "a a.b b"),
        ("demo", files("a.py docs/conf.py examples/__init__.py tools/d.py misc/e.py"), "a"),
        ("zope-demo", files("setup.py zope/demo/__init__.py misc/x.py"), "zope.demo"),
        ("tools", files("setup.py tools/__init__.py"), "tools"),
        ("demo", files("setup.py README.md"), ""),
        # Unreadable build files
        ("demo", {"pyproject.toml": b"[[[", "setup.cfg": b"\xff=[", "setup.py": b"\xff",
                  **files("demo/__init__.py")}, "demo"),
        ("demo", {"PKG-INFO": metadata("Import-Name: _demo_c"), **files("demo.py setup.py")},
         "demo _demo_c"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [tarred, zipped])
async def test_source_distributions(
    packed: object, project: str, members: dict[str, bytes], names: str
) -> None:
    """What an installation would have, by the build's result, the build files or the layout."""
    data = packed(in_sdist(members))  # type: ignore[operator]
    filename = "demo-1.0.zip" if packed is zipped else "demo-1.0.tar.gz"
    # The egg-info folders above belong to the project "demo"
    assert await sdist_names(BytesSource(data), filename, project) == set(names.split())


async def test_a_list_of_sources_ends_the_reading() -> None:
    """The rest of a large archive is not read."""
    noise = Random(7).randbytes(2_000_000)
    members = {
        "demo.egg-info/top_level.txt": b"demo\n",
        "demo.egg-info/SOURCES.txt": b"setup.py\ndemo/__init__.py\ndemo/a.py\n",
        "large.bin": noise,
        "demo/__init__.py": b"",
    }
    source = Counted(tarred(in_sdist(members)))
    assert await sdist_names(source, "demo-1.0.tar.gz", "demo") == {"demo", "demo.a"}
    assert source.bytes_read < len(source.content)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", MalformedArchive, id="empty"),
        pytest.param(b"<html>", MalformedArchive, id="page"),
        pytest.param(tarred({"demo-1/a.py": bytes(2000)})[:-30], MalformedArchive, id="cut-off"),
    ],
)
async def test_damaged_source_distributions(data: bytes, error: type[Exception]) -> None:
    """Each ends in a typed error."""
    with pytest.raises(error):
        await sdist_names(BytesSource(data), "demo-1.0.tar.gz", "demo")


async def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of files is limited."""
    monkeypatch.setattr(tar_stream, "MAX_MEMBERS", 99)
    data = tarred({f"demo-1/{n}.py": b"" for n in range(100)})
    with pytest.raises(ArchiveTooLarge):
        await sdist_names(BytesSource(data), "demo-1.0.tar.gz", "demo")


def test_hostile_paths() -> None:
    """Deep and long paths are ignored; the number of names is limited."""
    deep = "a/" * 30_000 + "b.py"
    assert import_names([deep, "a" * 1001 + ".py", "c.py"], "demo") == {"c"}
    with pytest.raises(ArchiveTooLarge):
        import_names((f"a{n}.py" for n in range(100_001)), "demo")


def test_hostile_build_files() -> None:
    """The time grows with the size, not with its square."""
    for content in (b"package_dir=" + b" " * 250_000, b"package_dir={'':" * 20_000):
        assert not hints_of("setup.py", content).folders
    in_key = b"[options]\npackages" + b" " * 250_000 + b"= a"
    for content in (in_key[:-3], in_key, b"[options]\n" + b"x\n" * 125_000):
        assert not hints_of("setup.cfg", content).roots
    dotted = b".".join([b"a"] * 125_000)
    for content in (dotted + b" = 1", b"[" + dotted[:125_000] + b"]\n" + b"b=1\n" * 30_000):
        assert not hints_of("pyproject.toml", content).roots


@given(
    st.lists(st.text("ab_-./\\é1\x00", max_size=30).map(lambda text: text + ".py")),
    st.sampled_from(["a", "a-b", "b"]),
)
def test_any_paths(paths: list[str], project: str) -> None:
    """Every name consists of identifiers and has its parents, down to a shared root."""
    names = import_names(paths, project)
    for name in names:
        assert all(map(str.isidentifier, name.split(".")))
        parent = name.rpartition(".")[0]
        assert "." not in parent or parent in names


@given(
    st.sampled_from(["pyproject.toml", "setup.cfg", "setup.py"]),
    st.binary() | st.from_regex(rb"\[(tool\.poetry|options)\]\npackages ?= ?.{0,20}"),
)
def test_any_build_file(path: str, content: bytes) -> None:
    """No content of a build file is an error."""
    hints = hints_of(path, content)
    assert all(map(str.isidentifier, hints.roots))
    assert not any(folder.startswith("/") or ".." in folder for folder in hints.folders)


@given(st.binary(), st.binary())
async def test_any_archive(data: bytes, more: bytes) -> None:
    """Any bytes have names or a typed error."""
    for read in (
        wheel_names(BytesSource(data), "demo"),
        sdist_names(BytesSource(tarred({"d/pyproject.toml": data, "d/PKG-INFO": more})),
                    "demo-1.tar.gz", "demo"),
    ):  # fmt: skip
        with suppress(IngestError):
            await read
    declared_names(data)
