"""Ranges in registrations, and the correct constraints in the graph.

Left: ``range`` in a registration, with a line per target framework if they differ, empty for a
dependency without one. Right: the notation of the graph's readers.
https://learn.microsoft.com/nuget/concepts/package-versioning#version-ranges
"""

from tests.simulator.universe import Spelling

ORDINARY = (
    Spelling("[{M}.{m}.{p}, )", "[{M}.{m}.{p}, )"),
    Spelling("[{M}.{m}.{p}, )", "[{M}.{m}.{p}, )"),
    Spelling("[{M}.{m}.{p}, {M1}.0.0)", "[{M}.{m}.{p}, {M1}.0.0)"),
    Spelling("[{M}.{m}.{p}]", "[{M}.{m}.{p}]"),
    Spelling("(, )", "any"),
)
RARE = (
    Spelling("", "any"),
    Spelling("(, {M1}.0.0]", "(, {M1}.0.0]"),
    Spelling("(, {M1}.0.0)", "(, {M1}.0.0)"),
    Spelling("({M}.{m}.{p}, )", "({M}.{m}.{p}, )"),
    Spelling("({M}.{m}.{p}, {M1}.0.0]", "({M}.{m}.{p}, {M1}.0.0]"),
    Spelling("[{M}.{m}.{p}, {M}.{m}.{p}]", "[{M}.{m}.{p}]"),
    Spelling("[{M}.{m}.{p}-beta.1, )", "[{M}.{m}.{p}-beta.1, )"),
    Spelling("[{M}.{m}.{p}.7, {M1}.0.0)", "[{M}.{m}.{p}.7, {M1}.0.0)"),
    # As authors write them, which NuGet.org mostly tidies up.
    Spelling("{M}.{m}.{p}", "[{M}.{m}.{p}, )"),
    Spelling("{M}.{m}", "[{M}.{m}.0, )"),
    Spelling("[{M}.{m},{M1})", "[{M}.{m}.0, {M1}.0.0)"),
    Spelling("[{M}.{m}.{p}.0, )", "[{M}.{m}.{p}, )"),
    Spelling("[{M}.0{m}.{p}, )", "[{M}.{m}.{p}, )"),
    Spelling("[{M}.{m}.{p}+b1, )", "[{M}.{m}.{p}, )"),
    Spelling("{M}.*", "[{M}.0.0, {M1}.0.0)", "{M}.*"),
    Spelling("{M}.{m}.*", "[{M}.{m}.0, {M}.{m1}.0)", "{M}.{m}.*"),
    Spelling("*", "any", "*"),
    # Ranges of two target frameworks: the smallest interval around both.
    Spelling("[{M}.{m}.{p}, )\n[{M1}.0.0, )", "[{M}.{m}.{p}, )"),
    Spelling("[{M}.{m1}.0]\n[{M}.{m}.{p}]", "[{M}.{m}.{p}, {M}.{m1}.0]"),
    Spelling("[{M}.{m}.{p}, {M1}.0.0)\n[{M1}.2.0, )", "[{M}.{m}.{p}, )"),
    Spelling("[{M}.{m}.{p}, {M1}.0.0)\n(, {M}.{m1}.0]", "(, {M1}.0.0)"),
    Spelling("[{M}.{m}.{p}, )\n(, )", "any"),
    Spelling("[{M}.{m}.{p}, )\n", "any"),
)
