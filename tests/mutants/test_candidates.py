"""The changes that are tried are those that may change an answer, and a sample lives through edits elsewhere."""

from __future__ import annotations

from candidates import sample
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

CODE = '''
"""A module."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    """A thing."""

    value: int | None = 3

    def __repr__(self) -> str:
        return "thing" + str(self.value + 1)


def half(x: float | int, *, scale: float = 2.0) -> float | None:
    """Half of x."""
    assert x != 7
    if x < 0:
        raise ValueError(f"x is {x - 1}, not " + "above zero")
    text = f"{x + 1:.1f}"
    return x / scale
'''


def changes(path, size=1000):
    """The changed line of each mutant, by its id."""
    items, _ = sample(path, size, 21)
    old, found = path.read_text().splitlines(), {}
    for item in items:
        (mutation,) = item.mutations
        new = mutate_code(path.read_text(), get_operator(mutation.operator_name)(), mutation.occurrence).splitlines()
        found[item.job_id] = next(line.strip() for line, was in zip(new, old, strict=True) if line != was)
    return found


def test_what_cannot_change_an_answer_is_left_alone(tmp_path):
    path = tmp_path / "half.py"
    path.write_text(CODE)
    signature = "def half(x: float | int, *, scale: float ={}) -> float | None:"
    comparisons = {f"if x {sign} 0:" for sign in ("==", "!=", "<=", ">", ">=")}
    assert set(changes(path).values()) == {
        "value: int | None = 4", "value: int | None = 2", signature.format(" 3.0"), signature.format(" 1.0"), "if not x < 0:",
        "if x < 1:", "if x < -1:", "return x + scale", "return x - scale", "return x * scale",
    } | comparisons  # fmt: skip


def test_a_sample_is_the_same_after_an_edit_elsewhere(tmp_path):
    path = tmp_path / "half.py"
    path.write_text(CODE)
    before = changes(path, 8)
    assert len(before) == 8
    path.write_text(CODE.replace('"""A module."""', '"""A module.\n\nOf more words.\n"""') + "\n\nLIMIT = 3\n")
    after = changes(path)
    assert before.items() <= after.items()
