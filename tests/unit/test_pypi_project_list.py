"""The list of all projects of PyPI: streamed, and rejected if anything is wrong."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from ssc_ingest.ecosystems.pypi import project_list
from ssc_ingest.ecosystems.pypi.project_list import Project, ProjectList, open_project_list
from ssc_ingest.errors import MalformedMetadata

URL = "https://pypi.example/simple/"

META = {"_last-serial": 900, "api-version": "1.4"}


async def read(document: Any) -> tuple[list[Project], ProjectList]:
    """All projects of a document (or its bytes), in pages of two."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    async with open_project_list(io.BytesIO(body), URL) as projects:
        found: list[Project] = []
        while page := await projects.after(found[-1].key if found else "", 2):
            found += page
        return found, projects


async def test_a_list() -> None:
    """Projects come in the order of their PEP 503 names, with spelling and serial."""
    document = {
        "meta": META,
        "projects": [
            {"_last-serial": 7, "name": "Zope.Interface"},
            {"_last-serial": 9, "name": "a__B"},
            {"_last-serial": 8, "name": "0"},
        ],
    }
    found, projects = await read(document)
    assert found == [
        Project("0", "0", 8),
        Project("a-b", "a__B", 9),
        Project("zope-interface", "Zope.Interface", 7),
    ]
    assert (projects.serial, projects.total, projects.complete) == (900, 3, True)


async def test_what_others_may_send() -> None:
    """The header may follow the projects; unknown fields, with any nested values, are ignored."""
    document = {
        "new": [[{"name": "no"}], {"projects": [{"name": "no"}]}, 1, None],
        "projects": [
            {"x": {"name": "no", "y": [1]}, "name": "a", "_last-serial": 1, "z": [{}]},
            {"name": "b", "_last-serial": 3, "t": True},
        ],
        "n": None,
        "meta": {"x": {"_last-serial": 5}, **META},
    }
    found, projects = await read(document)
    assert found == [Project("a", "a", 1), Project("b", "b", 3)]
    assert projects.serial == 900


async def test_an_index_without_serials() -> None:
    """Mirrors have only names."""
    found, projects = await read({"projects": [{"name": "a"}, {"name": "b", "_last-serial": 1}]})
    assert found == [Project("a", "a", None), Project("b", "b", 1)]
    assert (projects.serial, projects.complete) == (None, False)


async def test_a_project_that_is_there_twice() -> None:
    """Two spellings are one project; the last change counts."""
    rows = [{"name": n, "_last-serial": s} for n, s in (("a.b", 3), ("A-b", 5), ("a-B", 4))]
    found, _ = await read({"meta": META, "projects": rows})
    assert [(project.key, project.serial) for project in found] == [("a-b", 5)]


WRONG: dict[str, Any] = {
    "nothing": b"",
    "white space": b" \n",
    "null": None,
    "a number": 1,
    "a text": "projects",
    "an array": [],
    "an empty object": {},
    "no projects": {"meta": META},
    "projects: null": {"projects": None},
    "projects: object": {"projects": {"name": "a"}},
    "projects: texts": {"projects": ["a"]},
    "projects: arrays": {"projects": [["a"]]},
    "no name": {"projects": [{"_last-serial": 1}]},
    "name: number": {"projects": [{"name": 1}]},
    "name: object": {"projects": [{"name": {"name": "a"}}]},
    "serial: text": {"projects": [{"name": "a", "_last-serial": "1"}]},
    "serial: negative": {"projects": [{"name": "a", "_last-serial": -1}]},
    "serial: huge": {"projects": [{"name": "a", "_last-serial": 2**63}]},
    "serial: float": {"projects": [{"name": "a", "_last-serial": 1.5}]},
    "meta: array": {"meta": [], "projects": []},
    "meta: null": {"meta": None, "projects": []},
    "meta: serial": {"meta": {"_last-serial": "900"}, "projects": []},
    "another version": {"meta": {"api-version": "2.0"}, "projects": []},
    "version: number": {"meta": {"api-version": 1.4}, "projects": []},
    "more behind": b'{"projects": []} {}',
    "no text": b'{"projects": [{"name": "\xff"}]}',
    "no JSON": b'{"projects": [{"name": a}]}',
    "HTML": b"<!DOCTYPE html><html></html>",
    "deep": b'{"x": ' + b"[" * 100_000,
    "deep in a project": b'{"projects": [{"x": ' + b'{"x":' * 100_000,
}


@pytest.mark.parametrize("document", WRONG.values(), ids=WRONG)
async def test_what_is_no_list(document: Any) -> None:
    """A document that is not a project list is rejected, with the address in the error."""
    with pytest.raises(MalformedMetadata) as caught:
        await read(document)
    assert caught.value.url == URL


names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
listed = st.dictionaries(names, st.integers(0, 2**40), max_size=20)


def written(projects: dict[str, int]) -> bytes:
    """The document of these projects."""
    rows = [{"name": name, "_last-serial": serial} for name, serial in projects.items()]
    return json.dumps({"meta": META, "projects": rows}).encode()


@given(listed)
async def test_everything_is_read(projects: dict[str, int]) -> None:
    """Each project is read once, for any order and spelling."""
    greatest: dict[str, int] = {}
    for name, serial in projects.items():
        key = canonicalize_name(name)
        greatest[key] = max(serial, greatest.get(key, 0))
    found, _ = await read(written(projects))
    assert {project.key: project.serial for project in found} == greatest
    assert len(found) == len(greatest)


@given(listed, st.data())
async def test_half_a_document_is_none(projects: dict[str, int], data: st.DataObject) -> None:
    """A document truncated at any position is an error."""
    body = written(projects)
    with pytest.raises(MalformedMetadata):
        await read(body[: data.draw(st.integers(0, len(body) - 1))])


@given(listed, st.integers(0, 2**40), st.integers(0, 2**40), names)
async def test_changed_projects(
    projects: dict[str, int], base: int, done: int, done_to: str
) -> None:
    """Up to a name the changes after one serial, later those after another."""
    keys = {str(canonicalize_name(name)): serial for name, serial in projects.items()}
    expected = [
        key for key, serial in sorted(keys.items()) if serial > (done if key <= done_to else base)
    ]
    async with open_project_list(io.BytesIO(written(keys)), URL) as found:
        changed: list[Project] = []
        while page := await found.changed(
            changed[-1].key if changed else "", 3, base=base, done=done, done_to=done_to
        ):
            changed += page
    assert [project.key for project in changed] == expected


async def test_a_list_of_several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result does not depend on the size of the batches."""
    monkeypatch.setattr(project_list, "BATCH_SIZE", 3)
    found, projects = await read(written({f"p{n}": n for n in range(10)}))
    assert [project.serial for project in found] == [*range(10)]
    assert projects.total == 10
