"""POM files: their model, their parents, and the effective model with the requirements."""
