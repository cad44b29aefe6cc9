"""Versions of dependencies in POMs, and the correct constraints in the graph.

Left: the text of ``<version>`` after substitution of properties, empty without one, with several
lines for several declarations of a package. Right: the notation of the graph's readers. https://maven.apache.org/pom.html#Dependency_Version_Requirement_Specification
"""

from tests.simulator.universe import Spelling

ORDINARY = (
    Spelling("{M}.{m}.{p}", "[{M}.{m}.{p}]"),
    Spelling("{M}.{m}.{p}", "[{M}.{m}.{p}]"),
    Spelling("{M}.{m}.{p}", "[{M}.{m}.{p}]"),
    Spelling("{M}.{m}", "[{M}.{m}]"),
    Spelling("{M}.{m}.{p}.Final", "[{M}.{m}.{p}.Final]"),
    Spelling("[{M}.{m},{M1})", "[{M}.{m},{M1})"),
)
RARE = (
    Spelling("{M}.{m}-jre", "[{M}.{m}-jre]"),
    Spelling("{M}.{m}.{p}-beta-2", "[{M}.{m}.{p}-beta-2]"),
    Spelling("{M}.{m}.{p}.RELEASE", "[{M}.{m}.{p}.RELEASE]"),
    # A hard requirement; the graph has soft ones in this form.
    Spelling("[{M}.{m}.{p}]", "[{M}.{m}.{p}]", "[{M}.{m}.{p}]"),
    Spelling("[{M}.{m}.{p},{M1}.0)", "[{M}.{m}.{p},{M1}.0)"),
    Spelling("[{M}.{m},{M}.{m1}]", "[{M}.{m},{M}.{m1}]"),
    Spelling("({M}.{m},{M1})", "({M}.{m},{M1})"),
    Spelling("[{M}.{m},)", "[{M}.{m},)"),
    Spelling("({M}.{m},)", "({M}.{m},)"),
    Spelling("(,{M1}.0]", "(,{M1}.0]"),
    Spelling("(,{M1})", "(,{M1})"),
    Spelling("[ {M}.{m} , {M1} )", "[{M}.{m},{M1})"),
    Spelling("[{M}.{m},{M1}),[{M1}.2,)", "[{M}.{m},{M1}),[{M1}.2,)"),
    Spelling("(,{M}.{m}],[{M1},)", "(,{M}.{m}],[{M1},)"),
    Spelling("[{M}.{m}.{p}],[{M1}.{m}]", "[{M}.{m}.{p}],[{M1}.{m}]"),
    Spelling("(,{M}.{m}),({M}.{m},)", "(,{M}.{m}),({M}.{m},)"),
    Spelling("(,)", "any", "(,)"),
    Spelling("LATEST", "any", "LATEST"),
    Spelling("RELEASE", "any", "RELEASE"),
    # With two classifiers.
    Spelling("{M}.{m}.{p}\n{M1}.{m}", "[{M}.{m}.{p}],[{M1}.{m}]"),
)
UNRESOLVED = (
    Spelling("", "any"),
    Spelling("${{version.that.nobody.set}}", "any", "${{version.that.nobody.set}}"),
    Spelling("${{circle.one}}", "any", "${{circle.one}}"),
)
"""Texts that no property completes."""

SIBLING = (
    Spelling("${{project.version}}", None),
    Spelling("${{pom.version}}", None),
    Spelling("${{version}}", None),
    Spelling("${{revision}}", None),
    Spelling("${{project.version}}${{changelist}}", None),
)
"""Modules released together: the version is that of the release itself."""

NOISE = Spelling("9.9.9", None)
