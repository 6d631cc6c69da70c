"""Tables of the noise modeling network and of captions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _tables.base import ROOT, markdown, rows_of


def tag_detection() -> str:
    names = ("NMN-FI", "NMN-FD", "audit_tags", "cleanlab")
    body = []
    for row in rows_of("tag_detection"):
        for kind in ("missing", "incorrect"):
            values = [row[f"{kind}: {name}"] for name in names]
            if None not in values:
                cells = [f"**{v:.3f}**" if v == max(values) else f"{v:.3f}" for v in values]
                body.append([f"{row['data']}, {row['noise']}: which are {kind}", *cells])
    return markdown(["data, noise", *names], body)


def tag_step() -> str:
    body = [[row["step"], *(f"{row[name]:.2f}" for name in ("FI", "FD"))] for row in rows_of("tag_step")]
    return markdown(["1,000 tags", "feature-independent, times the classifier's step", "feature-dependent"], body)


def nmn_table(number: int) -> str:
    """Mean average precision, what a noise network gains on the epochs without it, and its rates beside the true ones."""
    from labelproof.experiments.nmn import ORACLE, TableRecord

    rows = TableRecord.open(ROOT / "docs" / "results", f"nmn-table-{number}").summary()
    found = {(row["data"], row["replaced"], row["pooling"], row["method"]): row for row in rows}
    body = []
    for data, replaced, pooling in sorted(dict.fromkeys(key[:3] for key in found)):
        own = {name: found.get((data, replaced, pooling, name)) for name in ("*", "NMN-FI", "NMN-FD", ORACLE)}
        plain = f"{own['*']['mean_ap']:.1f}" if own["*"] else "-"
        gains = [_gain(row, "gain", 2) for row in list(own.values())[1:]]
        rates = [_beside(own["NMN-FI"], name) for name in ("missing", "incorrect")]
        seeds = max(row["seeds"] for row in own.values() if row)
        body.append([f"{data}, {20 * replaced} %, {pooling}", plain, *gains, *rates, str(seeds)])
    header = ["data, captions replaced, pooling", "baseline*", "NMN-FI gains", "NMN-FD gains", "NMN-FI with true rates gains"]
    return markdown([*header, "missing, estimated / true", "incorrect, estimated / true", "seeds"], body)


def _beside(row: dict[str, Any] | None, name: str) -> str:
    """A learned rate beside the true one."""
    if row is None or row[name] is None:
        return "-"
    true = row[f"true_{name}"]
    return f"{row[name]:.3f} / " + ("-" if true is None else f"{true:.3f}")


def tag_rates() -> str:
    rows, body = rows_of("tag_rates"), []
    for name in dict.fromkeys(row["what"] for row in rows):
        cells = []
        for row in (one for one in rows if one["what"] == name):
            cells += [f"{row['missing']:.2f}", f"{row['incorrect']:.3f}", "-" if row["gain"] is None else f"{row['gain']:+.1f}"]
        body.append([name, *cells])
    header = [f"{name}, {share} %" for share in (20, 60) for name in ("missing", "incorrect", "gain")]
    return markdown(["scene, captions replaced", *header], body)


def tag_em() -> str:
    body = []
    for row in (row for row in rows_of("tag_em") if row["start"] == "estimated rates"):
        beyond = "-" if row["method"] == "end to end" else _with_interval(row, "likelihood_beyond", 3)
        cells = [f"{row['likelihood']:.3f}", beyond, f"{row['missing']:.2f}", f"{row['incorrect']:.3f}"]
        gain = _gain({"seeds": 5, **row}, "gain", 1)
        body.append([f"{row['replaced']} %, {row['epochs']} epochs: {row['method']}", *cells, gain, f"{row['times']:.1f}"])
    header = ["captions replaced, second stage", "log-likelihood", "beyond end to end", "missing", "incorrect"]
    return markdown([*header, "gains on baseline*", "times the time"], body)


def tag_omission() -> str:
    from tag_omission import OmissionRecord

    found = OmissionRecord.open(ROOT / "benchmarks" / "results", "tag_omission").summary()
    body = []
    for row in found:
        rates = [f"{row[name]:.3f}" for name in ("true_missing", "missing_at_top", "missing")]
        gains = [_gain(row, name, 2) for name in ("gain", "gain_true_rates")]
        body.append([f"{row['omitted']}, {row['pooling']}", *rates, *gains, str(row["seeds"])])
    header = ["omitted, pooling", "missing, true", "at the top", "estimated", "NMN-FI gains", "with true rates"]
    return markdown([*header, "seeds"], body)


def tag_own_rates() -> str:
    """What a noise network gains from rates of each tag's own, drawn together and true."""
    from tag_own_rates import OwnRecord

    body = []
    for row in OwnRecord.open(ROOT / "benchmarks" / "results", "tag_own_rates").summary():
        gains = [_gain({"seeds": row["draws"], **row}, name, 2) for name in ("gain", "gain_worst")]
        rates = [f"{row[f'{name}_worst']:.3f} / {row[f'true_{name}_worst']:.3f}" for name in ("missing", "incorrect")]
        body.append([row["rates"], *gains, *rates, str(row["draws"])])
    header = ["rates", "gains, all tags", "gains, worst tag", "missing, worst tag / true", "incorrect, worst tag / true"]
    return markdown([*header, "draws"], body)


def nmn_speech() -> str:
    """What a noise network gains by part of speech; also with three times the epochs."""
    from labelproof.experiments.nmn import TableRecord

    groups, body = ("NN", "JJ", "VB"), []
    tables = [(ROOT / "docs" / "results", f"nmn-table-{number}", "") for number in (1, 2)]
    for folder, name, how in [*tables, (ROOT / "benchmarks" / "results", "tag_long_training", "three times the epochs, ")]:
        for row in TableRecord.open(folder, name).summary():
            if row["method"] in ("*", "NMN-FI", "NMN-FD") and row["ap_NN"] is not None:
                cells = [f"{row[f'ap_{g}']:.1f}" if row["method"] == "*" else _gain_of(row, f"ap_{g}_gain") for g in groups]
                shown = f"{20 * row['replaced']} %, {how}{row['method'].replace('*', 'baseline*')}"
                body.append([shown, *cells, str(row["seeds"])])
    return markdown(["captions replaced", "nouns", "adjectives", "verbs", "seeds"], body)


def _gain_of(row: dict[str, Any], name: str) -> str:
    return _gain({"seeds": row["seeds"], "gain": row[name], "gain_±": row[f"{name}_±"]}, "gain", 2)


def nmn_evidence() -> str:
    """Noise that depends on features: what each noise network gains, and by how much it is ahead of the feature-independent one."""
    from labelproof.experiments.nmn_evidence import EvidenceRecord

    body = []
    for row in EvidenceRecord.open(ROOT / "docs" / "results", "nmn-evidence").summary():
        gains = ["-" if row["method"] == "*" else _gain(row, "gain", 2)]
        gains.append("-" if row["method"] in ("*", "NMN-FI") else _gain(row, "beyond_FI", 2))
        name = f"{row['case']}: {row['method'].replace('*', 'baseline*')}"
        rates = [_beside(row, "missing"), _beside(row, "incorrect")]
        body.append([name, f"{row['mean_ap']:.1f}", *gains, *rates, str(row["seeds"])])
    header = ["given tags: method", "mean AP", "gains on baseline*", "gains on NMN-FI", "missing, learned / true"]
    return markdown([*header, "incorrect, learned / true", "seeds"], body)


def _gain(row: dict[str, Any] | None, name: str, digits: int) -> str:
    """A gain with its interval, bold where that is above zero."""
    if row is None or row[name] is None:
        return "-"
    if row["seeds"] == 1:
        return f"{row[name]:+.{digits}f}"
    shown = f"{row[name]:+.{digits}f} ± {row[f'{name}_±']:.{digits}f}"
    return f"**{shown}**" if row["seeds"] > 1 and row[name] > row[f"{name}_±"] else shown


def _with_interval(row: dict[str, Any], name: str, digits: int) -> str:
    return f"{row[name]:+.{digits}f} ± {row[f'{name}_±']:.{digits}f}"


def nmn_captions() -> str:
    from labelproof.experiments.nmn_captions import SCORES, CaptionRecord

    body = []
    for row in CaptionRecord.open(ROOT / "docs" / "results", "nmn-table-4").summary():
        cells = ["-" if row[name] is None else f"{row[name]:.3f} ± {row[f'{name}_±']:.3f}" for name in SCORES]
        body.append([row["concepts"], *cells, _gain(row, "gain", 3), str(row["seeds"])])
    return markdown(["concepts", *SCORES, "CIDEr beyond baseline*-MIL", "seeds"], body)


TABLES: dict[str, Callable[[], str]] = {
    "nmn_table_1": lambda: nmn_table(1),
    "nmn_table_2": lambda: nmn_table(2),
    "nmn_table_3": lambda: nmn_table(3),
    "nmn_captions": nmn_captions,
    "nmn_evidence": nmn_evidence,
    "nmn_speech": nmn_speech,
    "tag_detection": tag_detection,
    "tag_em": tag_em,
    "tag_own_rates": tag_own_rates,
    "tag_omission": tag_omission,
    "tag_rates": tag_rates,
    "tag_step": tag_step,
}
