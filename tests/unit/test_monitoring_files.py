"""The files for Prometheus and Grafana: every expression parses and uses metrics that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from ssc_ingest.ecosystems import ecosystems
from ssc_ingest.metrics import Metrics
from ssc_ingest.work.names import URGENCIES, queue_name, queue_names

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
LISTED = json.loads(Path(__file__).with_name("public_names.json").read_text())["metrics"]


def groups(name: str) -> list[dict[str, Any]]:
    """The groups of a file of rules."""
    return list(yaml.safe_load((PROMETHEUS / name).read_text())["groups"])


def rules(name: str) -> list[dict[str, Any]]:
    """The rules of a file."""
    return [rule for group in groups(name) for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, without the rows."""
    dashboard = json.loads((ROOT / "deploy/grafana/ssc-ingest.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Place and text of every expression."""
    for file in ("recording.rules.yml", "alerts.rules.yml"):
        for rule in rules(file):
            yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$job", "ssc-ingest")


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    """All selectors of metrics in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for attribute in ("expr", "lhs", "rhs", "vector_selector", "args", "param"):
        child = getattr(node, attribute, None)
        for each in child if isinstance(child, list) else [child]:
            if each is not None:
                yield from selectors(each)


def selected() -> Iterator[tuple[str, promql_parser.VectorSelector]]:
    """Place and selector, of all expressions."""
    for place, text in expressions():
        for selector in selectors(promql_parser.parse(text)):
            yield place, selector


def test_every_expression_parses_and_selects_something() -> None:
    """The parser of PromQL accepts every expression; `vector(0)` alone selects nothing."""
    for place, text in expressions():
        assert list(selectors(promql_parser.parse(text))), place


def test_every_metric_exists() -> None:
    """Each is one of the program's, of its process, or recorded by a rule."""
    recorded = {rule["record"] for rule in rules("recording.rules.yml")}
    own = {s.name for family in Metrics().registry.collect() for s in family.samples}
    known = {*LISTED, *own, *recorded}
    for place, selector in selected():
        assert selector.name in known, f"{place}: {selector.name}"


def test_every_label_exists() -> None:
    """A selector by a label that no series has would select nothing, without an error."""
    labels = {
        "queue": set(queue_names(ecosystems())),
        "ending": {"extracted", "present", "missing", "left_over", "failed"},
        "outcome": {"succeeded", "failed", "retried", "returned"},
        "status": {"200", "429", "503"},
        "kind": {"delayed", "refused"},
        "job": {"ssc-ingest"},
        "worker": {"npm@host", "control@host"},
    }
    for place, selector in selected():
        for matcher in selector.matchers.matchers:
            equal = matcher.op == promql_parser.MatchOp.Equal
            pattern = re.escape(matcher.value) if equal else matcher.value
            values = labels[matcher.name]
            assert any(re.fullmatch(pattern, value) for value in values), f"{place}: {matcher}"


def test_bulk_queues_cause_no_alert_by_their_length() -> None:
    """Thousands of waiting messages are normal there; urgent and control work must not wait."""
    by_queue = {
        rule["alert"]: pattern
        for rule in rules("alerts.rules.yml")
        for selector in selectors(promql_parser.parse(rule["expr"]))
        if selector.name == "ssc:queue_oldest_seconds"
        for pattern in [m.value for m in selector.matchers.matchers if m.name == "queue"]
    }
    assert set(by_queue) == {"SscUrgentWorkWaits", "SscControlQueueWaits"}
    for name in ecosystems():
        for urgency in URGENCIES:
            matches = re.fullmatch(by_queue["SscUrgentWorkWaits"], queue_name(name, urgency))
            assert bool(matches) == (urgency == "urgent")


def test_every_alert_is_complete() -> None:
    """Every alert has a delay, a severity and a text; names are unique."""
    alerts = rules("alerts.rules.yml")
    names = [alert["alert"] for alert in alerts]
    assert len(names) == len(set(names))
    for alert in alerts:
        assert re.fullmatch(r"\d+[mhd]", alert["for"]), alert["alert"]
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}
        assert alert["annotations"]["summary"].endswith(".")


def test_every_alert_has_a_remedy() -> None:
    """The alert has the words of its row on the operators' page, which has no other rows."""
    page = (ROOT / "docs/operations.md").read_text()
    table = page.partition("### Alerts")[2].partition("\n#")[0]
    documented = re.findall(r"^\| `(\w+)` \| .*? \| (.*) \|$", table, re.MULTILINE)
    link = re.compile(r"\[([^]]+)\]\([^)]+\)")
    assert [(name, link.sub(r"\1", remedy)) for name, remedy in documented] == [
        (alert["alert"], alert["annotations"]["remedy"]) for alert in rules("alerts.rules.yml")
    ]


def test_names_of_celery_exporter_are_there() -> None:
    """The names exist as gauges of control or as recorded counters."""
    recorded = {rule["record"] for rule in rules("recording.rules.yml")}
    assert {
        "celery_queue_length",
        "celery_active_worker_count",
        "celery_worker_up",
        "celery_worker_tasks_active",
    } <= set(LISTED)
    outcomes = ("started", "succeeded", "failed", "retried", "rejected")
    assert {f"celery_task_{outcome}_total" for outcome in outcomes} <= recorded
    assert "celery_task_runtime_bucket" in recorded


def test_prometheus_finds_every_worker() -> None:
    """The example names every service of compose with metrics, and the files of rules."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    (source,) = config["scrape_configs"][0]["dns_sd_configs"]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    workers = {
        n for n, s in services.items() if "celery -A workers worker" in str(s.get("command"))
    }
    assert set(source["names"]) == workers
    assert source["port"] == 9100
    assert all((PROMETHEUS / name).is_file() for name in config["rule_files"])


def test_compose_starts_prometheus_and_grafana() -> None:
    """From compose to the dashboard: every mounted file exists, and they find each other."""
    services = yaml.safe_load((ROOT / "deploy/compose.monitoring.yml").read_text())["services"]
    assert set(services) == {"prometheus", "grafana"}
    mounts = {}
    for service in services.values():
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"])
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["networks"] == ["securechain"]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        for source, target, *_ in (mount.split(":") for mount in service["volumes"]):
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
                mounts[target] = ROOT / source
    assert "--config.file=/etc/prometheus/prometheus.yml" in services["prometheus"]["command"]
    assert mounts["/etc/prometheus"] == PROMETHEUS
    provisioning = mounts["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["url"], source["isDefault"]) == ("http://prometheus:9090", True)
    (provider,) = yaml.safe_load((provisioning / "dashboards/ssc-ingest.yml").read_text())[
        "providers"
    ]
    dashboard = f"{provider['options']['path']}/ssc-ingest.json"
    assert mounts[dashboard] == ROOT / "deploy/grafana/ssc-ingest.json"
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == dashboard


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_panel_is_usable(panel: dict[str, Any]) -> None:
    """A panel has a place, a data source that the reader chooses, and distinguishable series."""
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    if panel["type"] == "timeseries" and len(panel["targets"]) > 1:
        assert all(target["legendFormat"] for target in panel["targets"])


def test_panels_do_not_overlap() -> None:
    """Grafana would move them."""
    cells = [
        (x, y)
        for panel in panels()
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
