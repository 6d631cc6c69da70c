"""`labelproof review`, `apply`, `export` and `import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from labelproof.cli import options as opt
from labelproof.cli.shared import FIND, app, err, out
from labelproof.errors import BadInput

if TYPE_CHECKING:
    from labelproof.review.log.session import ReviewSession

Folder = Annotated[Path, typer.Argument(help="Folder written by labelproof audit.")]
Database = Annotated[
    str | None, typer.Option(help="Where decisions are kept, e.g. postgresql://… for teams. Default: FOLDER.reviews.sqlite.")
]
Budget = Annotated[int, typer.Option(min=1, help="Total number of reviews, including earlier ones.")]


@app.command(rich_help_panel=FIND)
def review(
    folder: Folder,
    budget: Budget = 200,
    reviewer: Annotated[str | None, typer.Option(help="Your name. Default: the page asks.")] = None,
    measure: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the reviews that measure the error rate; the others hunt errors.")
    ] = 0.4,
    overlap: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the items that two people review.")] = 0.0,
    blind: Annotated[bool, typer.Option("--blind", help="Hide which label was given and which is suggested.")] = False,
    database: Database = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 admits other machines that have the token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port. Default: 8765 or the next free one; 0: any.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    seed: opt.Seed = 0,
) -> None:
    """Re-check the labels that matter on a page in the browser, within a budget.

    The same command resumes where it was stopped.

    [bold]labelproof review audit/ --budget 200[/bold]
    """
    import sys
    from contextlib import ExitStack

    from labelproof.review.exchange.apply import can_repair, is_reviewed
    from labelproof.review.page.desk import Desk
    from labelproof.review.page.guard import reviewer_name
    from labelproof.review.page.opening import open_browser
    from labelproof.review.page.serving import serve

    name = None if reviewer is None else reviewer_name(reviewer)
    session = _session(folder, database, budget, measure=measure, overlap=overlap, random_state=seed)
    desk = Desk(session, blind)
    session.figures()  # before the page asks

    def ready(address: str, token: str) -> None:
        done = _count(session.figures().reviewed, "label")
        out.print(f"{session.left():,} of {_count(budget, 'review')} to do, {done} reviewed.")
        if not blind:  # the outlook is about the given labels
            out.print(session.outlook())
        out.print("Open\n")
        out.print(f"  {address}/?token={token}\n", soft_wrap=True, highlight=False, markup=False)
        out.print("Every decision is saved at once. Stop with Ctrl-C; the same command resumes.")
        if browser and sys.stdout.isatty():
            open_browser(held, address, token)

    with ExitStack() as held:
        serve(desk, title=folder.resolve().name, host=host, port=port, reviewer=name, ready=ready)
    session = desk.now().session
    session.sync()
    figures = session.figures()
    rate = figures.error_rate
    known = session.candidates
    every = "Of all labels" if known.whole else f"Of the {len(known):,} labels that look worst"
    err.print(
        f"\n{_count(figures.reviewed, 'label')} reviewed, {figures.wrong:,} of them wrong. {every} {rate.estimate:.1%} are wrong "
        f"(95 % interval {rate.low:.1%} to {rate.high:.1%}{'' if figures.from_reviews else ', by the audit alone'}).\n{figures.advice} {session.outlook()}"
    )
    if can_repair(known) and (known.part.writes_anew or is_reviewed(known, session.store)):
        err.print(f"Next: [bold]labelproof apply {escape(str(folder))} --out clean.csv[/bold]")
    session.store.close()


@app.command("apply", rich_help_panel=FIND)
def apply_command(
    folder: Folder,
    target: Annotated[
        Path, typer.Option("--out", help="Table (.csv .tsv .parquet), or a file or folder in the form of the input.")
    ] = Path("clean.csv"),
    obvious: Annotated[
        bool, typer.Option("--obvious", help="Also replace unreviewed obvious errors by their suggestions.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add two columns: the original label, and why it changed.")
    ] = False,
    database: Database = None,
    overwrite: opt.Overwrite = False,
) -> None:
    """Write a copy of the data set with repaired labels. Nothing else differs; the original is not touched.

    [bold]labelproof apply audit/ --out clean.csv[/bold]
    """
    from labelproof.review.candidates import open_candidates
    from labelproof.review.exchange.apply import is_reviewed, repair
    from labelproof.review.exchange.verified import no_reviews, open_store

    candidates = open_candidates(folder)
    needs_reviews = not (obvious or candidates.part.writes_anew)
    store = open_store(folder, database, must_exist=needs_reviews)
    if needs_reviews and not is_reviewed(candidates, store):
        store.close()
        raise no_reviews(folder, "nobody has decided about a label")
    done = repair(candidates, store, target, obvious=obvious, explain=explain, overwrite=overwrite)
    store.close()
    out.print(
        f"{_count(done.reviewed, 'label')} changed by reviews"
        + (f" ({done.emptied:,} emptied: none of the classes)" if done.emptied else "")
        + (f", {_count(done.obvious, 'obvious error')} changed without a review" if obvious else "")
        + f". Written to [bold]{escape(str(target))}[/bold]"
    )


@app.command("export", rich_help_panel=FIND)
def export_command(
    folder: Folder,
    to: Annotated[str, typer.Option(help="label-studio (a folder of tasks and a configuration) or csv.")] = "csv",
    target: Annotated[Path | None, typer.Option("--out", help="reviews.csv, or the folder label-studio/.")] = None,
    budget: Budget = 200,
    database: Database = None,
    overwrite: opt.Overwrite = False,
) -> None:
    """Export the review queue to a spreadsheet or to Label Studio; labelproof import reads the answers.

    [bold]labelproof export audit/ --to label-studio --out tasks/[/bold]
    """
    from labelproof.review.exchange.label_studio import write_label_studio
    from labelproof.review.exchange.spreadsheet import write_csv

    if to not in ("csv", "label-studio"):
        raise BadInput(f"--to is {to!r}. Choose csv or label-studio.")
    goal = target or Path("reviews.csv" if to == "csv" else "label-studio")
    session = _session(folder, database, budget)
    count = (write_csv if to == "csv" else write_label_studio)(session, goal, overwrite)
    out.print(f"{_count(count, 'line' if to == 'csv' else 'task')} written to [bold]{escape(str(goal))}[/bold]")
    if to == "label-studio":
        out.print("In a new project paste config.xml under Labeling Interface › Code, then import tasks.json.")
    out.print(f"Next, with the answers: [bold]labelproof import {escape(str(folder))} FILE[/bold]")


@app.command("import", rich_help_panel=FIND)
def import_command(
    folder: Folder,
    answers: Annotated[Path, typer.Argument(help="JSON export of Label Studio, or the completed .csv.")],
    reviewer: Annotated[str | None, typer.Option(help="Reviewer of rows that name none.")] = None,
    database: Database = None,
) -> None:
    """Record decisions made in a spreadsheet or in Label Studio. Importing twice changes nothing.

    [bold]labelproof import audit/ export.json[/bold]
    """
    from labelproof.review.exchange.label_studio import read_label_studio
    from labelproof.review.exchange.spreadsheet import read_csv
    from labelproof.saving.files import existing

    existing(answers, "file")
    session = _session(folder, database, 1)
    done = read_label_studio(session, answers) if answers.suffix.lower() == ".json" else read_csv(session, answers, reviewer)
    out.print(
        f"{_count(done.recorded, 'decision')} recorded, {done.known:,} already known, {_count(done.empty, 'item')} without an answer."
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _session(folder: Path, database: str | None, budget: int, **options: Any) -> ReviewSession:
    from labelproof.review.candidates import open_candidates
    from labelproof.review.exchange.verified import open_store
    from labelproof.review.log.session import ReviewSession

    candidates = open_candidates(folder)
    return ReviewSession(candidates, open_store(folder, database), budget=budget, **options)
