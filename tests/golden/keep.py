"""What a case keeps of its outputs, in a form that only changes when what a user sees does."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

DIGITS = 6
WHOLE_ROWS = 2000  # longer tables are kept by their head and a summary of each column
HEAD = 200
MASKED_KEYS = {"labelproof": "<version>", "fingerprint": "<hex>", "edition": "<hex>", "audit": "<hex>", "decided_at": "<time>"}
PATTERNS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)"), "<time>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"token=[\w-]+"), "token=<token>"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])[0-9a-f]{16,64}\b"), "<hex>"),
    (re.compile(r"\blabelproof v?\d+\.\d+\.\d+\w*"), "labelproof <version>"),
)
BLOCKS = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "caption",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "title",
    "tr",
    "ul",
]
LOGGED = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+\s+[A-Z]+ |\(.*\bpid=\d+"
)  # lines of Ray, with times and numbers of processes
LEAVES = re.compile(r"\[\n[^\[\]{}]*\n\s*\]")  # lists of numbers and words, which then stand on one line
HIDDEN = {"script", "style", "template"}


class Keep:
    """The outputs of one case.

    Parameters
    ----------
    work : Path
        Empty folder, the working directory of the case.
    out : Path
        Where the normalised outputs are written.
    """

    def __init__(self, work: Path, out: Path) -> None:
        self.work, self.out = work, out
        self.hidden = {str(work): "<work>", str(work.resolve()): "<work>"}
        if folder := os.environ.get("LABELPROOF_DATA"):
            self.hidden |= {str(Path(folder).resolve()): "<data>", folder: "<data>"}

    def command(self, *arguments: object) -> int:
        """Run ``labelproof ARGUMENTS`` as a user would; what it prints and its exit status go to ``commands.txt``."""
        from labelproof.cli import main  # the entry point that pyproject.toml names

        words = [str(argument) for argument in arguments]
        out, err, before = io.StringIO(), io.StringIO(), sys.argv
        sys.argv, status = ["labelproof", *words], 0
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            sys.argv = before
        lines = [f"$ labelproof {' '.join(words)}", *_lines(out.getvalue()), *(f"! {line}" for line in _lines(err.getvalue()))]
        self.text("commands", "\n".join([*lines, f"[exit {status}]", ""]), more=True)
        return status

    def text(self, name: str, text: str, *, masked: bool = True, more: bool = False) -> None:
        """Keep a text, with what changes from run to run masked."""
        place = self.out / _ending(name, ".txt")
        with place.open("a" if more else "w", encoding="utf-8", newline="\n") as file:
            file.write((self.mask(text) if masked else text).rstrip("\n") + "\n")

    def value(self, name: str, value: Any) -> None:
        """Keep what is made of dicts, lists, numbers, texts and arrays."""
        text = json.dumps(self.plain(value), indent=1, sort_keys=True, ensure_ascii=False)
        text = LEAVES.sub(lambda found: re.sub(r"\n\s*", " ", found[0]), text)
        (self.out / _ending(name, ".json")).write_text(text + "\n", encoding="utf-8")

    def table(self, name: str, frame: pl.DataFrame) -> None:
        """Keep a table, its rows in the order given; of a long one the head and a summary of each column."""
        head = frame.head(HEAD if frame.height > WHOLE_ROWS else frame.height)
        cells = (pl.Series(c.name, [self._cell(v) for v in c.to_list()], dtype=pl.String) for c in head)
        head.select(cells).write_csv(self.out / _ending(name, ".csv"))
        types = {column: str(kind) for column, kind in frame.schema.items()}
        about: dict[str, Any] = {"rows": frame.height, "columns": types}
        if frame.height > WHOLE_ROWS:
            about["sums"] = {c.name: float(c.cast(pl.Float64).sum()) for c in frame if c.dtype.is_numeric()}
            about["counts"] = {
                c.name: dict(sorted((str(k), v) for k, v in c.value_counts().iter_rows()))
                for c in frame
                if not c.dtype.is_numeric() and c.n_unique() <= 50
            }
        self.value(f"{name}.types", about)

    def path(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file, or every file of a folder, by what it holds; of models and stores only that they are there."""
        place = Path(path)
        named = name or str(place.relative_to(self.work) if place.is_absolute() else place).replace("/", ".")
        if not place.exists():
            self.text(named, "not written")
            return
        if place.is_dir():
            files = sorted(str(p.relative_to(place)) for p in place.rglob("*") if p.is_file())
            self.text(f"{named}.files", "\n".join(files))
            for file in files:
                if _KEPT.get(Path(file).suffix):
                    self.path(place / file, f"{named}.{file.replace('/', '.')}")
            return
        keep = _KEPT.get(place.suffix)
        if keep is not None:
            keep(self, place, named)

    def model(self, path: str | Path) -> None:
        """Keep which files a trained model has, and the labels that its training found wrong; not how it is written."""
        self.text(f"{path}.files", "\n".join(sorted(str(p.relative_to(path)) for p in Path(path).rglob("*") if p.is_file())))
        if (issues := Path(path) / "issues.parquet").exists():
            self.path(issues)

    def change(self, original: str | Path, copy: str | Path) -> None:
        """Keep in which lines a copy of a text file differs from the original, and whether anything else does."""
        before, after = (_decoded(Path(path)) for path in (original, copy))
        different = difflib.unified_diff(before, after, "original", "copy", lineterm="", n=0)
        own = [line.encode("unicode_escape").decode() for line in different]
        about = f"bytes of the copy: sha256 {hashlib.sha256(Path(copy).read_bytes()).hexdigest()}"
        self.text(f"{Path(copy).name}.change", "\n".join([about, *own]), masked=False)

    def mask(self, text: str) -> str:
        """A text without times, versions, places, ports, tokens and fingerprints."""
        for found, instead in self.hidden.items():
            text = text.replace(found, instead)
        for pattern, instead in PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def plain(self, value: Any, key: str = "") -> Any:
        """A value as JSON has it, floats to six digits."""
        if key in MASKED_KEYS and isinstance(value, str) and value:
            return MASKED_KEYS[key]
        if isinstance(value, dict):
            return {self.mask(str(k)): self.plain(v, str(k)) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.plain(v) for v in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, float | np.floating):
            return rounded(float(value))
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, np.generic):
            return self.plain(value.item(), key)
        return self.mask(str(value))

    def _array(self, array: Any) -> Any:
        if array.size <= 50:
            return self.plain(array.tolist())
        numbers = array.dtype.kind in "fiub"
        about: dict[str, Any] = {
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "first": self.plain(array[:3].reshape(-1)[:30].tolist()),
        }
        if numbers:
            about |= {"mean": rounded(float(np.nanmean(array))), "std": rounded(float(np.nanstd(array)))}
            flat = array.reshape(-1).astype(float)
            about["order"] = rounded(float(np.nanmean(flat * np.linspace(0, 1, len(flat)))))
            about["every"] = self.plain(flat[:: max(1, len(flat) // 40)].tolist())
        return about

    def _cell(self, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, float):
            return f"{value:.{DIGITS}g}"
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list | dict):
            return json.dumps(self.plain(value), ensure_ascii=False)
        return str(value)


def _ending(name: str, suffix: str) -> str:
    return name if name.endswith(suffix) else name + suffix


def rounded(value: float) -> float | str:
    """A float to six digits; as text what JSON has no number for."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else str(value)


class _Blocks(HTMLParser):
    """The text of a page, one block a line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in HIDDEN
        if tag in BLOCKS:
            self.lines.append("")
        elif tag == "dd":
            if len(self.lines) > 1 and not self.lines[-1]:
                self.lines.pop()  # a term and what it is, on one line
            self.lines[-1] += " = "
        elif tag in ("td", "th"):
            self.lines[-1] += " | "
        elif tag == "img":
            self.lines[-1] += f"[picture {dict(attrs).get('alt') or ''}]"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN
        if tag in BLOCKS:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.lines[-1] += data


def page_text(html: str) -> str:
    """The text of a page, one block a line, blanks as one."""
    parser = _Blocks()
    parser.feed(html)
    return "\n".join(line for line in (" ".join(line.split()) for line in parser.lines) if line)


def _lines(text: str) -> Iterator[str]:
    yield from (line.rstrip() for line in text.splitlines() if line.strip() and not LOGGED.match(line))


def _decoded(path: Path) -> list[str]:
    """Lines with their ends, so that a changed end is seen."""
    return re.findall(r"[^\n]*\n|[^\n]+", path.read_bytes().decode("utf-8", "backslashreplace"))


def _json(keep: Keep, path: Path, name: str) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    if (
        isinstance(content, dict) and "source" in content
    ):  # a form of our own, which no user reads: apart, to be left out at will
        keep.value(f"{name}.source", content.pop("source"))
    keep.value(name, _short(content))


def _short(content: Any) -> Any:
    """Pictures in JSON by their length alone."""
    if isinstance(content, dict):
        return {key: _short(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_short(value) for value in content]
    if isinstance(content, str) and content.startswith("data:"):
        return f"{content.partition(',')[0]}, {len(content)} characters"
    return content


def _npy(keep: Keep, path: Path, name: str) -> None:
    keep.value(name, {"dtype": (array := np.load(path)).dtype, "shape": array.shape, "array": array})


_KEPT: dict[str, Any] = {
    ".json": _json,
    ".npy": _npy,
    ".parquet": lambda keep, path, name: keep.table(name, pl.read_parquet(path)),
    ".html": lambda keep, path, name: keep.text(name, page_text(path.read_text(encoding="utf-8"))),
    ".csv": lambda keep, path, name: keep.table(name, pl.read_csv(path, infer_schema=False)),
    ".tsv": lambda keep, path, name: keep.table(name, pl.read_csv(path, separator="\t", infer_schema=False)),
    ".xml": lambda keep, path, name: keep.text(name, path.read_text(encoding="utf-8")),
    ".txt": lambda keep, path, name: keep.text(name, path.read_text(encoding="utf-8")),
}
