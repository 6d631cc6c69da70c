"""To Label Studio and back: tasks with predictions, a labelling configuration, and annotations as decisions."""

from __future__ import annotations

import json
import os
from typing import Any

from labelproof.data.dataset import data_url
from labelproof.errors import BadInput
from labelproof.review.exchange.spreadsheet import Imported, checked_seconds, checked_time, record_imported, uid_of
from labelproof.review.log.session import ReviewSession
from labelproof.review.log.store import Decision
from labelproof.review.page.describe import Describer
from labelproof.review.page.guard import reviewer_name
from labelproof.saving.files import existing
from labelproof.saving.folders import atomic_folder
from labelproof.saving.version import VERSION
from labelproof.validation import Json

TASKS_FILE, CONFIG_FILE = "tasks.json", "config.xml"
ITEM, LABEL, DOUBT = "item", "label", "doubt"  # the displayed part, and the two questions of the configuration
NONE, UNSURE = "none of these classes", "unsure"
UNKNOWN_USER = "label-studio user {}"


def write_label_studio(session: ReviewSession, folder: str | os.PathLike[str], overwrite: bool = False) -> int:
    """Write ``tasks.json`` and ``config.xml``, both to be given to a new Label Studio project.

    The open items of the queue become tasks, in its order, with the suggestion as a prediction whose score is its confidence, or
    with the tags that are more likely right than wrong. Pictures travel inside the tasks. Returns the number of tasks.
    """
    describer = Describer(session.candidates)
    done = {decision.item for decision in session.decisions if decision.action != "skip"}
    ids = session.candidates.table["id"]
    tasks = [_task(session, describer, rank) for rank in session.queue.rows.tolist() if ids[rank] not in done]
    if not tasks:
        raise BadInput("Every item of the queue is reviewed. Give a larger --budget.")
    picture = any(task["data"].get("picture") for task in tasks)
    with atomic_folder(folder, overwrite=overwrite) as partial:
        (partial / TASKS_FILE).write_text(json.dumps(tasks, ensure_ascii=False, indent=1), encoding="utf-8")
        (partial / CONFIG_FILE).write_text(_config(session, picture), encoding="utf-8")
        about = {"labelproof": VERSION, "kind": "label-studio", "tasks": len(tasks)}
        (partial / "summary.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return len(tasks)


def _task(session: ReviewSession, describer: Describer, rank: int) -> Json:
    candidates = session.candidates
    item = describer.item(rank)
    text = describer.text(rank) or f"item {item['id']}"
    found, score = candidates.part.results(rank, text)
    data = {
        "labelproof_id": item["id"],
        "labelproof_audit": candidates.fingerprint,
        "given": f"given label: {candidates.part.said(candidates.part.given(rank))}; probability that it is wrong: {item['error_probability']:.1%}",
        "text": text,
    }
    image = describer.picture(rank) if item.get("picture") else b""
    if image:
        data["picture"] = data_url(image)
    results = [{"from_name": LABEL, "to_name": ITEM, **result} for result in found]
    version = f"labelproof {VERSION}"
    return {"data": data, "predictions": [{"model_version": version, "score": score, "result": results}]}


def _config(session: ReviewSession, picture: bool) -> str:
    shown = f'<Image name="{ITEM}" value="$picture"/>' if picture else f'<Text name="{ITEM}" value="$text"/>'
    none = f'    <Choice value="{NONE}"/>\n' if session.candidates.part.may_be_none else ""
    return f"""<View>
  {shown}
  <Header value="$given" size="5"/>
{session.candidates.part.control(LABEL, ITEM)}
  <Choices name="{DOUBT}" toName="{ITEM}" choice="single-radio" showInLine="true">
{none}    <Choice value="{UNSURE}"/>
  </Choices>
</View>
"""


def read_label_studio(session: ReviewSession, path: str | os.PathLike[str]) -> Imported:
    """Record the annotations of a JSON export of Label Studio.

    Each annotation is a decision of the person who completed it, by e-mail if the export holds it, otherwise by number, with
    its time and ``lead_time``. A cancelled one means *later*; one that answers "none of these classes" or "unsure" is that,
    whatever label it also has; one without an answer counts as empty. Several of one reviewer come in order of time, so the
    last counts.

    Raises
    ------
    BadInput
        If the file is no such export, belongs to another audit, or names an unknown item or class; nothing is recorded then.
    """
    file = existing(path, "export")
    try:
        tasks = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise BadInput(f"{str(file)!r} is not readable JSON ({error}). Export from Label Studio as JSON.") from error
    if not isinstance(tasks, list) or any(
        not isinstance(task, dict) or not isinstance(task.get("data"), dict) for task in tasks
    ):
        raise BadInput(f"{str(file)!r} is not a list of Label Studio tasks. Export as JSON, not as JSON-MIN or CSV.")
    ids = [str(task["data"].get("labelproof_id", "")) for task in tasks]
    ranks = session.candidates.ranks_of(ids)
    about = {audit: session.is_about(audit) for audit in {str(task["data"].get("labelproof_audit")) for task in tasks}}
    decisions: list[Decision] = []
    empty = 0
    for number, (task, item) in enumerate(zip(tasks, ids, strict=True)):
        where = f"{str(file)!r} task {task.get('id', number)}"
        if not about[str(task["data"].get("labelproof_audit"))]:
            raise BadInput(
                f"{where} belongs to another audit, or its labels have changed since. Import it into the audit that it was exported from."
            )
        if item not in ranks:
            raise BadInput(f"{where}: The audit has no item {item!r}.")
        text = str(task["data"].get("text", ""))
        found = [_decision(session, ranks[item], annotation, text, where) for annotation in task.get("annotations") or []]
        decisions += [decision for decision in found if decision is not None]
        empty += not any(found)
    return record_imported(session, decisions, empty)


def _decision(session: ReviewSession, rank: int, annotation: Any, text: str, where: str) -> Decision | None:
    if not isinstance(annotation, dict):
        raise BadInput(f"{where} has an annotation that is not valid. Export again.")
    answers: dict[str, list[Json]] = {}
    for part in annotation.get("result") or []:
        value = part.get("value") if isinstance(part, dict) else None
        if isinstance(value, dict):
            answers.setdefault(str(part.get("from_name")), []).append(value)
    doubt = [choice for value in answers.get(DOUBT, []) for choice in value.get("choices") or []]
    action: Any = "relabel"
    label: object = None
    if annotation.get("was_cancelled"):
        action = "skip"
    elif doubt:
        action = "none" if NONE in doubt else "unsure"
    else:
        try:
            label = session.candidates.part.answered(answers.get(LABEL, []), rank, text)
        except BadInput as error:
            raise BadInput(f"{where}: {error}") from error
        if label is None:
            return None
    when = checked_time(annotation.get("updated_at") or annotation.get("created_at"), where)
    seconds = checked_seconds(annotation.get("lead_time"), where)
    uid = uid_of(session.data, "label-studio", annotation.get("id"), annotation.get("unique_id"), when, action, label)
    try:
        made = session.checked(_reviewer(annotation.get("completed_by")), rank, action, label, uid, seconds)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
    return Decision(**{**vars(made), "decided_at": when, "source": "label-studio"})


def _reviewer(completed_by: object) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("username") or completed_by.get("id")
    if isinstance(completed_by, str) and completed_by.strip():
        return reviewer_name(completed_by)
    return UNKNOWN_USER.format("?" if completed_by is None else completed_by)
