"""`audit`: labels and probabilities in, findings out."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from labelproof.auditing.blockwise import audit_into, beyond_memory
from labelproof.auditing.doubts.base import say
from labelproof.auditing.doubts.of_data import of_data, of_unlabelled
from labelproof.auditing.doubts.of_probabilities import of_own_model
from labelproof.auditing.encoded import AUTO
from labelproof.auditing.findings import Audit
from labelproof.auditing.folds import CrossValidation, blocks_of
from labelproof.auditing.kinds import AUDITORS
from labelproof.auditing.kinds.base import Auditor, Known
from labelproof.auditing.kinds.classes import matched
from labelproof.auditing.neighbours import near_of
from labelproof.data.array_files import from_file
from labelproof.data.dataset import Dataset
from labelproof.data.libraries import is_source
from labelproof.data.readers.frame import read_frame
from labelproof.errors import BadInput, did_you_mean
from labelproof.labels.base import Labels
from labelproof.labels.tags import Tags
from labelproof.saving.folders import atomic_folder
from labelproof.threads import at_most
from labelproof.validation import Json, RandomState, accepts_seed, check_ids, check_pandas_index

# unused if probabilities are given
OF_CROSS_VALIDATION = ("blocked", "estimator", "encoder", "n_folds", "n_repeats", "n_jobs", "map_folds", "random_state")


@accepts_seed
def audit(
    labels: Any,
    pred_probs: Any = None,
    *,
    label: str | None = None,
    text: str | Sequence[str] | None = None,
    image: str | None = None,
    classes: Sequence[Any] | None = None,
    ids: Any = None,
    missing: Sequence[Any] | None = None,
    estimator: Any = None,
    encoder: Any = AUTO,
    ignore: Sequence[str] = (),
    keep: Sequence[str] = (),
    group: str | None = None,
    blocked: bool = False,
    kind: str | None = None,
    features: Any = None,
    neighbours: bool | None = None,
    n_folds: int = 5,
    n_repeats: int = 1,
    n_jobs: int | None = None,
    map_folds: Any = map,
    random_state: RandomState = 0,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    **options: object,
) -> Audit:
    """Find wrong labels.

    The noise ``p(z | y)`` and the prior ``p(y)`` are fitted by EM to the given labels and the predicted probabilities
    (`labelproof.noise.expectation_maximization`); a label's error probability is one minus its posterior,

        ``error_probability = 1 - p(y = z | z, x)``,  ``p(y | z, x) ∝ p(z | y, x) p(y | x)``.

    Parameters
    ----------
    labels : array-like or path, shape (n,), Labels, Dataset, or a frame or data set of another library
        Given labels, as names or integers: one class per item, or the path of a ``.npy`` file of them. Or their source: a
        pandas or polars frame, an Arrow table, a ``datasets.Dataset``, an AnnData, a torch ``Dataset`` of pairs ``(x, y)``
        (`labelproof.read_frame`). `labelproof.Tags` and the other kinds of `labelproof.labels` for others. ``None``, NaN and
        "" mean unlabelled, and so do words such as "NA", with a warning; -1 does too if the columns allow no other reading
        (`labelproof.validation.check_labels`).
    pred_probs : array-like or path, shape (n, k), optional
        Out-of-sample class probabilities, e.g. from cross-validation: an array, a memory-mapped one, the path of a
        ``.npy`` file, of a Parquet file or of a folder of them (a column for each class, or one of lists), a scipy sparse
        matrix with the most probable classes of each row, or a list of these from several models, which are averaged.
        Files may be larger than memory. Optional for a `Dataset`, where `labelproof.out_of_sample_probs` makes them. For
        numbers: predictions, shape (n,), or a list of them from several models. For spans: probabilities of each tag, an array
        (tokens, k) for each sentence.
    label, text, image : str, optional
        For a frame given as ``labels``: the column of given labels, and the column (or columns) of text, or the column of
        pictures, to learn from. Without ``text`` and ``image``, all other columns are learned from.
    classes : sequence of length k, optional
        The class of each column of ``pred_probs``, if they are not in sorted order.
    ids : array-like, shape (n,), optional
        Unique names of the items, or the column of a frame that holds them. By default the index of a pandas frame or the
        names of cells, otherwise row numbers.
    missing : sequence, optional
        The labels that mean unlabelled, instead of those above; ``()`` for none.
    estimator : scikit-learn classifier, optional
        Makes the probabilities of a `Dataset`. By default models that suit its kind, chosen by their out-of-sample loss.
    encoder : str, callable, scikit-learn transformer or None, default="auto"
        Makes features of texts and pictures for that model: ``auto`` (what is installed), ``none``, ``st:NAME``, ``hf:NAME``,
        ``onnx:FOLDER``, ``minilm``, ``efficientnet-lite2``, or a function or transformer (`labelproof.out_of_sample_probs`).
    ignore, keep : sequence of str, optional
        For a frame of columns: columns to ignore, and columns to learn from although they reveal the label.
    group : str, optional
        For a frame: a column, such as a document or a patient. Rows with the same value stay in one fold.
    blocked : bool, default=False
        Whether each fold is a block of consecutive rows, as suits a time series, in which neighbouring rows are similar.
    kind : {"classes", "numbers", "spans"}, optional
        For a frame: the kind of labels in the column. By default classes.
    features : array-like, shape (n, d), optional
        Features that define how similar items are, e.g. embeddings. By default those of the encoder, or the items themselves
        if they are arrays, pictures, cells or tables of numbers.
    neighbours : bool, optional
        Whether to search for duplicates, outliers and items whose neighbours disagree (`labelproof.auditing.neighbours`). By
        default always with ``features`` or an encoder, and up to 20,000 items without them. Duplicates with different labels
        share their truth, so the odd one out is more probably wrong.
    n_folds, n_repeats, map_folds
        Options of the cross-validation; see `labelproof.out_of_sample_probs`.
    n_jobs : int, optional
        For the cross-validation, folds to fit at a time. For large arrays and files, threads that score: by default as many as
        the process may use (`labelproof.threads.usable`). Small ones are scored by one thread.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the cross-validation.
    out : path, optional
        Folder to write the audit into, as ``save`` would. For more than 20 million class labels with ``pred_probs``, the
        findings are written block by block and never held in memory. A `labelproof.auditing.larger.LargerAudit` is returned,
        whose ``issues`` are scanned lazily.
    overwrite : bool, default=False
        Whether to replace an existing audit.
    **options
        Options of the kind of label. For tags:

        dependence : bool, default=True
            Whether to model dependence between tags (`labelproof.auditing.kinds.tags`).

        For votes:

        strength : float, optional
            Weight of the prior of an annotator's confusions, in votes per class. By default chosen by the evidence.

        For spans:

        classes : sequence of length k, optional
            The tags in the order of the columns of ``pred_probs``. By default the given tags, sorted.

        None for numbers. There, ``features`` show where predictions are off and how far good numbers scatter.

        For classes:

        transition : TransitionMatrix or array-like, shape (k, k), optional
            Known noise, used instead of being fitted.
        strength : float, optional
            Pseudo-items per class that shrink its row of the transition to the overall error rate. By default chosen by the
            evidence.
        ambiguity : float in [0, 1]
            How strongly an uncertain prediction means that the label was given at random. By default both kinds of noise are
            considered, weighted by the data (`labelproof.auditing.sharpness`).
        reviews : array-like, shape (n,), or mapping of id to label, optional
            True labels that a person has verified; unreviewed items are missing as in ``labels``. Their findings are certain,
            and all others are recalibrated (`labelproof.auditing.calibrate`).

    Returns
    -------
    Audit

    Raises
    ------
    BadInput

    Warns
    -----
    DoubtWarning
        For each doubt in the audit's ``doubts``.

    Examples
    --------
    >>> import numpy as np, labelproof as lp
    >>> rng = np.random.default_rng(0)
    >>> true = rng.integers(0, 3, 600)
    >>> probs = np.where(np.eye(3, dtype=bool)[true], 0.9, 0.05)
    >>> noisy = lp.simulate.symmetric(true, 0.1, random_state=0)
    >>> found = lp.audit(noisy.labels, probs)
    >>> bool(np.all((found.error_probability > 0.5) == noisy.changed))
    True
    """
    asked = {**locals(), **options}
    if out is not None:
        return _written(Path(out), overwrite, asked)
    if isinstance(labels, str | os.PathLike):
        if label is not None or Path(labels).suffix not in (".npy", ".npz"):
            raise BadInput(
                f"{str(labels)!r} is a file of items. Read it first: lp.audit(lp.read_file({str(labels)!r}, label=…))."
            )
        labels = from_file(labels, "labels")
    if label is not None or is_source(labels):
        check_pandas_index(frame=labels, pred_probs=pred_probs)
        learn = pred_probs is None
        labels = read_frame(
            labels,
            label,
            text=text,
            image=image,
            ids=ids,
            ignore=ignore,
            keep=keep,
            group=group,
            missing=missing,
            learn=learn,
            kind=kind,
        )
        ids = missing = None
    elif group is not None:
        raise BadInput("group names a column of a frame. Give the frame and label=, or make the Dataset with groups=.")
    elif ignore or keep:
        raise BadInput("ignore and keep name columns of a frame. Give the frame and label=, or give them to lp.read_table.")
    elif kind is not None:
        raise BadInput(
            "kind describes a column of a frame. Give the frame and label=, or labels such as lp.Numbers(values) or lp.Tags(…)."
        )
    if isinstance(labels, Dataset | Labels) and classes is not None:
        options, classes = _columns_named(labels, classes, options), None
    if isinstance(labels, Dataset) and ids is not None:
        raise BadInput("ids cannot be given here: the Dataset has its own. Omit them.")
    how = CrossValidation(n_folds, n_repeats, n_jobs, random_state, map_folds)
    dataset = dataset_of(labels, pred_probs)
    model, encoded = None, None
    if dataset is not None and dataset.reader is not None and isinstance(pred_probs, str | os.PathLike):
        pred_probs = dataset.reader.predictions(pred_probs, dataset)
    if dataset is not None and pred_probs is None:
        pred_probs, model, encoded = _predicted(dataset, how, blocked, estimator, encoder)
    elif encoder != AUTO or group is not None or blocked:
        raise BadInput(
            "encoder, group and blocked are options of the model that audit cross-validates. Omit them when you give pred_probs."
        )
    checked, pred_probs = _checked(labels, dataset, pred_probs, classes, missing)
    ids = (checked.item_names if dataset is None else dataset.ids) if ids is None else ids
    names = None if ids is None else check_ids(ids, len(checked))
    auditor = AUDITORS[checked.kind]
    near = None if neighbours is False else near_of(checked, dataset, features, encoded, model, asked=bool(neighbours))
    x = features if features is not None else None if dataset is None else dataset.x
    known = Known(x=x, groups=None if dataset is None else dataset.groups, near=near)
    with at_most(n_jobs):
        judged = auditor.judge(checked, pred_probs, names, **_options(auditor, checked.kind, options, known))
    labels = checked if judged.labels is None else judged.labels
    found = (
        list(judged.doubts) if model is None else of_own_model(judged.doubts, grouped=blocked or known["groups"] is not None)
    )
    found += [] if dataset is None else of_data(dataset, probs_given=model is None)
    found += of_unlabelled(checked.n, checked.labelled)
    return Audit(
        labels=labels,
        findings=judged.findings,
        noise=judged.noise,
        error_rate=judged.error_rate,
        ids=names,
        skipped=[] if dataset is None else dataset.skipped,
        source={} if dataset is None else dataset.source,
        dataset=dataset,
        doubts=say(found),
        split=None if dataset is None else dataset.split,
        model=model,
        found_of_items=judged.items,
        found_of_sites=judged.sites,
        near=near,
    )


def dataset_of(labels: Any, pred_probs: Any) -> Dataset | None:
    """The items, if they are known: a data set, or labels that hold their items, if these are to be predicted."""
    if isinstance(labels, Dataset):
        return labels
    return AUDITORS[labels.kind].dataset_of(labels) if isinstance(labels, Labels) else None


def _predicted(dataset: Dataset, how: CrossValidation, blocked: bool, estimator: Any, encoder: Any) -> tuple[Any, Any, Any]:
    """Out-of-sample predictions, their model and its features; all ``None`` if there is nothing to predict from."""
    auditor = AUDITORS[dataset.labels.kind]
    if not auditor.needs_probs and getattr(dataset.x, "shape", ())[1:] == (0,):
        return None, None, None
    if blocked:
        if dataset.groups is not None:
            raise BadInput("blocked and group both decide which rows stay in one fold. Give only one of them.")
        dataset = replace(dataset, groups=blocks_of(len(dataset), how.n_folds))
    return auditor.predict(dataset, how, estimator=estimator, encoder=encoder)


def _checked(
    labels: Any, dataset: Dataset | None, pred_probs: Any, classes: Sequence[Any] | None, missing: Sequence[Any] | None
) -> tuple[Labels, Any]:
    """The labels, and the predictions with columns in the order of their classes."""
    if dataset is not None and not isinstance(labels, Labels):
        return dataset.labels, pred_probs
    if pred_probs is None and (not isinstance(labels, Labels) or AUDITORS[labels.kind].needs_probs):
        raise BadInput(
            "pred_probs is missing. Give out-of-sample probabilities (for numbers: predictions). Or give a Dataset, or a frame and label=, to have them made."
        )
    if not isinstance(labels, Labels):
        return matched(labels, pred_probs, classes, missing)
    if missing is not None:
        raise BadInput(f"missing is an option of {type(labels).__name__}(…). Pass it there, and omit it here.")
    return labels, pred_probs


def audit_tags(tags: Any, pred_probs: Any, *, names: Sequence[Any] | None = None, ids: Any = None, **options: Any) -> Audit:
    """`audit` of `labelproof.Tags`."""
    return audit(Tags(tags, names=names), pred_probs, ids=ids, **options)


def _written(out: Path, overwrite: bool, asked: Json) -> Audit:
    """The requested audit, in a folder; written block by block if it does not fit into memory."""
    options = {name: value for name, value in asked.items() if name not in ("out", "overwrite", "options")}
    with atomic_folder(out, overwrite=overwrite) as partial:
        if not beyond_memory(options["labels"], options["pred_probs"]):
            found = audit(**options)
            found.write_into(partial)
            return found
        made = audit_into(partial, **_blockwise(options))
    return replace(made, folder=out)


def _blockwise(options: Json) -> Json:
    """The options of an audit that is written block by block, if it takes them."""
    known = inspect.signature(audit_into).parameters
    for name, value in options.items():
        unset = value is None or value is False or (isinstance(value, tuple) and not value)
        if name not in (*known, *OF_CROSS_VALIDATION) and not unset:
            raise BadInput(f"{name!r} is no option of an audit this large, which is written block by block. Omit it.")
    return {name: value for name, value in options.items() if name in known}


def _columns_named(labels: Dataset | Labels, classes: Sequence[Any], options: Json) -> Json:
    """The options with ``classes``, if the auditor takes these for names of the columns of the predictions."""
    own = labels.labels if isinstance(labels, Dataset) else labels
    if "classes" not in inspect.signature(AUDITORS[own.kind].judge).parameters:
        raise BadInput("classes cannot be given here: such labels have their own, if any. Omit classes (--classes).")
    return options | {"classes": classes}


def _options(auditor: Auditor[Any], kind: str, options: Json, known: Known) -> Json:
    """The options, if the auditor takes them, and the facts that it has parameters for."""
    parameters = list(inspect.signature(auditor.judge).parameters)[3:]
    own = [name for name in parameters if name not in known]
    for name in options:
        if name not in own:
            near = did_you_mean(name, [*own, *inspect.signature(audit).parameters])
            raise BadInput(f"{name!r} is no option of an audit of {kind}. {near}It takes {', '.join(own) or 'none'}.")
    return options | {name: value for name, value in known.items() if name in parameters}
