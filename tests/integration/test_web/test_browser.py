"""The pages in a real browser: widths, colours, keyboard, refreshing."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ssc_ingest.monitoring.heartbeats import Worker, beat
from ssc_ingest.resources import State
from tests.integration.test_web.chromium import Tab, browser, problems, program
from tests.integration.test_web.conftest import Start, known
from tests.integration.test_web.test_pages import HOSTILE, PAGES, dead_letter

PALE = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (each) => {
    for (; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const each of document.body.querySelectorAll("*")) {
    const own = [...each.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !each.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(each).color)), light(ground(each))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push([each.tagName, each.textContent.slice(0, 40), contrast]);
  }
  return found;
})()
"""
"""Texts with less contrast than WCAG 2.2 demands (1.4.3, level AA)."""


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    """A page of the browser."""
    async with browser(tmp_path / "profile", program()) as tab:
        yield tab


async def fill(state: State) -> None:
    """A worker and dead letters, with hostile and with long names."""
    worker = Worker(
        hostname=f"worker-{'long' * 20}@host",
        pid=7,
        queues=("pypi.urgent", "npm.urgent"),
        concurrency=4,
        started_at=1e9,
    )
    await beat(state.redis, worker, running=2)
    await dead_letter(state, HOSTILE.encode("utf-8", "replace").decode())
    await dead_letter(state, "x" * 300)


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_fit_and_are_legible(
    state: State, start: Start, tab: Tab, width: int, scheme: str
) -> None:
    """No page is wider than the window, no text is pale, the browser has no complaint."""
    await fill(state)
    started = start()
    with started.client() as visitor:
        known(visitor)
    url = started.url
    await tab.look(width=width, dark=scheme == "dark")
    for path in PAGES:
        await tab.open(url + path)
        assert await tab.run("document.documentElement.scrollWidth") <= width, path
        assert await tab.run(PALE) == [], path
        assert await tab.run("document.querySelectorAll('script').length") == 1
    assert problems(tab.events) == []


async def test_a_letter_is_replayed_by_keyboard(state: State, start: Start, tab: Tab) -> None:
    """Tab, space and Enter are enough; what has the focus is visible."""
    await dead_letter(state, "rich")
    await tab.look(width=1280)
    await tab.open(start().url + "/dead-letters")
    await tab.press("Tab")
    assert await tab.run("document.activeElement.textContent") == "Skip to the content"
    await tab.press("Enter", text="\r")
    await tab.wait_for("document.activeElement.id === 'content'")
    seen = []
    while (kind := await tab.run("document.activeElement.type || ''")) != "checkbox":
        await tab.press("Tab")
        seen.append(await tab.run("getComputedStyle(document.activeElement).outlineStyle"))
        assert len(seen) < 30, kind
    assert set(seen) == {"solid"}
    await tab.press(" ", text=" ")
    assert await tab.run("document.activeElement.checked")
    while await tab.run("document.activeElement.textContent") != "Replay the selected ones":
        await tab.press("Tab")
    await tab.press("Enter", text="\r")
    await tab.wait_for("document.querySelector('.notice')")
    assert await tab.run("document.querySelector('.notice').textContent") == (
        "1 dead letter back in the queues."
    )
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}
    assert problems(tab.events) == []


async def test_the_page_refreshes_itself(state: State, start: Start, tab: Tab) -> None:
    """A change in Redis appears without a reload; a server that is gone is said."""
    started = start()
    await tab.open(started.url)
    await tab.run("window.same = true")
    letters = "document.getElementById('letters').textContent"
    await tab.wait_for(f"{letters}.includes('0 dead letters')")
    await dead_letter(state, "rich")
    await tab.wait_for(f"{letters}.includes('1 dead letter.')")
    assert await tab.run("window.same")
    assert problems(tab.events) == []
    started.stop()
    await tab.wait_for("document.body.classList.contains('old')")
    assert "The figures are old" in await tab.run(
        "document.getElementById('refreshing').textContent"
    )
