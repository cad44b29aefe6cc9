"""Measures the work of a parser as a number that does not depend on the machine's load."""

import gc
import inspect
import sys
from collections.abc import Callable
from typing import Any

SLACK = 60
"""Calls more, of whatever size the text is."""


def calls(parse: Callable[[str], object], text: str) -> int:
    """Count the function calls, including Python's own, while the text is parsed.

    The work inside one regular expression shows only in the test's time-out.
    """
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    gc.disable()  # finalizers of other tests' objects, and Hypothesis' callback, are calls as well
    sys.setprofile(note)
    try:
        parse(text)
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def assert_linear(
    parse: Callable[[str], object], parts: tuple[str, str, str], longest: int
) -> None:
    """Twice as long a text makes twice the work at most.

    Args:
        parse: what is tested.
        parts: how a text begins, what is repeated in it, and how it ends.
        longest: characters of the longer text.
    """
    parse = inspect.unwrap(parse)  # no answer is remembered
    first, unit, last = parts
    times = (longest - len(first) - len(last)) // len(unit)
    assert times > 100
    texts = [first + unit * number + last for number in (times // 2, times)]
    parse(first + unit * 7 + last)  # what is made ready once is no work of these texts
    half, whole = (calls(parse, text) for text in texts)
    assert whole <= 2 * half + SLACK, (half, whole)
    for _ in range(20):
        parse(texts[1])
