"""The dashboard of Grafana and the rules of Prometheus ask for what is exported, by names and labels that exist."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from exported_sweeps import EVERYTHING, parsed

from greenexp.records.exposition_text import CONTENT_TYPE
from greenexp.sources.exposition import exposition

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"
DASHBOARD = json.loads((FOLDER / "grafana" / "greenexp.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((FOLDER / "prometheus" / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PANELS = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
EXPRESSIONS = {**PANELS, **{rule.get("alert") or rule["record"]: rule["expr"] for rule in RULES}}
METRIC = re.compile(r"\b(greenexp_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")
PROMETHEUS = shutil.which("prometheus")


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_names_metrics_and_labels_that_are_exported(name: str) -> None:
    exported = parsed(exposition([EVERYTHING]))
    expression = EXPRESSIONS[name]
    found = METRIC.findall(expression)
    assert found, expression
    labels: set[str] = set()
    for metric, inside in found:
        assert metric in exported, metric
        samples = [dict(sample) for sample in exported[metric].samples]
        labels |= set(samples[0])
        for label, operator, value in MATCHER.findall(inside):
            assert label in samples[0], f"{metric} has no label {label}"
            if operator == "=":
                assert any(sample[label] == value for sample in samples), f"no {metric} has {label} {value}"
    grouped = {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}
    assert grouped <= labels
    for counter in re.findall(r"rate\((greenexp_\w+)", expression):
        assert exported[counter].kind == "counter"


def test_legends_and_annotations_use_labels_that_the_answer_has() -> None:
    exported = parsed(exposition([EVERYTHING]))
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            metric = METRIC.findall(target["expr"])[0][0]
            named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert named <= {label for sample in exported[metric].samples for label, _ in sample}, panel["title"]


def test_the_dashboard_has_the_shape_that_grafana_imports() -> None:
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= set(DASHBOARD)
    assert "id" not in DASHBOARD, "Grafana gives one"
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["type"] for panel in panels} <= {"stat", "timeseries", "bargauge", "table"}
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["sweep"]["type"]) == ("datasource", "query")
    for panel in panels:
        assert panel["description"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert set(re.findall(r"\$(\w+)", json.dumps(panel["targets"]))) <= {"sweep", "__rate_interval"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_panels_lie_beside_each_other() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for cell in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, (panel["title"], taken.get(cell))
            taken[cell] = panel["title"]


def test_every_quantity_that_a_driver_exports_by_itself_is_on_the_dashboard() -> None:
    shown = " ".join(PANELS.values())
    for wanted in ("trials", "reports", "decisions", "budget_used_ratio", "limit_", "best_score", "trial_energy"):
        assert f"greenexp_{wanted}" in shown
    assert "greenexp_mlflow_behind_events" in shown
    assert "greenexp_trials_waiting" in shown


@contextmanager
def exporter() -> Iterator[int]:
    """A port where the exposition is served; its counters grow with every look."""
    looks = itertools.count()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = re.sub(
                r"^(greenexp_\w+_total\{.*\}) (.*)$",
                lambda match: f"{match[1]} {float(match[2]) + more}",
                exposition([EVERYTHING]),
                flags=re.MULTILINE,
            ) if (more := next(looks)) else exposition([EVERYTHING])  # fmt: skip
            self.send_response(200)
            self.send_header("content-type", CONTENT_TYPE)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def prometheus(folder: Path, scraped: int) -> Iterator[int]:
    """A Prometheus with our rules that asks the port every half a second."""
    config = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{scraped}"]}]
    config["rule_files"] = [str(FOLDER / "prometheus" / "rules.yml")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    options = {"config.file": "prometheus.yml", "storage.tsdb.path": "data", "web.listen-address": f"127.0.0.1:{port}"}
    command = [str(PROMETHEUS), *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
        try:
            yield port
        finally:
            process.terminate()


def answer(port: int, expression: str) -> list[Any]:
    """What Prometheus answers to a query; [] while it does not answer at all."""
    query = urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=5) as response:
            found = json.load(response)
    except ConnectionError:
        return []
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{expression}: {error.read().decode()}") from error
    except urllib.error.URLError:
        return []
    assert found["status"] == "success", found
    result: list[Any] = found["data"]["result"]
    return result


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus here")
def test_a_real_prometheus_has_an_answer_for_every_panel(tmp_path: Path) -> None:
    asked = {
        name: expression.replace("$sweep", ".*").replace("$__rate_interval", "1m")
        for name, expression in PANELS.items()
    }
    with exporter() as scraped, prometheus(tmp_path, scraped) as port:
        missing, deadline = set(asked), time.monotonic() + 60
        while missing and time.monotonic() < deadline:
            missing = {name for name in missing if not answer(port, asked[name])}
            time.sleep(0.2)
        assert missing == set(), (tmp_path / "log").read_text()
        assert answer(port, "greenexp_no_such_metric") == [], "what is not there has no answer"
        for rule in RULES:
            assert answer(port, rule["expr"]) or rule["alert"] in {"GreenexpBudgetNearlyUsed", "GreenexpMlflowBehind"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
@pytest.mark.parametrize(("kind", "file"), [("rules", "rules.yml"), ("config", "prometheus.yml")])
def test_promtool_accepts_the_files(kind: str, file: str) -> None:
    done = subprocess.run(
        ["promtool", "check", kind, str(FOLDER / "prometheus" / file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
