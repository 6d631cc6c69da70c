"""Every message of the package reads as one text: `python tests/test_messages.py` prints all of them.

A message is what an exception of `labelproof.errors` is given, what is warned of, and the text of a doubt. Parts that are filled in
while the program runs are shown as they stand in the code, in braces.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from test_words import banned

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "labelproof"

MOST_WORDS = 30  # of one sentence


@dataclass(frozen=True)
class Message:
    path: Path
    line: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


class Module:
    """One file, with what its names stand for."""

    def __init__(self, path: Path, tree: ast.Module):
        self.path, self.tree = path, tree
        self.owner: dict[ast.AST, ast.AST] = {}
        for parent in ast.walk(tree):
            for child in ast.iter_child_nodes(parent):
                self.owner[child] = parent

    def scopes(self, node: ast.AST) -> Iterator[ast.AST]:
        """The functions around a node, the innermost first, and the module."""
        while node in self.owner:
            node = self.owner[node]
            if isinstance(node, ast.FunctionDef | ast.Lambda | ast.Module):
                yield node

    def meanings(self, name: ast.Name) -> list[ast.expr]:
        """The expressions that are assigned to a name in the nearest scope that has any."""
        for scope in self.scopes(name):
            found = [
                node.value
                for node in ast.walk(scope)
                if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name) and target.id == name.id
            ]
            if found:
                return found
        return []

    def texts(self, node: ast.expr, depth: int = 0) -> list[str]:
        """All that an expression can say, with what is filled in later in braces."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [node.value]
        if isinstance(node, ast.JoinedStr):
            parts = [
                [part.value] if isinstance(part, ast.Constant) else [f"{{{ast.unparse(part.value)}}}"] for part in node.values
            ]
            return ["".join(chosen) for chosen in itertools.product(*parts)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return ["".join(pair) for pair in itertools.product(self.texts(node.left, depth), self.texts(node.right, depth))]
        if isinstance(node, ast.IfExp):
            return self.texts(node.body, depth) + self.texts(node.orelse, depth)
        if isinstance(node, ast.Name) and depth < 2:
            found = [text for value in self.meanings(node) for text in self.texts(value, depth + 1)]
            if found:
                return found
        return [f"{{{ast.unparse(node)}}}"]


def error_names(trees: dict[Path, ast.Module]) -> set[str]:
    """The exceptions of `labelproof.errors`, and what is derived from them anywhere."""
    classes = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names = {"LabelproofError"}
    while True:
        more = {c.name for c in classes if any(isinstance(base, ast.Name) and base.id in names for base in c.bases)} - names
        if not more:
            return names
        names |= more


def parsed() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def messages() -> list[Message]:
    """All of them, each text once where several calls share it."""
    trees = parsed()
    errors = error_names(trees)
    found = []
    for path, tree in trees.items():
        module = Module(path, tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name, raised = ast.unparse(node.func), isinstance(module.owner.get(node), ast.Raise)
            first = name in errors or name == "warnings.warn" or (name == "error" and raised)
            place = 0 if first else 1 if name == "Doubt" else None
            if place is not None and len(node.args) > place:
                found += [Message(path, node.lineno, text) for text in module.texts(node.args[place])]
    return list({(message.path, message.text): message for message in found}.values())


def named_things(trees: dict[Path, ast.Module]) -> set[str]:
    """The names of all arguments and fields."""
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    return {node.arg for node in nodes if isinstance(node, ast.arg)} | {
        node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def without_code(text: str) -> str:
    """A message with every filled-in part as one X."""
    while (shorter := re.sub(r"\{[^{}]*\}", "X", text)) != text:
        text = shorter
    return text


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!])\s+(?=[A-Z])", without_code(text))


MESSAGES = messages()


def failing(wrong: Callable[[str], bool]) -> str:
    return "\n".join(f"{message.where}: {message.text}" for message in MESSAGES if wrong(message.text))


def is_reason(text: str) -> bool:
    """Why an item was skipped: the rest of a sentence whose subject is the item."""
    return re.match(r"(is|does|has|cannot) |\{", text) is not None and text[-1] not in ".?!"


def test_there_are_messages_and_their_parts_are_put_together():
    texts = {message.text for message in MESSAGES}
    assert len(texts) > 700
    assert "max_obvious is {max_obvious}. Give a number of labels, 0 or more." in texts
    assert sum("items are distinct" in text for text in texts) == 1  # the text of a doubt


def test_messages_begin_with_a_capital_or_with_what_is_wrong():
    known = named_things(parsed())

    def wrong(text: str) -> bool:
        first = re.match(r"[a-z][\w-]*", text)
        return not (first is None or first[0] in known or re.match(r"[a-z]+ \{|\w+-|[a-z]+\d", text) or is_reason(text))

    assert not failing(wrong)


def test_messages_end_as_sentences():
    assert not failing(lambda text: text[-1] not in ".?!}" and not is_reason(text))


def test_messages_have_short_sentences():
    assert not failing(lambda text: any(len(sentence.split()) > MOST_WORDS for sentence in sentences(text)))


def test_messages_have_no_double_spaces():
    assert not failing(lambda text: "  " in text)


def test_messages_use_the_words_of_the_glossary():
    avoided = re.compile(rf"\b({'|'.join(map(re.escape, banned()))})\b", re.I)
    assert not failing(lambda text: avoided.search(without_code(text)) is not None)


def literal_parts(text: str) -> list[str]:
    """What a quoted message says whatever was filled in: without names in quotes, options, numbers and what was left out."""
    return [
        part
        for part in re.split(r"^pred_probs|^label column|^labels|Did you mean|'[^']*'|--\w+|[A-Z_]{9,}|…|[\d.,]*\d%?", text)
        if len(part.split()) > 1
    ]


def test_the_messages_that_the_page_of_errors_quotes_exist():
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `(.+?)` \|", page.split("## Common messages")[1], re.M)
    assert len(quoted) > 10
    strings = [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in getattr(node, "values", [node]))
        for tree in parsed().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr | ast.Constant)
    ]
    said = {" ".join(re.sub(r"'?X'?", " ", text).split()) for text in strings}
    for quote in quoted:
        parts = [" ".join(part.split()) for part in literal_parts(quote)]
        assert parts, quote
        assert any(all(part in text for part in parts) for text in said), quote


if __name__ == "__main__":
    for message in MESSAGES:
        print(f"{message.where}: {message.text}")
