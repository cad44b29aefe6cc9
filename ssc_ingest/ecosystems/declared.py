"""Declarations of requirements: facts that an edge of the graph cannot express."""

import json
from collections.abc import Iterable, Mapping
from typing import Any


def declared(declarations: Iterable[Mapping[str, Any]]) -> str:
    """The declarations of one requirement as JSON, in the registry's order, for the graph.

    A registry's module calls it if package, constraints, kind and optional do not express
    everything. It then passes every declaration of that package, complete for a resolver. Keys with
    default values are omitted. Equal requirements make equal text.

    ========================  =========================================  ========
    key                       value                                      default
    ========================  =========================================  ========
    ``text``                  the range as the registry spells it        the constraints (Maven:
                                                                         ``[1.2]`` are
                                                                         ``1.2``)
    ``kind``                  ``build`` (Cargo)                          a plain one
    ``optional``              whether it is optional                     ``false``
    ``target``                platform, a Cargo ``cfg`` or triple        every
    ``features``              features that it enables (Cargo)           none
    ``default_features``      whether it enables the default ones        ``true``
    ``alias``                 the name in the manifest (npm, Cargo)      the package's
    ``marker``                environment marker, PEP 508 (PyPI)         none
    ``extras``                extras that it requests (PyPI)             none
    ``scope``                 Maven's scope                              ``compile``
    ``classifier``, ``type``  Maven's                                    none, ``jar``
    ``exclusions``            list of ``group:artifact`` (Maven)         none
    ``managed``               version comes from management (Maven)      ``false``
    ``framework``             target framework; ``any``: all that no     every
                              other group is for (NuGet)
    ``platform``              platform of the build (RubyGems)           every
    ========================  =========================================  ========
    """
    return f"[{','.join(map(_text, declarations))}]"


def declared_beyond(
    edge: Mapping[str, Any], declarations: Iterable[Mapping[str, Any]]
) -> str | None:
    """:func:`declared` of the distinct declarations; ``None`` if the edge says the same.

    Args:
        edge: the edge's own properties as a declaration: ``{"optional": True}``.
        declarations: all of the package, with ``text`` if a range differs from the constraints.
    """
    distinct = dict.fromkeys(map(_text, declarations))
    return None if list(distinct) == [_text(edge)] else f"[{','.join(distinct)}]"


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_DEFAULTS = {"default_features": True, "scope": "compile", "type": "jar"}


def _text(declaration: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in declaration.items() if _says_more(key, value)}
    return _encode(kept) if kept else "{}"


def _says_more(key: str, value: Any) -> bool:
    if key in _DEFAULTS:
        return value is not None and value != _DEFAULTS[key]
    return bool(value)
