"""Installs the packages of an app: the program of the init container that runs after the download. Standard library only.

    packages.py FOLDER REQUIREMENT...

What the image has already is not installed again; with all of them there, no index is asked. Nothing is built, so no code of theirs runs.
"""

from __future__ import annotations

import subprocess
import sys


def main(folder: str, *requirements: str) -> None:
    """Make the environment anew."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", "--system-site-packages", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--python", f"{folder}/bin/python", "install"]
    done = subprocess.run([*pip, "--no-cache-dir", "--progress-bar", "off", "--only-binary", ":all:", "--", *requirements], check=False)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
