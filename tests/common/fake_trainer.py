"""A training program for tests: it speaks the protocol of the real ones (order, events, checkpoint, output) and learns nothing. Standard library only.

What it does follows from the words in the first row to learn from or to measure with: `be-slow`, `be-nan`, `be-oom`, `be-full`, `be-broken`, `be-hungry`,
`be-online-PORT`.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any


def weights() -> bytes:
    """A tiny safetensors file."""
    header = json.dumps({"w": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


class Program:
    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.folder = Path(order["folder"])
        rows = [line for name in ("train", "held_out") for line in (self.folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        self.how = rows[0]
        self.events = (self.folder / "events.jsonl").open("a", encoding="utf-8")

    def tell(self, kind: str, **facts: Any) -> None:
        self.events.write(json.dumps({"kind": kind, **facts}) + "\n")
        self.events.flush()

    def fail(self, code: str, message: str) -> None:
        self.tell("error", code=code, message=message)
        sys.exit(3)

    def finetune(self) -> None:
        print("learning from", self.how[:60], flush=True)
        if "be-online" in self.how:
            try:
                socket.create_connection(("127.0.0.1", int(self.how.split("be-online-")[1].split()[0])), timeout=5).close()
                self.fail("data", "It reached a server of the machine.")
            except OSError as error:
                print("no network:", error, flush=True)
        order, checkpoint = self.order, self.folder / "checkpoint" / "step.json"
        steps = order["max_steps"] or 4
        done = json.loads(checkpoint.read_text())["step"] if checkpoint.exists() else 0
        self.tell("measure", name="before", loss=4.0, perplexity=54.6, tokens=100, rows=order["held_out"])
        if done:
            self.tell("stage", message=f"Going on from step {done}")
        for step in range(done + 1, steps + 1):
            if "be-nan" in self.how and step == 3:
                self.fail("diverged", f"The loss is no number any more at step {step}.")
            if "be-oom" in self.how:
                self.fail("memory", "It needs more memory than the hardware has.")
            if "be-full" in self.how:
                self.fail("disk", "The disk is full.")
            if "be-broken" in self.how:
                raise RuntimeError("the flux is not compensated")
            if "be-hungry" in self.how:
                _ = bytearray(64 << 30)
            self.tell("step", step=step, steps=steps, loss=4.0 / step, lr=0.001, epoch=step / steps, tokens_per_s=10.0)
            checkpoint.parent.mkdir(exist_ok=True)
            checkpoint.write_text(json.dumps({"step": step}))
            self.tell("saved", step=step)
            with (self.folder / "steps").open("a") as file:
                file.write(f"{step}\n")
            while "be-slow" in self.how and step == 2 and not (self.folder.parent / "go").exists():
                time.sleep(0.02)
        self.tell("measure", name="after", loss=1.0, perplexity=2.7, tokens=100, rows=order["held_out"])
        output = self.folder / "output"
        output.mkdir(exist_ok=True)
        (output / "model.safetensors").write_bytes(weights())
        (output / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}))
        (output / "sneaky.py").write_text("raise SystemExit")
        self.tell("done", steps=steps, tokens=steps * 10, seconds=1.0, versions={"fake": "1"}, hyperparameters={"alpha": 32})

    def evaluate(self) -> None:
        for index, model in enumerate(self.order["models"]):
            self.tell("stage", message=f"Measuring {model['name']}", share=index / 2)
            print("measuring with", self.how[:60], flush=True)
            if "be-oom" in self.how:
                self.fail("memory", "It needs more memory than the hardware has.")
            while "be-slow" in self.how and index and not (self.folder.parent / "go").exists():
                time.sleep(0.02)
            self.tell("measure", name=model["name"], loss=1.0 + index, perplexity=2.7 + index, tokens=50, rows=self.order["held_out"])
        self.tell("done")

    def harness(self) -> None:
        shown, measured = (len((self.folder / name).read_text(encoding="utf-8").splitlines()) for name in ("train.jsonl", "held_out.jsonl"))
        print("task", json.dumps(self.order["task"], sort_keys=True), "with", self.how[:60], f"shown {shown}", flush=True)
        for index, model in enumerate(self.order["models"]):
            rows = min(self.order["rows"], measured)
            self.tell("measure", name=model["name"], rows=rows, metrics={"acc": 0.5 + index / 4}, errors={"acc": 0.125})
        self.tell("done")


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    program = Program(given)
    getattr(program, given["program"])()
