"""The Kubernetes manifest: by its schema, and what its shell makes of TF_CONFIG."""

import copy
import json
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

MANIFEST = Path(__file__).parent.parent / "configs" / "deploy" / "train_job.yaml"


@pytest.fixture
def documents() -> dict[str, dict]:
    return {d["kind"]: d for d in yaml.safe_load_all(MANIFEST.read_text())}


def validate(document: dict) -> None:
    kubernetes_validate.validate(document, "1.37", strict=True)


def test_the_manifest_follows_the_schemas(documents):
    assert set(documents) == {"Service", "PersistentVolumeClaim", "Job"}
    for document in documents.values():
        validate(document)
    wrong = copy.deepcopy(documents["Job"])
    wrong["spec"]["completionModes"] = "Indexed"
    with pytest.raises(kubernetes_validate.ValidationError, match="completionModes"):
        validate(wrong)


def test_its_parts_name_each_other(documents):
    job, service = documents["Job"], documents["Service"]
    name, pod = job["metadata"]["name"], job["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert service["metadata"]["name"] == pod["subdomain"] == name
    assert service["spec"]["selector"] == {"job-name": name}
    claim = pod["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert claim == documents["PersistentVolumeClaim"]["metadata"]["name"]
    assert container["volumeMounts"][0]["name"] == pod["volumes"][0]["name"]
    workers = int(next(e["value"] for e in container["env"] if e["name"] == "WORKERS"))
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == workers == 2


@pytest.mark.parametrize("index", [0, 1])
def test_the_shell_writes_tf_config_of_the_index(documents, tmp_path, index):
    """A stand-in for python prints what the command would get."""
    spec = documents["Job"]["spec"]["template"]["spec"]["containers"][0]
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$TF_CONFIG"\necho "$@"\n')
    python.chmod(0o755)
    path, count = f"{tmp_path}:/usr/bin:/bin", spec["env"][0]["value"]
    done = subprocess.run(
        [*spec["command"], *spec["args"]],
        env={"PATH": path, "WORKERS": count, "JOB_COMPLETION_INDEX": str(index)},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    tf_config, command = done.stdout.splitlines()
    assert json.loads(tf_config) == {
        "cluster": {
            "worker": [
                "bas-tf-train-0.bas-tf-train:2222",
                "bas-tf-train-1.bas-tf-train:2222",
            ]
        },
        "task": {"type": "worker", "index": index},
    }
    assert command == f"-m bas_tf.train {' '.join(spec['args'])}"
