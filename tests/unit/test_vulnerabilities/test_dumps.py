"""Local copies of a bucket in all their forms, and the known records."""

import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssc_ingest.errors import RegistryUnavailable, ResourceNotFound
from ssc_ingest.vulnerabilities.dumps import local_dump
from ssc_ingest.vulnerabilities.known import Known

IDS = ("PYSEC-1", "PYSEC-2")


def archive(names: Iterable[str], prefix: str = "") -> bytes:
    """A zip file of records."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(f"{prefix}{name}.json", json.dumps({"id": name}))
        file.writestr(f"{prefix}README.txt", "no record")
        file.writestr(f"{prefix}deeper/X-1.json", "{}")
    return buffer.getvalue()


def write(path: Path, content: bytes) -> Path:
    """Write a file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def in_a_folder(path: Path) -> Path:
    """``PyPI/all.zip``."""
    write(path / "osv" / "PyPI" / "all.zip", archive(IDS))
    return path / "osv"


def as_files(path: Path) -> Path:
    """``PyPI/<ID>.json``."""
    for name in IDS:
        write(path / "osv" / "PyPI" / f"{name}.json", json.dumps({"id": name}).encode())
    write(path / "osv" / "PyPI" / "modified_id.csv", b"")
    return path / "osv"


def all_in_one(path: Path) -> Path:
    """``all.zip`` with the records of all ecosystems."""
    write(path / "osv" / "all.zip", archive(IDS))
    return path / "osv"


def the_dump_itself(path: Path) -> Path:
    """One zip file of records."""
    return write(path / "all.zip", archive(IDS))


def a_packed_folder(path: Path) -> Path:
    """A zip file with ``PyPI/<ID>.json``."""
    return write(path / "osv.zip", archive(IDS, "PyPI/"))


def packed_dumps(path: Path) -> Path:
    """A zip file with ``PyPI/all.zip``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("npm/all.zip", archive(["GHSA-1"]))
        file.writestr("PyPI/all.zip", archive(IDS))
    return write(path / "osv.zip", buffer.getvalue())


FORMS = (in_a_folder, as_files, all_in_one, the_dump_itself, a_packed_folder, packed_dumps)


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_a_copy(form: object, tmp_path: Path) -> None:
    """All forms have the same records; the identity is stable, and differs after a change."""
    assert callable(form)
    path = form(tmp_path)
    with local_dump(path, "PyPI") as dump:
        assert {place.id: json.loads(place.read())["id"] for place in dump.places()} == {
            name: name for name in IDS
        }
        assert dump.mixed == (form in {all_in_one, the_dump_itself})
        identity = dump.identity
    with local_dump(path, "PyPI") as dump:
        assert dump.identity == identity


@pytest.mark.parametrize("form", [in_a_folder, as_files, a_packed_folder, packed_dumps])
def test_other_ecosystems_are_not_there(form: object, tmp_path: Path) -> None:
    """A missing ecosystem is not an empty dump."""
    assert callable(form)
    with pytest.raises(ResourceNotFound), local_dump(form(tmp_path), "RubyGems"):
        pass


def test_nothing_at_the_path(tmp_path: Path) -> None:
    """A missing path, and a file that is not a zip file."""
    with pytest.raises(ResourceNotFound), local_dump(tmp_path / "nothing", "PyPI"):
        pass
    with pytest.raises(RegistryUnavailable), local_dump(write(tmp_path / "x", b"x"), "PyPI"):
        pass


async def listed(pairs: dict[str, str]) -> AsyncIterator[tuple[str, str]]:
    """Rows of the bookkeeping."""
    for pair in pairs.items():
        yield pair


@given(
    st.dictionaries(st.text(), st.binary(min_size=16, max_size=16).map(bytes.hex)),
    st.sets(st.text()),
)
async def test_what_is_known(pairs: dict[str, str], seen: set[str]) -> None:
    """The compact form gives the same results as a dictionary."""
    known = await Known.load(listed(pairs))
    assert len(known) == len(pairs)
    for record_id, digest in pairs.items():
        assert record_id in known
        assert known.is_current(record_id, digest)
        assert not known.is_current(record_id, f"{int(digest[:16], 16) ^ 1:016x}{digest[16:]}")
    for record_id in seen:
        known.see(record_id)
    assert known.unseen == len(pairs.keys() - seen)
    assert all(known.has_seen(record_id) for record_id in pairs.keys() & seen)
    assert not any(name in known for name in seen - pairs.keys())
