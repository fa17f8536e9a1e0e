"""mdBook preprocessor: makes the book of a repository whose pages are also read where they lie.

`{{#page ../SECURITY.md}}`, alone in a chapter, stands for a page outside of the book. Links are written for the place where a page
lies; those to a page that is a chapter lead to the chapter, and those to other files outside of the book lose their link and keep
their words, as the book is read without the repository. The pages of a folder whose README is a chapter are its sub-chapters, in the
order of their names, without being listed.
"""

import json
import pathlib
import posixpath
import re
import sys
import urllib.parse

PAGE = re.compile(r"^\{\{#page ([^}]+)\}\}\s*$")
FENCED = re.compile(r"(^ {0,3}(?:```|~~~).*?^ {0,3}(?:```|~~~)\s*$|`[^`\n]+`(?!\]))", re.M | re.S)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\]|!\[[^\]]*\]\([^)]*\))*)\]\(([^)\s]+)\)")


def chapters_of(items):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            yield chapter
            yield from chapters_of(chapter["sub_items"])


def with_folder(chapter, source):
    """The chapter of a folder's README with the folder's other pages below it."""
    for path in sorted((source / chapter["source_path"]).parent.glob("*.md")):
        name = path.relative_to(source).as_posix()
        listed = {below["source_path"] for below in chapters_of(chapter["sub_items"])}
        if path.name != "README.md" and name not in listed:
            text = path.read_text()
            below = {
                "name": text.split("\n", 1)[0].lstrip("# "),
                "content": text,
                "number": None,
                "sub_items": [],
                "path": name,
                "source_path": name,
                "parent_names": [*chapter["parent_names"], chapter["name"]],
            }
            chapter["sub_items"].append({"Chapter": below})


def rewritten(text, origin, chapter, chapters, source):
    """A page's text with its links as they must be in the book; paths are relative to the book's source folder."""

    def link(match):
        picture, words, target = match.groups()
        parts = urllib.parse.urlsplit(target)
        if parts.scheme or parts.netloc or not parts.path:
            return match.group()
        place = posixpath.normpath(posixpath.join(posixpath.dirname(origin), parts.path))
        place = chapters.get(place, place)
        if place.startswith("../") or (source / place).is_dir():
            return words
        # mdBook's `index`, which runs later, makes an index of it.
        place = re.sub(r"(^|/)README\.md$", r"\1index.md", place)
        moved = posixpath.relpath(place, posixpath.dirname(chapter) or ".")
        return f"{picture}[{words}]({moved}{'#' + parts.fragment if parts.fragment else ''})"

    pieces = FENCED.split(text)
    return "".join(piece if index % 2 else LINK.sub(link, piece) for index, piece in enumerate(pieces))


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "supports":
        return
    context, book = json.load(sys.stdin)
    source = pathlib.Path(context["root"]) / context["config"]["book"]["src"]
    items = book.get("items") or book["sections"]
    for chapter in list(chapters_of(items)):
        if chapter["source_path"] and chapter["source_path"].endswith("/README.md"):
            with_folder(chapter, source)
    every = list(chapters_of(items))
    chapters, origins = {}, {}
    for chapter in every:
        if chapter["path"]:
            page = PAGE.match(chapter["content"])
            origin = posixpath.normpath(page.group(1)) if page else chapter["source_path"]
            origins[chapter["path"]] = origin
            chapters[origin] = chapter["path"]
            if page:
                chapter["content"] = (source / origin).read_text()
    pages = {path.relative_to(source).as_posix() for path in source.rglob("*.md")} - {"SUMMARY.md"}
    if left_out := sorted(pages - set(origins)):
        sys.exit(f"{context['config']['book']['src']}/SUMMARY.md leaves out: {' '.join(left_out)}")
    # A folder's README stands for the folder.
    for origin, path in list(chapters.items()):
        if posixpath.basename(origin) == "README.md":
            chapters[posixpath.dirname(origin)] = path
    for chapter in every:
        if chapter["path"]:
            origin = origins[chapter["path"]]
            chapter["content"] = rewritten(chapter["content"], origin, chapter["path"], chapters, source)
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
