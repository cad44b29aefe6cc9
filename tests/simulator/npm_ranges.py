"""npm's ranges by publishers, and the correct constraints in the graph.

https://docs.npmjs.com/cli/configuring-npm/package-json#dependencies
"""

from tests.simulator.universe import Spelling

# (range in package.json, what the graph holds). The left side is node-semver's grammar and
# npm's kinds of package specification; the right side what the graph's readers understand.
ORDINARY = (
    Spelling("^{M}.{m}.{p}", "^{M}.{m}.{p}"),
    Spelling("^{M}.{m}.{p}", "^{M}.{m}.{p}"),
    Spelling("~{M}.{m}.{p}", "~{M}.{m}.{p}"),
    Spelling(">={M}.{m}.{p}", ">={M}.{m}.{p}"),
    Spelling("^{M}.{m}", "^{M}.{m}"),
    Spelling("*", "any"),
)
RARE = (
    Spelling("^{M}", "^{M}"),
    Spelling("~{M}.{m}", "~{M}.{m}"),
    Spelling("~{M}", "~{M}"),
    Spelling("{M}.x", "{M}.x"),
    Spelling("{M}.{m}.x", "{M}.{m}.x"),
    Spelling("={M}.{m}.{p}", "={M}.{m}.{p}"),
    Spelling(">={M}.{m}.{p} <{M1}.0.0", ">={M}.{m}.{p} <{M1}.0.0"),
    Spelling("<{M1}.0.0", "<{M1}.0.0"),
    Spelling("{M}.{m}.{p} - {M1}.2.3", "{M}.{m}.{p} - {M1}.2.3"),
    Spelling("^{M}.{m}.{p} || ^{M1}.0.0", "^{M}.{m}.{p} || ^{M1}.0.0"),
    Spelling("^0.{m1}.{p}", "^0.{m1}.{p}"),
    # Partial versions, which the readers would take for exact ones or not at all.
    Spelling("{M}", ">={M}.0.0 <{M1}.0.0"),
    Spelling("{M}.{m}", ">={M}.{m}.0 <{M}.{m1}.0"),
    Spelling("{M}.{m}.*", ">={M}.{m}.0 <{M}.{m1}.0"),
    Spelling("^0", ">=0.0.0 <1.0.0"),
    Spelling("^0.x", ">=0.0.0 <1.0.0"),
    Spelling("^0.0", ">=0.0.0 <0.1.0"),
    Spelling(">{M}", ">={M1}.0.0"),
    Spelling("<={M}.{m}", "<{M}.{m1}.0"),
    Spelling(">={M}.{m}.x", ">={M}.{m}.0"),
    Spelling("^{M}.{m}.{p} <{M}.{m1}.5", ">={M}.{m}.{p} <{M}.{m1}.5"),
    # Whatever is no range selects no versions that we could name.
    Spelling("", "any"),
    Spelling("x", "any"),
    *(
        Spelling(wire, "any", wire)
        for wire in (
            "latest",
            "next",
            "https://example.org/archive/{M}.{m}.tgz",
            "git+ssh://git@github.com/acme/project.git#v{M}.{m}",
            "git+https://github.com/acme/project.git#semver:^{M}.{m}",
            "github:acme/project",
            "acme/project#feature",
            "file:../project",
            "workspace:*",
        )
    ),
    # Prereleases of both bounds, and of no release in between.
    Spelling(
        "^{M}.{m}.{p}-beta.1 || >={M1}.0.0-rc.1 <{M1}.1.0",
        ">={M}.{m}.{p}-beta.1 <{M1}.1.0",
        "^{M}.{m}.{p}-beta.1 || >={M1}.0.0-rc.1 <{M1}.1.0",
    ),
    # Another name in the code than in the registry.
    Spelling("npm:{n}@^{M}.{m}.{p}", "^{M}.{m}.{p}"),
    Spelling("npm:{n}@{M}.{m}.x", "{M}.{m}.x"),
    Spelling("npm:{n}", "any"),
)
