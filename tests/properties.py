"""How many examples Hypothesis tries of a property."""

from hypothesis import settings


def examples(times: float) -> settings:
    """So many times the examples of the profile, but at least five: ``@examples(4)``.

    A property needs more than others if its inputs have many parts, fewer if it is slow.
    """
    assert settings.default is not None
    return settings(max_examples=max(5, round(times * settings.default.max_examples)))
