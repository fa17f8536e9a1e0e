"""Writes the schemas of a Kubernetes version as kubeconform reads them: schemas.py VERSION DIR.

The package `kubernetes-validate` has them with references that only its own code resolves.
"""

import json
import pathlib
import sys

import kubernetes_validate


def main(version: str, folder: str) -> None:
    package = pathlib.Path(kubernetes_validate.__file__).parent
    source = package / "kubernetes-json-schema" / f"v{version}-local-strict"
    target = pathlib.Path(folder)
    target.mkdir(parents=True)
    for file in source.iterdir():
        schema = json.loads(file.read_text().replace("/api/_definitions.json", "_definitions.json"))
        schema.pop("$id", None)
        (target / file.name).write_text(json.dumps(schema))


if __name__ == "__main__":
    main(*sys.argv[1:])
