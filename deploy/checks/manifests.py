"""Looks at rendered manifests for what no schema says: manifests.py CUSTOM.mts MANIFESTS...

Every role has what it needs to be run safely, nothing secret is rendered, and every setting is one that the code knows.
The operators' objects are written as TypeScript, so that the compiler refuses fields which their types do not have and
their own validators see the values.
"""

import json
import pathlib
import sys
import tomllib

import yaml

import source

#: Kind of an operator's object: the package and path that have its type.
CUSTOM = {
    "ScaledObject": "@kubernetes-models/keda/keda.sh/v1alpha1",
    "TriggerAuthentication": "@kubernetes-models/keda/keda.sh/v1alpha1",
    "ServiceMonitor": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
    "PrometheusRule": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
}


def component(labels: dict) -> str:
    return labels["app.kubernetes.io/component"]


def container_faults(kind: str, container: dict) -> list[str]:
    faults = []
    security = container.get("securityContext", {})
    if not security.get("readOnlyRootFilesystem"):
        faults.append("its root file system can be written to")
    if security.get("allowPrivilegeEscalation") is not False or security.get("capabilities") != {"drop": ["ALL"]}:
        faults.append("it may gain privileges")
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}) or "cpu" not in resources.get("requests", {}):
        faults.append("it has no memory limit or no CPU request")
    if kind != "Job":
        probes = {name: container.get(name, {}).get("httpGet", {}).get("path") for name in ("readinessProbe", "livenessProbe")}
        if probes != {"readinessProbe": "/readyz", "livenessProbe": "/healthz"}:
            faults.append(f"its probes are {probes}")
    for variable in container.get("env", []):
        if "value" in variable and variable["name"].split("_")[-1] in ("TOKEN", "KEY", "URL", "PROPERTIES") and variable["name"] != "CORTEX_REGISTRY_URL":
            faults.append(f"{variable['name']} is a value rather than a reference")
        if variable["name"].startswith("CORTEX_") and not source.is_variable(variable["name"]):
            faults.append(f"{variable['name']} is no setting")
    return faults


def workload_faults(document: dict, guards: dict[str, set[str]]) -> list[str]:
    kind, template = document["kind"], document["spec"]["template"]
    pod, role = template["spec"], component(template["metadata"]["labels"])
    faults = []
    if not pod.get("securityContext", {}).get("runAsNonRoot"):
        faults.append("it may run as root")
    if pod.get("automountServiceAccountToken") is not False:
        faults.append("it is given a token of the API")
    needed = ["NetworkPolicy"] if kind == "Job" else ["NetworkPolicy", "PodDisruptionBudget", "Service"]
    faults += [f"it has no {guard}" for guard in needed if role not in guards[guard]]
    if kind != "Job" and len(pod.get("topologySpreadConstraints", [])) != 2:
        faults.append("it is not spread over zones and nodes")
    for container in pod["containers"]:
        faults += container_faults(kind, container)
    return faults


def settings_faults(document: dict) -> list[str]:
    text = document.get("data", {}).get("cortex.toml")
    if text is None:
        return []
    try:
        names = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [f"cortex.toml is no TOML: {error}"]
    return [f"{name} is no setting" for name in names if name not in source.settings()]


def guarded(documents: list[dict]) -> dict[str, set[str]]:
    """The roles that an object of each of these kinds selects."""
    guards: dict[str, set[str]] = {"NetworkPolicy": set(), "PodDisruptionBudget": set(), "Service": set()}
    for document in documents:
        spec = document.get("spec", {})
        selector = {
            "NetworkPolicy": lambda: spec["podSelector"]["matchLabels"],
            "PodDisruptionBudget": lambda: spec["selector"]["matchLabels"],
            "Service": lambda: spec["selector"],
        }.get(document["kind"])
        if selector:
            guards[document["kind"]].add(component(selector()))
    return guards


def main(custom_path: str, paths: list[str]) -> None:
    faults, custom = [], []
    for path in paths:
        documents = [one for one in yaml.safe_load_all(pathlib.Path(path).read_text()) if one]
        guards = guarded(documents)
        for document in documents:
            kind = document["kind"]
            found = settings_faults(document) if kind == "ConfigMap" else []
            if kind in ("Deployment", "StatefulSet", "Job"):
                found = workload_faults(document, guards)
            if kind == "Secret":
                found = ["a Secret is rendered; secrets are references"]
            if kind in CUSTOM:
                custom.append(document)
            faults += [f"{pathlib.Path(path).name}: {kind} {document['metadata']['name']}: {fault}" for fault in found]
    if seen := CUSTOM.keys() - {one["kind"] for one in custom}:
        faults.append(f"no value set renders {', '.join(sorted(seen))}")
    lines = [f"import {{ {kind}, type I{kind} }} from '{package}';" for kind, package in CUSTOM.items()]
    for number, one in enumerate(custom):
        lines.append(f"const object{number}: I{one['kind']} = {json.dumps(one)};")
        lines.append(f"new {one['kind']}(object{number}).validate();")
    pathlib.Path(custom_path).write_text("\n".join(lines) + "\n")
    source.end(faults, f"{len(custom)} operators' objects, roles, secrets and settings of {len(paths)} value sets")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
