"""Messages of other services: every form that producers write, and what real manifests put in."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.errors import InvalidMessage
from ssc_ingest.on_demand.stream.messages import MAX_DATA, decode, job_id
from ssc_ingest.on_demand.stream.names import stream_names
from ssc_ingest.work.arguments import ExtractPackage

STREAM, ENTRY = "package-extraction", "1700000000000-7"
PARENT = "4:2b6f8d80-6a6e-4a0b-9d5c-0d2f3a1b4c5d:17"


def message(**fields: Any) -> dict[str, Any]:
    """What both generations of producers write of a PyPI package, and the fields given."""
    return {
        "node_type": "PyPIPackage",
        "package": "requests",
        "vendor": "n/a",
        "repository_url": "n/a",
        "constraints": ">= 2.0",
        "parent_id": PARENT,
        "parent_version": None,
        "refresh": False,
        "moment": "2025-11-18T10:00:00.123456",
        **fields,
    }


def read(content: Any) -> ExtractPackage:
    """The request of a message, given as JSON's value, as text or as bytes."""
    data = content if isinstance(content, (str, bytes)) else json.dumps(content)
    return decode(STREAM, ENTRY, data if isinstance(data, bytes) else data.encode())[1]


def refusal(content: Any) -> InvalidMessage:
    """Why a message is refused."""
    with pytest.raises(InvalidMessage) as refused:
        read(content)
    return refused.value


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"repository_url": None},
        {"repository_url": ""},
        {"repository_url": "https://github.com/psf/requests"},
        {"repository_url": "some text"},
        {"vendor": None},
        {"moment": None},
        {"moment": "yesterday"},
        {"parent_version": "2.31.0"},
        {"colour": "blue"},
        {"package": "  requests "},
        {"node_type": " PyPIPackage\n"},
        {"refresh": None},
    ],
)
def test_all_forms_of_both_generations_are_one_request(fields: dict[str, Any]) -> None:
    """Hints and unknown keys change nothing; texts are stripped."""
    request = read(message(**fields))
    assert (request.ecosystem, request.name) == ("pypi", "requests")
    assert (request.parent_id, request.constraints) == (PARENT, ">= 2.0")
    assert (request.dependencies, request.refresh) == ("all", False)
    assert request.job_id == job_id(STREAM, ENTRY) == "package-extraction-1700000000000-7"


def test_two_keys_are_enough() -> None:
    """Everything but type and package may be absent."""
    request = read({"node_type": "CargoPackage", "package": "Serde_JSON"})
    assert (request.ecosystem, request.name, request.parent_id) == ("cargo", "Serde_JSON", None)


@pytest.mark.parametrize("constraints", [None, "", "  "])
def test_no_constraints_are_none(constraints: str | None) -> None:
    """The edge then gets ``any``, where it is written."""
    assert read(message(constraints=constraints)).constraints is None


def test_the_raw_message_travels_along() -> None:
    """The raw message is unchanged, and has its stream and its entry."""
    text = json.dumps(message(), indent=3)
    origin = read(text).origin
    assert origin is not None
    assert (origin.stream, origin.entry, origin.data) == (STREAM, ENTRY, text)


def test_refresh_is_honoured() -> None:
    """The package is read again even if it is fresh."""
    assert read(message(refresh=True)).refresh is True


@pytest.mark.parametrize("label", [cls.identity.label for cls in ecosystems().values()])
def test_every_label_leads_to_its_registry(label: str) -> None:
    """The table of the ecosystems determines the registry of each label."""
    name = "org.slf4j:slf4j-api" if label == "MavenPackage" else "abc"
    assert (
        label == ecosystems()[read(message(node_type=label, package=name)).ecosystem].identity.label
    )


@pytest.mark.parametrize(
    ("label", "package", "purl"),
    [
        ("NuGetPackage", "Newtonsoft.Json", "pkg:nuget/newtonsoft.json"),
        ("PyPIPackage", "typing_extensions", "pkg:pypi/typing-extensions"),
        ("PyPIPackage", "typing-extensions", "pkg:pypi/typing-extensions"),
        ("MavenPackage", "com.Foo:Bar", "pkg:maven/com.Foo/Bar"),
        ("NPMPackage", "@types/node", "pkg:npm/%40types/node"),
    ],
)
def test_the_manifests_case_is_one_package(label: str, package: str, purl: str) -> None:
    """Names are normalised as the registry does it."""
    data = json.dumps(message(node_type=label, package=package)).encode()
    assert decode(STREAM, ENTRY, data)[0].purl == purl


@pytest.mark.parametrize(
    ("constraints", "name", "range_"),
    [
        ("npm:lodash@^4", "lodash", "^4"),
        ("npm:lodash", "lodash", None),
        ("npm:@scope/real@1.2.3", "@scope/real", "1.2.3"),
        ("npm:^1.2.3", "alias", "^1.2.3"),
    ],
)
def test_an_alias_leads_to_the_real_package(
    constraints: str, name: str, range_: str | None
) -> None:
    """The edge has the range behind the real name, because readers cannot evaluate the rest."""
    request = read(message(node_type="NPMPackage", package="alias", constraints=constraints))
    assert (request.name, request.constraints) == (name, range_)


GARBAGE: list[tuple[dict[str, Any], str]] = [
    ({"package": ""}, "the name is empty"),
    ({"package": "   "}, "the name is empty"),
    ({"package": "-rbase.txt"}, "'-rbase.txt' is an option of an installer"),
    ({"package": "-e."}, "'-e.' is an option of an installer"),
    ({"package": "git+https://github.com/psf/requests"}, "is an address or a path"),
    ({"package": "./local"}, "is an address or a path"),
    (
        {"node_type": "MavenPackage", "package": "${project.groupId}:mod"},
        "contains a property that was not resolved",
    ),
    ({"node_type": "MavenPackage", "package": "com.Foo :Bar"}, "cannot be a Maven package"),
    ({"node_type": "MavenPackage", "package": "junit"}, "expected group:artifact"),
    ({"node_type": "MavenPackage", "package": "a:b:1.0"}, "cannot be a Maven package"),
    ({"node_type": "NPMPackage", "constraints": "file:../x"}, "does not come from the registry"),
    ({"node_type": "NPMPackage", "constraints": "workspace:*"}, "(workspace)"),
    ({"node_type": "NPMPackage", "constraints": "owner/name#main"}, "GitHub repository owner/name"),
    ({"node_type": "CargoPackage", "constraints": "git+ssh://host/x"}, "(git+ssh)"),
    ({"package": "a\x00b"}, "not a PyPI name"),
    ({"package": "../../etc/passwd"}, "is an address or a path"),
    ({"package": "a" * 5000}, "at most 255 characters"),
    ({"package": None}, "package: Input should be a valid string"),
    ({"package": ["requests"]}, "package: Input should be a valid string"),
    ({"node_type": 7}, "node_type: Input should be a valid string"),
    ({"refresh": "perhaps"}, "refresh: Input should be a valid boolean"),
    ({"constraints": {"a": 1}}, "constraints: Input should be a valid string"),
    ({"constraints": "x" * 9000}, "constraints: String should have at most 8192 characters"),
    ({"constraints": "\ud800"}, "constraints: Input should be a valid string"),
    ({"parent_id": 17}, "parent_id: Input should be a valid string"),
]


@pytest.mark.parametrize(("fields", "reason"), GARBAGE)
def test_garbage_is_refused_with_its_reason(fields: dict[str, Any], reason: str) -> None:
    """The text has the reason, in the form that operators know."""
    error = refusal(message(**fields))
    assert str(error).startswith("Validation error: ")
    assert reason in str(error)
    assert error.counter == "validation_errors"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("not JSON", "JSON decode error: "),
        ("", "JSON decode error: "),
        (b"\xff\xfe{}", "JSON decode error: the message is not UTF-8"),
        ("[" * 60_000, "JSON decode error: "),
        ("1" * 5_000, "JSON decode error: "),
        ("[1]", "Validation error: an object was expected, not a list"),
        ("null", "Validation error: an object was expected, not null"),
        ('{"package": "x"}', "Validation error: node_type: Field required"),
        ('{"node_type": "PyPIPackage"}', "Validation error: package: Field required"),
        ("x" * (MAX_DATA + 1), "Validation error: the message has 65537 bytes"),
    ],
)
def test_what_is_no_message_is_refused(data: str | bytes, reason: str) -> None:
    """Texts that are no messages are refused, also those that would take the reader down."""
    assert str(refusal(data)).startswith(reason)


def test_an_entry_without_data_is_refused() -> None:
    """The refusal of an entry without data names the missing field."""
    with pytest.raises(InvalidMessage, match="the entry has no field 'data'"):
        decode(STREAM, ENTRY, None)


@pytest.mark.parametrize("label", ["GoPackage", "pypi", "", "x" * 500])
def test_an_unknown_type_is_refused(label: str) -> None:
    """An unknown type is counted on its own, and the text names the supported ones."""
    error = refusal(message(node_type=label))
    assert str(error).startswith(f"Unsupported node_type: '{label[:100]}")
    assert "PyPIPackage" in str(error)
    assert error.counter == "unsupported_types"
    assert len(str(error)) < 400


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
LABELS = st.sampled_from([cls.identity.label for cls in ecosystems().values()])
CONTENTS = JSON_VALUES | st.fixed_dictionaries(
    {"node_type": LABELS | JSON_VALUES, "package": st.text() | JSON_VALUES},
    optional=dict.fromkeys(("constraints", "parent_id", "refresh", "vendor"), JSON_VALUES),
)


@settings(deadline=None)
@given(st.binary(max_size=300) | CONTENTS.map(lambda content: json.dumps(content).encode()))
def test_anything_is_a_request_or_a_reason(data: bytes) -> None:
    """No other error, and what is accepted can be sent to every store."""
    with suppress(InvalidMessage):
        _, request = decode(STREAM, ENTRY, data)
        json.dumps(request.keywords()).encode()
        (request.name + (request.constraints or "")).encode()


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("package-extraction", ["package-extraction", "package_extraction"]),
        ("package_extraction", ["package_extraction", "package-extraction"]),
        ("other_jobs", ["other_jobs", "other-jobs"]),
        ("jobs", ["jobs"]),
    ],
)
def test_each_stream_has_its_twin(name: str, names: list[str]) -> None:
    """The name of the setting comes first."""
    assert stream_names(name) == names
