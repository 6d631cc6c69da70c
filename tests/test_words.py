"""Pages, docstrings, messages and comments use the words of the glossary: none from its column of words to avoid.

The glossary itself is exempt, and so is code: what stands between backticks, and the names of things.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/adr").glob("*.md")),
]
MODULES = sorted((ROOT / "src" / "labelproof").rglob("*.py"))


def banned() -> list[str]:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|([^|]*)\|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return [word.strip() for term, words in rows if term.strip() != "term" for word in words.split(",") if word.strip()]


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|``.*?``|`[^`]*`", "", text, flags=re.DOTALL)


def avoided(text: str) -> Iterator[str]:
    """Each word to avoid in a text, with what is around it."""
    for word in banned():
        for m in re.finditer(r"\b" + r"\s+".join(map(re.escape, word.split())) + r"\b", text, re.IGNORECASE):
            yield f"{word}: …{text[max(m.start() - 30, 0) : m.end() + 30]!r}"


def words_of(module: Path) -> str:
    """The docstrings, comments and other strings of a module; a string without a space is a name."""
    source = module.read_text(encoding="utf-8")
    strings = [
        node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return "\n".join([*(text for text in strings if re.search(r"\s", text)), *comments])


def test_the_glossary_names_words_to_avoid():
    assert len(banned()) >= 20
    assert {"by heart", "leave out", "thereby"} <= set(banned())


def test_no_page_uses_a_word_to_avoid():
    found = [
        f"{page.name}: {hit}"
        for page in PAGES
        if page != GLOSSARY
        for hit in avoided(without_code(page.read_text(encoding="utf-8")))
    ]
    assert not found, "\n".join(found)


def test_no_docstring_message_or_comment_uses_a_word_to_avoid():
    found = [f"{module.relative_to(ROOT)}: {hit}" for module in MODULES for hit in avoided(without_code(words_of(module)))]
    assert not found, "\n".join(found)


def test_strings_and_comments_of_a_module_are_seen(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('"""By\nheart."""\nleft = "by heart, in a message"  # by heart\nby_heart = left\n')
    assert len(list(avoided(words_of(module)))) == 3


def test_lines_of_the_readme_are_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(len(line) for line in lines) <= 100
