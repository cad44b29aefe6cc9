"""The places where POMs have versions of dependencies, and the ways to publish a release."""

PLAIN, PROPERTY, NESTED, MANAGED, PROFILE, SIBLING, EXCLUDING = (
    "plain", "property", "nested", "managed", "profile", "sibling", "excluding",
)  # fmt: skip
"""In the dependency itself, or elsewhere in the POM; with exclusions."""
PARENT_PROPERTY, PARENT_MANAGED, INHERITED = "parent-property", "parent-managed", "inherited"
"""The same, in the parent that the modules of one project share."""
IN_PARENT = frozenset({PARENT_PROPERTY, PARENT_MANAGED, INHERITED})
BOM = "bom"
"""In a bill of materials that the POM imports."""
FROM_MANAGEMENT = frozenset({MANAGED, PARENT_MANAGED, BOM})

TEST, PROVIDED, SYSTEM, OPTIONAL, INACTIVE_PROFILE, PLUGIN, MANAGED_ONLY, MANAGED_TEST = (
    "test", "provided", "system", "optional",
    "inactive-profile", "plugin", "managed-only", "managed-test",
)  # fmt: skip
NO_DEPENDENCIES = (
    TEST, PROVIDED, SYSTEM, OPTIONAL, INACTIVE_PROFILE, PLUGIN, MANAGED_ONLY, MANAGED_TEST,
)  # fmt: skip

ORDINARY, ORPHAN, RELOCATED = "plain", "orphan", "relocated"
"""Releases: ordinary ones, with a parent that is not there, gone to another place."""
