"""Pages use the words of the glossary: none from its column of words to avoid. The glossary itself is exempt."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/adr").glob("*.md")),
]


def banned() -> list[str]:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|([^|]*)\|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return [word.strip() for term, words in rows if term.strip() != "term" for word in words.split(",") if word.strip()]


def test_the_glossary_names_words_to_avoid():
    assert len(banned()) >= 8
    assert "by heart" in banned()


def test_no_page_uses_a_word_to_avoid():
    found = []
    for page in PAGES:
        if page == GLOSSARY:
            continue
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)  # code keeps its names
        for word in banned():
            found += [
                f"{page.name}: {word}: …{text[m.start() - 30 : m.end() + 30]!r}"
                for m in re.finditer(rf"\b{re.escape(word)}\b", text, re.I)
            ]
    assert not found, "\n".join(found)


def test_lines_of_the_readme_are_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert max(len(line) for line in lines) <= 100
