"""Checks that the tests that a page names exist: `named_tests.py SECURITY.md`.

A page names a test as `crates/ledger/tests/x.rs::a_key_published_twice_is_read_once`. The file must define a function of that name
that is run as a test: one that is marked so and not ignored, or one that a macro of its folder makes a test of (`on_both!`,
`conformance!`). A file that is named alone, as the place of a control, must exist too. What a test holds, this cannot tell: that
is for whoever reads both.
"""

import pathlib
import re
import sys

NAMED = re.compile(r"`([\w./-]+\.rs)::(\w+)`")
FILE = re.compile(r"`((?:crates|tests|docs|deploy|fuzz|xtask)/[\w./-]+\.\w+)`")
MARKED = re.compile(r"#\[(?:tokio::)?test\b[^\]]*\]\s*(?:#\[(?!ignore)[^\]]*\]\s*)*(?:pub(?:\([a-z]+\))?\s+)?(?:async\s+)?fn\s+(\w+)")
MAKES_TESTS = re.compile(r"#\[(?:tokio::)?test\b")
DEFINED = re.compile(r"\bfn\s+(\w+)\s*[(<]")


def made_by_macros(folder):
    """Names that the macros of a folder's test files make tests of: every word of what such a macro is given."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.rs")))
    names = set()
    for macro in re.finditer(r"macro_rules!\s+(\w+)\s*(?=\{)", text):
        if MAKES_TESTS.search(balanced(text, macro.end())):
            for call in re.finditer(rf"\b{macro.group(1)}!\s*(?=[({{])", text):
                names.update(re.findall(r"\w+", balanced(text, call.end())))
    return names


def balanced(text, begin):
    """What stands from an opening bracket to the one that closes it."""
    depth = 0
    for index in range(begin, len(text)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return text[begin : index + 1]
    return text[begin:]


def fault(root, file, name):
    """What is wrong with one name, or None."""
    path = root / file
    if not path.is_file():
        # A test that outgrew its file is a folder of the same name.
        parts = path.with_suffix("").rglob("*.rs")
        return None if any(name in MARKED.findall(part.read_text()) for part in parts) else "there is no such file"
    text = path.read_text()
    if name in MARKED.findall(text):
        return None
    if name not in DEFINED.findall(text):
        return "the file has no such function"
    if name in made_by_macros(path.parent):
        return None
    return "the function is not run as a test"


def main(page):
    root = pathlib.Path(page).resolve().parent
    lines = pathlib.Path(page).read_text().split("\n")
    named = [(number, *match) for number, line in enumerate(lines, 1) for match in NAMED.findall(line)]
    if not named:
        sys.exit(f"{page}: names no test")
    faults = [(number, file, name, fault(root, file, name)) for number, file, name in named]
    faults = [f"{page}:{number}: {file}::{name}: {what}" for number, file, name, what in faults if what]
    files = [(number, file) for number, line in enumerate(lines, 1) for file in FILE.findall(line)]
    faults += [f"{page}:{number}: {file}: there is no such file" for number, file in files if not (root / file).is_file()]
    print("\n".join(faults + [f"{page}: {len(named)} tests and {len(files)} files named, {len(faults)} not found"]))
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: named_tests.py PAGE")
    sys.exit(main(sys.argv[1]))
