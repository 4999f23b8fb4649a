"""The dashboard and the alert rules of docs/ ask for metrics that exist, with labels that these have."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Histogram

from control_plane import telemetry
from control_plane.machine.private_postgres import ROLES

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "docs/grafana/corrente.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "docs/alerts/corrente.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
# Given by Prometheus to every series.
OF_PROMETHEUS = {"instance", "job"}
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
EXPRESSIONS = [*QUERIES, *(rule["expr"] for rule in RULES)]


def series() -> dict[str, set[str]]:
    """Every series that Corrente can show, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in vars(telemetry).values():
        if isinstance(metric, telemetry.LookedUp):
            found[metric.name] = set(metric.labels)
        elif isinstance(metric, Counter):
            found[f"{metric._name}_total"] = set(metric._labelnames)
        elif isinstance(metric, Histogram):
            labels = set(metric._labelnames)
            found |= {f"{metric._name}_bucket": labels | {"le"}, f"{metric._name}_sum": labels}
            found[f"{metric._name}_count"] = labels
    return found


def faults_of(expression: str) -> list[str]:
    """What an expression asks for that there is not."""
    known, faults = series(), []
    named = re.findall(r"\b(corrente_\w+)(?:\{([^}]*)\})?", expression)
    for name, selector in named:
        if name not in known:
            faults.append(f"no series {name}")
            continue
        wanted = set(re.findall(r"(\w+)\s*[=!]", selector))
        faults += [f"{name} has no label {label}" for label in sorted(wanted - known[name] - OF_PROMETHEUS)]
    every = OF_PROMETHEUS.union(*(known.get(name, set()) for name, _ in named))
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        faults += [
            f"nothing here has a label {label}" for label in labels.replace(" ", "").split(",") if label not in every
        ]
    return faults


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_asked_for_exists(expression):
    assert "corrente_" in expression or expression.startswith("up{")
    assert faults_of(expression) == []
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("max(corrente_leaders)", "no series corrente_leaders"),
        ("rate(corrente_login_records[5m])", "no series corrente_login_records"),
        ('corrente_sessions{nas="a"}', "corrente_sessions has no label nas"),
        ("sum by (vendor) (corrente_sessions)", "nothing here has a label vendor"),
        ("histogram_quantile(0.5, sum by (le) (corrente_sessions))", "nothing here has a label le"),
    ],
)
def test_the_check_finds_what_does_not_exist(expression, fault):
    assert faults_of(expression) == [fault]


def test_labels_shown_beside_a_curve_are_kept_by_its_query():
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = re.search(r"^[\w(, 0-9]*?by \(([^)]*)\)", target["expr"])
            kept = set(grouped.group(1).replace(" ", "").split(",")) if grouped else shown
            assert shown <= kept, f"{panel['title']}: {target['expr']}"


def test_every_panel_has_its_place_and_number_and_asks_something():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert all(panel.get("targets") for panel in panels if panel["type"] != "row")


def test_every_alert_has_a_name_of_its_own_a_severity_and_says_what_to_do():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m")), rule["alert"]


def test_no_label_of_ours_is_one_that_prometheus_gives():
    assert all(not labels & OF_PROMETHEUS for labels in series().values())


def test_metrics_named_in_the_manual_exist():
    named = set(re.findall(r"`(corrente_\w+)`", (ROOT / "docs/operations.md").read_text()))
    assert len(named) > 5
    assert named - set(ROLES) <= set(series())


def test_everything_that_is_looked_up_is_shown_by_the_dashboard_or_watched_by_a_rule():
    asked = " ".join(EXPRESSIONS)
    gauges = [metric.name for metric in vars(telemetry).values() if isinstance(metric, telemetry.LookedUp)]
    assert [name for name in gauges if not re.search(rf"\b{name}\b", asked)] == []
