"""What the code knows, read from its source: metrics, settings, commands."""

import functools
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "crates/cortex/src/settings.rs"


@functools.cache
def metrics() -> frozenset[str]:
    """Names of metrics: every literal of that form in the crates' own code."""
    found: set[str] = set()
    for path in (ROOT / "crates").glob("*/src/**/*.rs"):
        found |= set(re.findall(r'"(cortex_[a-z0-9_]+)"', path.read_text()))
    return frozenset(found)


def is_metric(name: str) -> bool:
    """True also for the series that a histogram makes."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return name in metrics() or (base in metrics() and base.endswith("_seconds"))


@functools.cache
def settings() -> frozenset[str]:
    """Names of settings, from the table that the command line and the environment are read by."""
    return frozenset(re.findall(r'\("([a-z0-9_]+)", Kind::', SETTINGS.read_text()))


@functools.cache
def _other_variables() -> tuple[str, ...]:
    """Variables of client commands, and the beginnings of those that are no settings."""
    text = SETTINGS.read_text()
    table = text[text.index("const NOT_SETTINGS") :]
    return tuple(re.findall(r'"(CORTEX_[A-Z_]+)"', table[: table.index("];")]))


def is_variable(name: str) -> bool:
    return name.removeprefix("CORTEX_").lower() in settings() or name.startswith(_other_variables())


def version() -> str:
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    return manifest["workspace"]["package"]["version"]


def rust_version() -> str:
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    return manifest["workspace"]["package"]["rust-version"]


def end(faults: list[str], looked_at: str) -> None:
    """Ends the process: with 1 and each fault, or with what was looked at."""
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f"{looked_at}: no fault")
