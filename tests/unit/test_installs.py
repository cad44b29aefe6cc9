"""The packages of an installation, by features (Cargo) and extras (PyPI)."""

import json
from typing import Any

import pytest

from ssc_ingest.ecosystems.crates import Crates
from ssc_ingest.ecosystems.declared import declared
from ssc_ingest.ecosystems.npm import Npm
from ssc_ingest.ecosystems.pypi import PyPI
from ssc_ingest.models import Installable, Installed, Purl, RequiredPackage

NO_PARTS: frozenset[str] = frozenset()
DEFAULT = frozenset({"default"})


def required(purl: str, *declarations: dict[str, Any], optional: bool = False) -> RequiredPackage:
    """A requirement in the graph."""
    name = purl.rpartition("/")[2]
    return RequiredPackage(
        label="Package",
        purl=Purl(purl),
        name=name,
        registry_name=name,
        is_stub=True,
        optional=optional,
        declared=declared(declarations) if declarations else None,
    )


def crate(name: str, *declarations: dict[str, Any], optional: bool = False) -> RequiredPackage:
    """A required crate."""
    return required(f"pkg:cargo/{name}", *declarations, optional=optional)


def built(
    features: dict[str, list[str]], crates: list[RequiredPackage], parts: frozenset[str]
) -> dict[str, set[str]]:
    """Selected features by crate."""
    version = Installable(
        requirements=tuple(crates), features=json.dumps(features) if features else None
    )
    return {each.registry_name: set(each.parts) for each in Crates.installs(version, parts)}


@pytest.mark.parametrize(
    ("features", "parts", "taken"),
    [
        ({}, DEFAULT, {}),
        ({}, {"opt"}, {"opt"}),
        ({"default": ["opt"]}, DEFAULT, {"opt"}),
        ({"default": ["opt"]}, NO_PARTS, {}),
        ({"default": ["std"], "std": ["dep:opt"]}, DEFAULT, {"opt"}),
        ({"default": ["opt/fast"]}, DEFAULT, {"opt"}),
        ({"default": ["opt?/fast"]}, DEFAULT, {}),
        ({"default": ["other"], "other": ["default", "dep:opt"]}, DEFAULT, {"opt"}),
        ({"default": ["no-such-feature", "dep:no-such-crate"]}, DEFAULT, {}),
    ],
)
def test_an_optional_crate_is_taken_if_a_selected_feature_enables_it(
    features: dict[str, list[str]], parts: frozenset[str], taken: set[str]
) -> None:
    """All spellings of the feature table work; other crates are skipped, and cycles end."""
    crates = [crate("plain"), crate("opt", optional=True)]
    assert built(features, crates, frozenset(parts)).keys() == {"plain", *taken}


def test_features_of_a_crate_are_those_of_its_enabled_declarations() -> None:
    """A crate has declared features, default ones unless disabled, and those of other features."""
    crates = [
        crate("serde", {"features": ["derive"]}),
        crate("rand", {"default_features": False}, {"kind": "build", "features": ["std"]}),
        crate("log", {"optional": True, "features": ["kv"]}, {"default_features": False}),
        crate("weak", optional=True),
    ]
    features = {"default": ["serde/rc", "weak?/fast"]}
    assert built(features, crates, DEFAULT) == {
        "serde": {"default", "derive", "rc"},
        "rand": {"default", "std"},
        "log": set(),
    }
    assert built({**features, "all": ["weak"]}, crates, DEFAULT | {"all"})["weak"] == {
        "default",
        "fast",
    }


def test_features_name_a_crate_as_the_manifest_does() -> None:
    """A renamed crate is enabled by its name in the manifest."""
    crates = [crate("openssl", {"alias": "tls", "optional": True})]
    assert built({"default": ["dep:tls"]}, crates, DEFAULT) == {"openssl": {"default"}}
    assert built({"default": ["dep:openssl"]}, crates, DEFAULT) == {}


def test_extras_pull_their_requirements_if_they_are_selected() -> None:
    """Markers count for any supported platform; an extra may select another of its project."""
    version = Installable(
        requirements=(
            required("pkg:pypi/plain"),
            required("pkg:pypi/uvicorn", {"extras": ["standard"], "text": ">=1"}),
        ),
        extra_requirements=json.dumps(
            {
                "tls": [
                    "PyOpenSSL>=20; extra == 'tls'",
                    "old; python_version < '3'",
                    "not a line !",
                ],
                "all": ["web[tls]; extra == 'all'", "Plain[fast]"],
            }
        ),
    )

    def pulled(*extras: str) -> set[Installed]:
        return set(PyPI.installs(version, frozenset(extras)))

    plain = Installed(Purl("pkg:pypi/plain"), "plain")
    uvicorn = Installed(Purl("pkg:pypi/uvicorn"), "uvicorn", frozenset({"standard"}))
    openssl = Installed(Purl("pkg:pypi/pyopenssl"), "PyOpenSSL")
    assert pulled() == pulled("unknown") == {plain, uvicorn}
    assert pulled("tls") == {plain, uvicorn, openssl}
    assert pulled("all") == {
        Installed(plain.purl, "plain", frozenset({"fast"})),
        uvicorn,
        Installed(Purl("pkg:pypi/web"), "web", frozenset({"tls"})),
    }


def test_an_installation_without_parts_pulls_all_requirements() -> None:
    """Optional ones are included: npm installs them if possible."""
    version = Installable(
        requirements=(required("pkg:npm/a"), required("pkg:npm/b", optional=True))
    )
    assert [each.registry_name for each in Npm.installs(version, NO_PARTS)] == ["a", "b"]
