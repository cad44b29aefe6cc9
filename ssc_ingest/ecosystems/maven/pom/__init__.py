"""POM files: their model, their parents, and the effective model that requirements come from."""
