"""Changes by the page's forms: what they do, and who is refused."""

import json
from typing import Any

import httpx

from ssc_ingest.control.schedules import ScheduleControl
from ssc_ingest.resources import State
from tests.integration.test_web.conftest import Start, known, token, until
from tests.integration.test_web.test_pages import dead_letter

PASSWORD = {"FLOWER_USER": "ops", "FLOWER_PASSWORD": "geheim-ü"}


def change(visitor: httpx.Client, path: str, fields: dict[str, Any], **headers: str) -> int:
    """Send a form with a valid token; returns the status of the answer."""
    proof = token(known(visitor, "/registries"))
    return visitor.post(path, data={"token": proof, **fields}, headers=headers).status_code


async def test_a_letter_is_replayed(state: State, start: Start) -> None:
    """Its task is back in the queue, the page says so once, and the letter is gone."""
    letter_id = await dead_letter(state, "rich")
    kept = await dead_letter(state, "other")
    with start().client() as visitor:
        proof = token(visitor.get(f"/dead-letters/show/{letter_id}").text)
        answer = visitor.post("/dead-letters/replay", data={"token": proof, "id": letter_id})
        assert answer.status_code == 303
        after = visitor.get(answer.headers["location"]).text
        assert "1 dead letter back in the queues." in after
        assert "1 dead letter back" not in visitor.get(answer.headers["location"]).text
        gone = visitor.post("/dead-letters/replay", data={"token": proof, "id": letter_id})
        assert "there is no dead letter with this id" in visitor.get(gone.headers["location"]).text
    assert await state.queues.lengths(["pypi.urgent"]) == {"pypi.urgent": 1}
    assert [letter.id async for letter in state.dead_letters.all()] == [kept]


async def test_all_of_a_kind_are_replayed_by_control(state: State, start: Start) -> None:
    """However many there are, the form only queues one task with the filter."""
    await dead_letter(state, "rich")
    with start().client() as visitor:
        fields = {"kind": "MalformedMetadata", "ecosystem": "", "run": ""}
        assert change(visitor, "/dead-letters/replay", fields) == 303
        assert change(visitor, "/dead-letters/replay", {"kind": ""}) == 400
    (task,) = (await state.queues.next(["control"])).values()
    assert await state.queues.lengths(["control"]) == {"control": 1}
    assert task.task_id


async def test_a_registry_is_paused_and_resumed(state: State, start: Start) -> None:
    """As by the commands, with the reason."""
    with start().client() as visitor:
        fields = {"name": "npm", "length": "1h", "reason": "<b>incident</b>"}
        assert change(visitor, "/registries/pause", fields) == 303
        hold = await state.limiter.held("npm")
        assert hold is not None
        assert hold.reason == "<b>incident</b>"
        assert hold.until is not None
        until(visitor, "/registries", lambda page: "&lt;b&gt;incident" in page)
        assert change(visitor, "/registries/resume", {"name": "npm"}) == 303
        assert await state.limiter.held("npm") is None
        assert change(visitor, "/registries/pause", {"name": "hex", "length": ""}) == 400
        assert change(visitor, "/registries/pause", {"name": "npm", "length": "9y"}) == 400


async def test_a_run_is_paused_and_resumed(state: State, start: Start) -> None:
    """As by the commands; the page offers what the run's state allows, and nothing else is done."""
    run, _ = await state.run_control().begin("update", "npm")
    with start().client() as visitor:
        page = known(visitor, "/runs")
        assert 'aria-label="Pause the update of npm"' in page
        assert 'action="/runs/resume"' not in page
        assert change(visitor, "/runs/resume", {"id": run.id}) == 409
        answer = visitor.post("/runs/pause", data={"token": token(page), "id": run.id})
        after = visitor.get(answer.headers["location"]).text
        assert "The update of npm is paused; 0 packages in the queues will still be read." in after
        assert (await state.run_control().get(run.id)).state == "paused"
        until(visitor, "/runs", lambda page: 'aria-label="Resume the update of npm"' in page)
        assert change(visitor, "/runs/resume", {"id": run.id}) == 303
        assert (await state.run_control().get(run.id)).state == "running"
        assert change(visitor, "/runs/pause", {"id": "none"}) == 400
        await state.run_control().cancel(run.id, "by hand")
        assert change(visitor, "/runs/pause", {"id": run.id}) == 409
        ended = until(visitor, "/runs", lambda page: "cancelled</span>" in page)
        assert 'action="/runs/' not in ended
    assert await state.queues.lengths(["control"]) == {"control": 2}


async def test_a_schedule_is_switched_and_started(state: State, start: Start) -> None:
    """As by the commands."""
    name = "npm_daily_update"
    with start().client() as visitor:
        proof = token(known(visitor, "/schedules"))
        form = {"token": proof, "name": name}
        assert visitor.post("/schedules/switch", data={**form, "state": "off"}).is_redirect
        assert visitor.post("/schedules/run-now", data=form).is_redirect
        assert visitor.post("/schedules/switch", data={**form, "state": "?"}).status_code == 400
        form["name"] = "none"
        assert visitor.post("/schedules/run-now", data=form).status_code == 400
    standings = await ScheduleControl(state.redis, state.queues, "UTC").standings()
    assert [each.schedule.name for each in standings if each.switched] == [name]
    assert await state.queues.lengths(["control"]) == {"control": 1}


async def test_other_sites_change_nothing(state: State, start: Start) -> None:
    """A form of another site has no token; a browser also says where it comes from."""
    started = start()
    fields = {"name": "npm", "length": "", "reason": "x"}
    path = "/registries/pause"
    with started.client() as visitor, started.client() as other:
        assert visitor.post(path, data=fields).status_code == 403
        proof = token(known(visitor, "/registries"))
        known(other, "/registries")
        assert other.post(path, data={"token": proof, **fields}).status_code == 403
        assert change(visitor, path, fields, Origin="https://evil.example") == 403
        assert change(visitor, path, fields, Origin="null") == 403
        assert change(visitor, path, fields, **{"Sec-Fetch-Site": "cross-site"}) == 403
        assert change(visitor, path, fields, **{"Sec-Fetch-Site": "same-site"}) == 403
        assert visitor.get(path).status_code == 405
        assert await state.limiter.held("npm") is None
        assert change(visitor, path, fields, Origin=started.url) == 303
    assert await state.limiter.held("npm") is not None


async def test_a_password_protects_changes_only(state: State, start: Start) -> None:
    """Reads are open, without forms; a wrong password is as good as none."""
    started = start(**PASSWORD)
    fields = {"name": "npm", "length": "", "reason": "x"}
    await dead_letter(state, "rich")
    run, _ = await state.run_control().begin("update", "npm")
    with started.client() as reader:
        for path in ("/", "/runs", "/dead-letters", "/registries", "/schedules"):
            page = known(reader, path)
            assert 'method="post"' not in page
            assert 'name="token"' not in page
        assert reader.get("/login").status_code == 401
        assert '<a href="/login?page=/dead-letters">' in reader.get("/dead-letters").text
    for wrong in (None, ("ops", "x"), ("admin", "geheim-ü"), ("", "")):
        with started.client(wrong) as stranger:
            answer = stranger.post("/registries/pause", data=fields)
            assert answer.status_code == 401
            assert stranger.post("/runs/pause", data={"id": run.id}).status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic ")
    for header in ("Basic", "Basic !", "Bearer b3BzOng=", "Basic b3BzOng=, Basic b3BzOng="):
        with started.client() as stranger:
            answer = stranger.post(
                "/registries/pause", data=fields, headers={"Authorization": header}
            )
            assert answer.status_code == 401
    assert await state.limiter.held("npm") is None
    assert (await state.run_control().get(run.id)).state == "running"
    with started.client(("ops", "geheim-ü")) as operator:
        letters = "/dead-letters/show/dead-letters/1795933543065-0"
        for page in ("/", "/runs", "/dead-letters", letters):
            assert operator.get("/login", params={"page": page}).headers["location"] == page
        for page in ("//evil.example", "https://evil.example", "/none", "", letters + "\n"):
            assert operator.get("/login", params={"page": page}).headers["location"] == "/"
        assert operator.post("/registries/pause", data=fields).status_code == 403
        assert change(operator, "/registries/pause", fields) == 303
    assert await state.limiter.held("npm") is not None
    assert "geheim" not in started.log
    lines = [line for line in started.log.splitlines() if "web_change" in line]
    refused = [line for line in lines if "web_change_refused" in line]
    assert len(refused) == 12
    assert len(lines) == 13


FORM = "application/x-www-form-urlencoded"

INVALID = [
    (b"token=" + b"a" * 70_000, FORM),
    (b"&".join(b"a=1" for _ in range(2000)), FORM),
    (b"token=%ff%fe", FORM),
    (b"\xff\xfe", FORM),
    (b"token=a&token=b", FORM),
    (b"", FORM),
    (json.dumps({"name": "npm"}).encode(), "application/json"),
    (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    (b"", ""),
]


async def test_forms_that_are_none(state: State, start: Start) -> None:
    """They are refused with a page, whatever they are."""
    with start().client() as visitor:
        for body, kind in INVALID:
            answer = visitor.post("/registries/pause", content=body, headers={"Content-Type": kind})
            assert answer.status_code in {400, 403}, body[:20]
            assert "internal error" not in answer.text
        assert visitor.get("/healthz").status_code == 200
