"""Looks whether the deployment names only what is there: metrics, settings, versions, runbook sections, tests of alerts."""

import json
import pathlib
import re
import tomllib

import yaml

import source
from source import ROOT

CHART = ROOT / "deploy/helm/cortex"
RULES = CHART / "files/rules/cortex.yaml"
TESTS = ROOT / "deploy/prometheus/tests/cortex.yaml"
DASHBOARDS = CHART / "files/dashboards"
RUNBOOK = ROOT / "docs/operate.md"
PROTO = ROOT / "proto/cortex"

#: Where a metric or a variable may be named.
NAMING = [
    ROOT / "docker-compose.yml",
    RUNBOOK,
    *(ROOT / "deploy").glob("**/*.yaml"),
    *(ROOT / "deploy").glob("**/*.yml"),
    *(ROOT / "deploy").glob("**/*.tpl"),
    *(ROOT / "deploy").glob("**/*.json"),
    *(ROOT / "deploy").glob("**/*.md"),
    *(ROOT / "deploy").glob("**/*.txt"),
    *(ROOT / "deploy/image").iterdir(),
    *(ROOT / "deploy/compose").iterdir(),
    ROOT / "deploy/Dockerfile",
]


def names_faults() -> list[str]:
    faults = []
    contracts = "".join(path.read_text() for path in PROTO.glob("**/*.proto"))
    for path in NAMING:
        text, where = path.read_text(), path.relative_to(ROOT)
        for name in sorted(set(re.findall(r"\bcortex_[a-z0-9_]+", text))):
            if not source.is_metric(name):
                faults.append(f"{where}: no code emits the metric {name}")
        for name in sorted(set(re.findall(r"\bCORTEX_[A-Z0-9_]+", text))):
            # Compose's own, which choose what it runs.
            if name != "CORTEX_IMAGE" and not source.is_variable(name):
                faults.append(f"{where}: {name} is no setting")
        for name in sorted(set(re.findall(r"\b(?:OUTCOME|SOURCE_STATE)_[A-Z_]+", text))):
            if not re.search(rf"\b{name}\b", contracts):
                faults.append(f"{where}: no contract has {name}")
    return faults


def alert_faults() -> list[str]:
    rules = yaml.safe_load(RULES.read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    sections = set(re.findall(r"^### (Cortex\w+)$", RUNBOOK.read_text(), re.MULTILINE))
    tested = {
        one["alertname"]
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for one in test["alert_rule_test"]
        if one["exp_alerts"]
    }
    faults = []
    for alert in alerts:
        name, notes = alert["alert"], alert.get("annotations", {})
        if notes.get("runbook") != f"docs/operate.md#{name.lower()}":
            faults.append(f"alert {name}: its runbook is {notes.get('runbook')!r}, not docs/operate.md#{name.lower()}")
        if name not in sections:
            faults.append(f"alert {name}: docs/operate.md has no section ### {name}")
        if name not in tested:
            faults.append(f"alert {name}: no test of deploy/prometheus/tests sees it fire")
        if not notes.get("summary") or not notes.get("description") or "severity" not in alert.get("labels", {}):
            faults.append(f"alert {name}: it lacks a summary, a description or a severity")
    faults += [f"docs/operate.md: there is no alert {name}" for name in sorted(sections - {one["alert"] for one in alerts})]
    return faults


def dashboard_faults(path: pathlib.Path) -> list[str]:
    board, where = json.loads(path.read_text()), path.relative_to(ROOT)
    panels = board["panels"]
    faults = [f"{where}: it has no {key}" for key in ("uid", "title", "schemaVersion") if not board.get(key)]
    if len({panel["id"] for panel in panels}) != len(panels):
        faults.append(f"{where}: two panels have one id")
    for panel in panels:
        if panel["type"] != "row" and not all(target.get("expr") for target in panel["targets"]):
            faults.append(f"{where}: panel {panel['title']!r} asks nothing")
        if panel["type"] != "row" and panel["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
            faults.append(f"{where}: panel {panel['title']!r} does not ask the chosen Prometheus")
    return faults


def version_faults() -> list[str]:
    faults, version = [], source.version()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    for key in ("version", "appVersion"):
        if str(chart[key]) != version:
            faults.append(f"Chart.yaml: {key} is {chart[key]}, the workspace's version {version}")
    # `cortex --version` is that of its crate.
    for manifest in sorted(ROOT.glob("crates/*/Cargo.toml")):
        if tomllib.loads(manifest.read_text())["package"].get("version") != {"workspace": True}:
            faults.append(f"{manifest.relative_to(ROOT)}: its version is not the workspace's")
    newest = re.search(r"^## \[?([0-9][^] ]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if not newest or newest.group(1) != version:
        faults.append(f"CHANGELOG.md: the newest entry is not of {version}")
    for tag in re.findall(r"REGISTRY/cortex:([\w.-]+)", (ROOT / "deploy/README.md").read_text()):
        if tag != version:
            faults.append(f"deploy/README.md: it makes an image {tag}, the workspace's version is {version}")
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    if f"ARG VERSION={version}\n" not in dockerfile:
        faults.append(f"deploy/Dockerfile: VERSION is not the workspace's {version}")
    images = re.findall(r"^ARG \w+_IMAGE=(.+)$", dockerfile, re.MULTILINE)
    faults += [f"deploy/Dockerfile: {one} has no digest" for one in images if not re.search(r":[^@]+@sha256:[0-9a-f]{64}$", one)]
    rust = re.search(r"rust:(\d+)\.(\d+)", dockerfile)
    needed = tuple(map(int, source.rust_version().split(".")[:2]))
    if not rust or tuple(map(int, rust.groups())) < needed:
        faults.append(f"deploy/Dockerfile: the workspace needs Rust {source.rust_version()}")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name, service in compose["services"].items():
        if not re.search(r"[:@][\w.-]*\d|\$\{CORTEX_IMAGE", service["image"]):
            faults.append(f"docker-compose.yml: {name}'s image {service['image']} is not pinned")
    return faults


def settings_faults() -> list[str]:
    """Those that the schema keeps for the chart must still be settings, or it would refuse nothing."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    kept = schema["definitions"]["settings"]["propertyNames"]["not"]["anyOf"][0]["enum"]
    return [f"values.schema.json: {name} is no setting" for name in kept if name not in source.settings()]


def main() -> None:
    faults = names_faults() + alert_faults() + version_faults() + settings_faults()
    for path in sorted(DASHBOARDS.glob("*.json")):
        faults += dashboard_faults(path)
    source.end(faults, f"{len(source.metrics())} metrics, {len(source.settings())} settings, alerts, dashboards, versions")


if __name__ == "__main__":
    main()
