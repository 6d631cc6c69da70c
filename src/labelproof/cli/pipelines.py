"""`labelproof check` and `labelproof compare`."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from labelproof.cli import options as opt
from labelproof.cli.audit import audited, named
from labelproof.cli.shared import FIND, app, out, print_rows
from labelproof.errors import BadInput

if TYPE_CHECKING:
    from labelproof.auditing.check import Check
    from labelproof.auditing.compare import Comparison
    from labelproof.auditing.findings import Audit
    from labelproof.auditing.paired import Difference
    from labelproof.validation import Json

JsonFile = Annotated[Path | None, typer.Option("--json", help="JSON file for the outcome; replaced if it exists.")]


@app.command("check", rich_help_panel=FIND)
@opt.with_options_of(audited)
def check_command(
    *,
    max_error_rate: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Allowed share of wrong labels; fails if the low end of the interval is above it."),
    ] = None,
    max_obvious: Annotated[int | None, typer.Option(min=0, help="Allowed number of obvious errors.")] = None,
    no_doubts: Annotated[bool, typer.Option("--no-doubts", help="Fail if there is any doubt about the figures.")] = False,
    json_file: JsonFile = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML file for the outcome; replaced if it exists.")] = None,
    **asked: Any,
) -> None:
    """Fail a pipeline if too many labels are wrong. Exit status: 0 passed, 1 failed, 2 bad input.

    Takes what labelproof audit takes, or a folder that it wrote.

    [bold]labelproof check reviews.csv --label sentiment --text body --max-error-rate 0.05[/bold]
    """
    from labelproof.auditing.check import check
    from labelproof.report.junit import junit_xml

    for file in (json_file, junit):
        _check_report(file, [asked[name] for name in ("data", "labels", "pred_probs", "tags", "features")])
    limits: dict[str, Any] = {"max_error_rate": max_error_rate, "max_obvious": max_obvious, "no_doubts": no_doubts}
    done = check(_audit_of(asked, limits), **limits)
    if json_file is not None:
        _write(json_file, json.dumps(done.to_json(), indent=1, ensure_ascii=False).encode() + b"\n")
    if junit is not None:
        _write(junit, junit_xml(done, name=named(asked)))
    _print_check(done)
    if not done.passed:
        raise typer.Exit(1)


def _audit_of(asked: Json, limits: Json) -> Audit | Path:
    """The audit that is made, or the folder of one that exists."""
    from labelproof.auditing.check import check_limits, is_audit_folder

    check_limits(**limits)
    data = asked["data"]
    if data is None or not is_audit_folder(data):
        made: Audit = audited(**asked)
        return made
    defaults = inspect.signature(audited).parameters
    given = [name for name, value in asked.items() if name != "data" and value not in (defaults[name].default, [])]
    if given:
        raise BadInput(
            f"{str(data)!r} is an audit that exists; --{given[0].strip('_').replace('_', '-')} is for one that is made. Leave it out."
        )
    return Path(data)


def _check_report(file: Path | None, inputs: list[Path | None]) -> None:
    """Refuse to write over what is read."""
    if file is not None and any(given is not None and file.resolve() == given.resolve() for given in inputs):
        raise BadInput(f"{str(file)!r} is an input and is not overwritten. Name another file.")


def _write(file: Path, data: bytes) -> None:
    from labelproof.saving.files import atomic_write

    atomic_write(file, data)


def _print_check(done: Check) -> None:
    for doubt in done.audit.doubts:
        out.print(f"[bold yellow]Read this first.[/bold yellow] {escape(doubt.text)}", highlight=False)
    for rule in done.rules:
        passed = "[green]passed[/green]" if rule.decided else "[yellow]passed, undecided[/yellow]"
        mark = passed if rule.passed else "[bold red]failed[/bold red]"
        out.print(f"{mark}  {rule.name}: {escape(rule.text)}", highlight=False, soft_wrap=True)
    obvious, possible = done.audit.counts["obvious"], done.audit.counts["possible"]
    out.print(f"{obvious:,} obvious, {possible:,} possible errors in {done.audit.sites:,} labels.", highlight=False)


@app.command("compare", rich_help_panel=FIND)
def compare_command(
    before: Annotated[Path, typer.Argument(help="Folder that labelproof audit wrote.")],
    after: Annotated[Path, typer.Argument(help="Folder of another audit, of the same or of other items.")],
    json_file: JsonFile = None,
    carry: Annotated[
        bool,
        typer.Option("--carry", help="Also copy the review decisions of the first audit that still apply."),
    ] = False,
    database: Annotated[
        str | None,
        typer.Option(help="With --carry: where decisions are kept, e.g. postgresql://…. Default: FOLDER.reviews.sqlite."),
    ] = None,
) -> None:
    """Compare two audits: new, solved and changed findings, and the difference of their error rates.

    [bold]labelproof compare before/ after/[/bold]
    """
    from labelproof.auditing.compare import compare
    from labelproof.saving.files import existing

    if database is not None and not carry:
        raise BadInput("--database needs --carry. Add --carry, or remove --database.")
    _check_report(json_file, [folder / name for folder in (before, after) for name in ("issues.parquet", "summary.json")])
    done = compare(existing(before, "audit folder"), existing(after, "audit folder"))
    if json_file is not None:
        text = json.dumps(done.to_json(), indent=1, ensure_ascii=False)
        _write(json_file, text.encode() + b"\n")
    _print_comparison(done)
    if carry:
        _carry(before, after, database)


def _print_comparison(done: Comparison) -> None:
    sides = {"before": done.before, "after": done.after}
    for name, found in sides.items():
        rate = found.error_rate
        out.print(
            f"{name:<7} [bold]{rate.estimate:.1%}[/bold] of {found.sites:,} labels look wrong "
            f"(95 % interval {rate.low:.1%} to {rate.high:.1%})",
            highlight=False,
        )
    counts = done.counts
    out.print(
        f"\n[bold]{counts['new']:,} new, {counts['solved']:,} solved, {counts['changed']:,} changed[/bold] findings; "
        f"{counts['same']:,} the same. {done.shared:,} labels are in both audits, {done.relabelled:,} of them relabelled; "
        f"{done.only_before:,} only before, {done.only_after:,} only after.",
        highlight=False,
        soft_wrap=True,
    )
    out.print(f"The error rate changed by [bold]{_points(done.difference)}[/bold].", highlight=False)
    if done.shared > done.relabelled and round(1000 * abs(done.disagreement.estimate)) > 0:
        out.print(
            f"Among labels that did not change, the second audit finds {_points(done.disagreement)} more wrong: one of the two errs.",
            highlight=False,
            soft_wrap=True,
        )
    rows = [row for status in ("new", "solved", "changed") for row in done.findings.filter(status=status).head(4).to_dicts()]
    if rows:
        keys = list(rows[0])[: list(rows[0]).index("status") + 1]
        out.print()
        print_rows((*keys, "given", "suggested", "wrong"), [[*(row[key] for key in keys), *_moves(row)] for row in rows])


def _moves(row: Json) -> list[object]:
    """Given label, suggestion and error probability: before and, if it differs, after."""
    found: list[object] = []
    for name in ("given", "suggested", "error"):
        old, new = (
            "-" if value is None else f"{value:.1%}" if isinstance(value, float) else value
            for value in (row[f"{name}_before"], row[f"{name}_after"])
        )
        found.append(old if old == new else f"{old} → {new}")
    return found


def _points(found: Difference) -> str:
    return f"{found.estimate * 100:+.1f} points (95 % interval {found.low * 100:+.1f} to {found.high * 100:+.1f})"


def _carry(before: Path, after: Path, database: str | None) -> None:
    from labelproof.review.candidates import open_candidates
    from labelproof.review.exchange.carry import carry
    from labelproof.review.exchange.verified import open_store

    old, new = open_candidates(before), open_candidates(after)
    source = open_store(before, database, must_exist=True)
    target = source if database is not None else open_store(after)
    done = carry(old, source, new, target)
    for store in {source, target}:
        store.close()
    out.print(
        f"{done.recorded:,} decisions copied, {done.known:,} already known. Not copied: {done.relabelled:,} whose label has changed "
        f"since, {done.absent:,} whose item or class is gone.",
        highlight=False,
        soft_wrap=True,
    )
