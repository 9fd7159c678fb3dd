"""Check the relative links and anchors of Markdown files: `check_links.py [FILE ...]`.

Nothing is fetched: links with a scheme (`https:`, `mailto:`) are left alone. Without files, all
Markdown of the repository is checked. Each broken link is one line `file:line: target: why`, and
the exit status is then 1.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent.parent

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(
    r"""\]\(\s*(?:<(?P<angled>[^<>\n]*)>|(?P<bare>(?:[^\s()]|\([^\s()]*\))*))(?:\s+["'(][^)]*)?\)"""
    r"""|^\ {0,3}\[[^\]\n]+\]:\s*(?P<defined>\S+)"""
    r"""|<[a-zA-Z][^<>]*?\s(?:href|src)\s*=\s*["'](?P<html>[^"']*)["']""",
    re.MULTILINE | re.VERBOSE,
)
_NAMED = re.compile(r"""<[a-zA-Z][^<>]*?\s(?:id|name)\s*=\s*["']([^"']+)["']""")
_ATX = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_TEXT = re.compile(r" {0,3}([>|#]|[-*+][ \t]|\d+[.)][ \t])")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")


def documents(root: Path = ROOT) -> list[Path]:
    """The Markdown files below `root`, hidden folders (other than .github) left out."""
    return sorted(
        path
        for path in root.rglob("*.md")
        if not any(
            part.startswith(".") and part != ".github" for part in path.relative_to(root).parts
        )
    )


def broken(document: Path, root: Path = ROOT) -> Iterator[tuple[int, str, str]]:
    """Line, target and reason of each link of a document that leads nowhere, in order."""
    text = _without_code(document.read_text(encoding="utf-8"))
    for match in _LINK.finditer(text):
        target = next(group for group in match.groups() if group is not None)
        if not _SCHEME.match(target) and (why := _fault(document, unquote(target), root)):
            yield text.count("\n", 0, match.start()) + 1, target, why


@cache
def anchors(document: Path) -> frozenset[str]:
    """What `#...` can name in a Markdown file: its headings as GitHub numbers them, and ids."""
    text = document.read_text(encoding="utf-8")
    found: set[str] = set(_NAMED.findall(_without_code(text)))
    times: dict[str, int] = {}
    for heading in _headings(text):
        slug = _slug(heading)
        again = times.get(slug, 0)
        times[slug] = again + 1
        found.add(f"{slug}-{again}" if again else slug)
    return frozenset(found)


def _fault(document: Path, target: str, root: Path) -> str:
    """Why a target cannot be followed from a document; empty if it can."""
    path, _, anchor = target.partition("#")
    if not path:
        place = document
    elif path.startswith("/"):
        place = root / path.lstrip("/")
    else:
        place = document.parent / path
    place = place.resolve()
    if not place.is_relative_to(root.resolve()):
        return "leads out of the repository"
    if not _exists(place, root.resolve()):
        return "no such file"
    if anchor and place.suffix == ".md" and anchor not in anchors(place):
        return "no such heading"
    return ""


def _exists(place: Path, root: Path) -> bool:
    """Whether a path is there in exactly these letters, also where the file system ignores case."""
    while place != root:
        if place.name not in {entry.name for entry in place.parent.glob("*")}:
            return False
        place = place.parent
    return True


def _fenced(text: str) -> Iterator[tuple[str, bool]]:
    """Lines of a document, and whether each belongs to a fenced block of code."""
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if fence:
            yield line, True
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
        elif match and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
            yield line, True
        else:
            yield line, False


def _without_code(text: str) -> str:
    """The text with code and comments blanked and every line where it was."""
    text = "\n".join("" if code else line for line, code in _fenced(text))
    for pattern in (_COMMENT, _SPAN):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text


def _headings(text: str) -> Iterator[str]:
    before = ""
    for line, code in _fenced(text):
        if code:
            before = ""
        elif match := _ATX.match(line):
            yield match[1]
            before = ""
        elif before and _UNDERLINE.match(line):
            yield before
            before = ""
        else:
            before = "" if _NO_TEXT.match(line) else line.strip()


def _slug(heading: str) -> str:
    """The anchor GitHub gives a heading: its visible text in small letters, blanks as hyphens."""
    visible = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    visible = re.sub(r"<[^<>]+>", "", visible)
    visible = re.sub(r"(\*\*?|~~)(\S(?:.*?\S)?)\1", r"\2", visible)
    return re.sub(r"[^\w\- ]", "", visible.strip().lower()).replace(" ", "-")


def main() -> int:
    """Check the files named, or all; 1 if a link is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="Markdown files; without any, all")
    chosen = [path.resolve() for path in parser.parse_args().files] or documents()
    found = 0
    for document in chosen:
        name = document.relative_to(ROOT) if document.is_relative_to(ROOT) else document
        for line, target, why in broken(document):
            print(f"{name}:{line}: {target}: {why}")
            found += 1
    print(f"{len(chosen)} documents, {found} broken links", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
