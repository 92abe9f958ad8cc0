"""In place of BuildKit in tests: builds Dockerfiles of a few words, and pushes to a registry that is a folder.

BuildKit itself cannot run here: it needs user namespaces, mounts and a seccomp profile that the machine of the tests does not let programs
have, base images from some registry, and a registry to push to. So this is called as `buildctl-daemonless.sh` is, takes the same arguments,
writes the same kind of log and metadata, and fails in the same words; commands of `RUN` are real processes, in a copy of the context.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

REGISTRY = Path(os.environ["FAKE_REGISTRY"])
FROM_WHERE = "load build definition from Dockerfile"


def main(arguments: list[str]) -> None:
    """Build and push."""
    said = {"--progress": [], "--frontend": [], "--local": [], "--opt": [], "--output": [], "--metadata-file": []}  # type: dict[str, list[str]]
    assert arguments.pop(0) == "build"
    for name, value in zip(arguments[::2], arguments[1::2], strict=True):
        said[name].append(value)
    local = dict(one.split("=", 1) for one in said["--local"])
    output = dict(one.split("=", 1) for one in said["--output"][0].split(","))
    assert (said["--frontend"], output["type"], output["push"]) == (["dockerfile.v0"], "image", "true")
    print(f"#1 [internal] {FROM_WHERE}", flush=True)
    lines = (Path(local["dockerfile"]) / "Dockerfile").read_text().splitlines()
    image = built(
        [line for line in lines if line.strip() and not line.startswith("#")], Path(local["context"]), Path(said["--metadata-file"][0])
    )
    name, _, _tag = output["name"].rpartition(":")
    if (REGISTRY / "refuses").exists():
        fail(f"failed to push {output['name']}: unexpected status from POST request to https://{name}/blobs/uploads/: 401 Unauthorized")
    digest = hashlib.sha256(
        json.dumps(sorted((str(path), path.read_text()) for path in image.rglob("*") if path.is_file())).encode()
    ).hexdigest()
    place = REGISTRY / name / digest
    if not place.exists():
        shutil.copytree(image, place)
    with (REGISTRY / "pushed").open("a") as file:
        file.write(f"{output['name']}\n")
    print(f"#9 pushing manifest for {output['name']}@sha256:{digest} done", flush=True)
    metadata = {
        "containerimage.config.digest": "sha256:" + "0" * 64,
        "containerimage.digest": f"sha256:{digest}",
        "image.name": output["name"],
    }
    Path(said["--metadata-file"][0]).write_text(json.dumps(metadata, indent="  "))


def built(lines: list[str], context: Path, metadata: Path) -> Path:
    """The image as a folder: its files, and how it starts."""
    image = metadata.with_suffix(".image")
    shutil.rmtree(image, ignore_errors=True)
    shutil.copytree(context, image / "files")
    start: dict[str, object] = {"command": [], "environment": {}}
    steps = [line for line in lines if line.split()[0] in ("FROM", "COPY", "RUN")]
    for line in lines:
        word, _, rest = line.partition(" ")
        if line in steps:
            number = steps.index(line) + 1
            print(f"#{number + 4} [{number}/{len(steps)}] {line}", flush=True)
        if word == "RUN":
            ran = subprocess.run(
                ["sh", "-c", rest], cwd=image / "files", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            for said in ran.stdout.splitlines():
                print(f"#{number + 4} 0.1 {said}", flush=True)
            if ran.returncode:
                print(f"------\n > [{number}/{len(steps)}] {line}:\n------", flush=True)
                fail(f'failed to solve: process "/bin/sh -c {rest}" did not complete successfully: exit code: {ran.returncode}')
        elif word == "CMD":
            start["command"] = json.loads(rest)
        elif word == "ENV":
            start["environment"] = dict(one.split("=", 1) for one in rest.split())
        elif word not in ("FROM", "COPY"):
            fail(f"failed to solve: dockerfile parse error on line {lines.index(line) + 1}: unknown instruction: {word}")
    (image / "start.json").write_text(json.dumps(start))
    return image


def fail(why: str) -> None:
    """End as BuildKit does."""
    print(f"error: {why}", file=sys.stderr, flush=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
