"""Finds links that lead nowhere: `links.py markdown ROOT` in a repository's pages, `links.py html FOLDER` in a built book.

Looks at what is on this side of the network: files, and headings or ids within them. Addresses of the web are left alone.
"""

import html.parser
import pathlib
import re
import subprocess
import sys
import urllib.parse

FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1`*~*\s*$", re.M | re.S)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]^]+\]:\s*<?(\S+?)>?\s*$", re.M)
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$", re.M)
ANCHOR = re.compile(r"<[a-z]+[^>]*\b(?:id|name)=\"([^\"]+)\"")


def blank(match):
    """The same lines with nothing on them, so that line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group())


def anchors_of_markdown(text):
    """Ids of headings as code forges and mdBook make them, and those that are given by hand."""
    found, seen = set(ANCHOR.findall(text)), {}
    for heading in HEADING.findall(FENCE.sub(blank, text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.replace("`", "").strip().lower()).replace(" ", "-")
        times = seen.get(slug, 0)
        seen[slug] = times + 1
        found.add(f"{slug}-{times}" if times else slug)
    return found


def links_of_markdown(text):
    """(line, target) of every link and picture outside of code."""
    text = CODE.sub(blank, FENCE.sub(blank, text))
    for pattern in (LINK, REFERENCE):
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, match.group(1)
    for match in re.finditer(r"\b(?:src|href)=\"([^\"]+)\"", text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1)


class Page(html.parser.HTMLParser):
    """The ids of a page, and what it points at."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if value and (name == "id" or (tag == "a" and name == "name")):
                self.anchors.add(value)
            if value and name in ("href", "src"):
                self.links.append((self.getpos()[0], value))


def read_markdown(path):
    text = path.read_text()
    return anchors_of_markdown(text), list(links_of_markdown(text))


def read_html(path):
    page = Page(path.read_text())
    return page.anchors, page.links


def main(kind, root):
    root = pathlib.Path(root).resolve()
    if kind == "markdown":
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
            check=True, capture_output=True, text=True,
        ).stdout.split("\n")
        pages, read = [root / name for name in listed if name], read_markdown
    else:
        # 404.html is served from any folder, so its links are absolute; print.html repeats the others.
        skipped = ("404.html", "print.html", "toc.html")
        pages, read = [page for page in root.rglob("*.html") if page.name not in skipped], read_html
    if not pages:
        sys.exit(f"links: no page below {root}")
    known = {page: read(page) for page in pages if page.is_file()}
    broken, links = [], 0
    for page, (_, targets) in sorted(known.items()):
        for line, target in targets:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            links += 1
            place = (page.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else page
            where = f"{page.relative_to(root)}:{line}: {target}"
            if not place.exists():
                broken.append(f"{where}: there is no such file")
            elif root != place and root not in place.parents:
                broken.append(f"{where}: leads out of {root}")
            elif parts.fragment and place in known:
                if urllib.parse.unquote(parts.fragment) not in known[place][0]:
                    broken.append(f"{where}: nothing there has that id")
    print("\n".join(broken + [f"links: {links} in {len(known)} pages, {len(broken)} broken"]))
    return 1 if broken else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("markdown", "html"):
        sys.exit("usage: links.py markdown|html FOLDER")
    sys.exit(main(*sys.argv[1:]))
