"""Counts the tokens of texts (JSON at standard input) with a `tokenizer.json`; a process of its own, with limits on itself."""

from __future__ import annotations

import json
import resource
import sys
from importlib import import_module

CPU_S, MEMORY = 12, 2 << 30


def main() -> None:
    """Write one number for each text."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tokenizer = import_module("tokenizers").Tokenizer.from_file(sys.argv[1])
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = json.load(sys.stdin)
    sys.stdout.write(json.dumps([len(tokenizer.encode(text).ids) for text in texts]))


if __name__ == "__main__":
    main()
