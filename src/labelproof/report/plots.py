"""Figures of the studies: plain, legible, the same look everywhere."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelproof.saving.files import atomic_write

INK, MUTED, LINE = "#1f2430", "#6b7280", "#e5e7eb"
COLOURS = ("#2563eb", "#dc2626", "#d97706", "#059669", "#7c3aed", "#1f2430")
STYLE: object = {
    "font.size": 9, "font.family": "DejaVu Sans", "axes.edgecolor": LINE, "axes.labelcolor": MUTED, "text.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.8,
    "axes.axisbelow": True, "xtick.color": MUTED, "ytick.color": MUTED, "xtick.major.size": 0, "ytick.major.size": 0,
    "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "figure.facecolor": "white",
}  # fmt: skip


def lines(
    panels: Mapping[str, Mapping[str, npt.NDArray[np.float64]]],
    path: Path,
    *,
    title: str,
    x: str,
    y: str,
    at: Sequence[float] | None = None,
    columns: int | None = None,
    lowest: float = 0.0,
) -> None:
    """One panel per study and one line per series. The band is one standard deviation over the seeds, unless it is given.

    Parameters
    ----------
    panels : mapping of panel to mapping of series to ndarray, shape (seeds, steps)
        With ``at`` of shape (2, steps): values, and half-widths of the band.
    path : Path of a .png
    title, x, y : str
    at : sequence of steps numbers, optional
        Positions of the steps. Default: 1, 2, …
    columns : int, optional
        Panels in a row. Default: all.
    lowest : float
        Where the axis of values begins.
    """
    from matplotlib.lines import Line2D

    pyplot = _pyplot()

    with pyplot.rc_context(STYLE):
        across = len(panels) if columns is None else columns
        down = -(-len(panels) // across)
        size = ((3.6 if at is None else 5.2) * across, 0.9 + 2.5 * down)
        figure, axes = pyplot.subplots(down, across, figsize=size, sharey=True, squeeze=False)
        colours: dict[str, str] = {}
        for axis, (name, series) in zip(axes.reshape(-1), panels.items(), strict=False):
            for label, values in series.items():
                colour = colours.setdefault(label, COLOURS[len(colours) % len(COLOURS)])
                steps = np.arange(1, values.shape[1] + 1) if at is None else np.asarray(at)
                mean, spread = (values.mean(axis=0), values.std(axis=0)) if at is None else values
                axis.plot(steps, mean, color=colour, linewidth=1.8, label=label)
                axis.fill_between(steps, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
            axis.set_title(name)
            axis.set_ylim(lowest, 1.02)
            axis.set_xlim(1 if at is None else min(at), None)
        for axis in axes[-1]:
            axis.set_xlabel(x)
        for axis in axes[:, 0]:
            axis.set_ylabel(y)
        handles = {label: Line2D([], [], color=colour, linewidth=1.8) for label, colour in colours.items()}
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="lower left",
            bbox_to_anchor=(0.01, 0.0),
            ncols=len(handles),
            frameon=False,
        )
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.tight_layout(rect=(0, 0.24 / size[1], 1, 0.99))
        _save(figure, path)


def dots(
    panels: Mapping[str, Sequence[tuple[str, float, float]]],
    path: Path,
    *,
    title: str,
    columns: int,
    marked: str,
    percent: bool = True,
) -> None:
    """One panel per problem and one row per method: its mean as a dot, its spread as a line, best on top.

    Parameters
    ----------
    panels : mapping of panel to rows (name, mean, spread)
    path : Path of a .png
    title : str
    columns : int
    marked : str
        How the rows begin whose means are drawn as lines through their panel, for comparison.
    percent : bool
        Whether the means are shares.
    """
    pyplot = _pyplot()

    down = -(-len(panels) // columns)
    height = max((len(rows) for rows in panels.values()), default=1)
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(
            down, columns, figsize=(3.6 * columns, down * (0.19 * height + 0.7) + 0.5), squeeze=False
        )
        for axis in axes.reshape(-1)[len(panels) :]:
            axis.set_visible(False)
        for axis, (name, rows) in zip(axes.reshape(-1), panels.items(), strict=False):
            ranked = sorted(rows, key=lambda row: row[1])
            places = np.arange(len(ranked))
            means, spreads = (np.array([row[i] for row in ranked]) for i in (1, 2))
            own = np.array([row[0].startswith(marked) for row in ranked])
            for at in means[own]:
                axis.axvline(at, color=COLOURS[1], linewidth=1, linestyle=(0, (3, 2)))
            axis.hlines(places, means - spreads, means + spreads, color=COLOURS[0], linewidth=1.2, alpha=0.5)
            axis.scatter(means, places, s=22, color=[COLOURS[1] if it else COLOURS[0] for it in own], zorder=3)
            axis.set_yticks(places, [row[0] for row in ranked])
            axis.grid(axis="y", visible=False)
            axis.set_title(name)
            axis.set_ylim(-0.7, len(ranked) - 0.3)
            axis.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g}%" if percent else f"{value:.3g}")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.tight_layout(rect=(0, 0, 1, 0.99))
        _save(figure, path)


def histogram(
    values: npt.NDArray[np.floating], marks: Mapping[str, Sequence[float]], path: Path, *, title: str, x: str
) -> None:
    """A histogram of values in [0, 1], with marks.

    Parameters
    ----------
    values : ndarray, shape (n,)
    marks : mapping of name to places
    path : Path of a .png
    title, x : str
    """
    pyplot = _pyplot()

    with pyplot.rc_context(STYLE):
        figure, axis = pyplot.subplots(figsize=(6.4, 3.4))
        axis.hist(np.asarray(values), bins=60, range=(0, 1), color=COLOURS[0], alpha=0.75)
        for (name, places), colour, style in zip(marks.items(), COLOURS[1:], ("-", (0, (3, 2))), strict=False):
            for number, place in enumerate(places):
                axis.axvline(place, color=colour, linewidth=1.8, linestyle=style, label=None if number else name)
        axis.set_xlim(0, 1)
        axis.set_xlabel(x)
        axis.set_ylabel("pictures")
        axis.legend(frameon=False)
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.tight_layout(rect=(0, 0, 1, 0.99))
        _save(figure, path)


def picture_grids(grids: Mapping[str, npt.NDArray[Any]], path: Path, *, title: str, columns: int) -> None:
    """Panels of pictures, six in a row.

    Parameters
    ----------
    grids : mapping of panel to ndarray, shape (m, height, width) or (m, height, width, channels)
        Of one size in a panel, whose name breaks after a colon.
    path : Path of a .png
    title : str
    columns : int
        Panels in a row.
    """
    pyplot = _pyplot()

    down = -(-len(grids) // columns)
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(down, columns, figsize=(2.3 * columns, 2.7 * down + 0.4), squeeze=False)
        for axis in axes.reshape(-1):
            axis.set_axis_off()
        for axis, (name, pictures) in zip(axes.reshape(-1), grids.items(), strict=False):
            axis.imshow(_tiled(pictures), cmap="gray", vmin=0, vmax=255 if pictures.dtype == np.uint8 else 1)
            axis.set_title(name.replace(": ", "\n"), fontsize=8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.tight_layout(rect=(0, 0, 1, 0.99))
        _save(figure, path)


def _tiled(pictures: npt.NDArray[Any], across: int = 6) -> npt.NDArray[Any]:
    """Pictures side by side with a pixel between them."""
    m, height, width = pictures.shape[:3]
    down = -(-m // across)
    wall = np.zeros((down * (height + 1), across * (width + 1), *pictures.shape[3:]), pictures.dtype)
    for number, picture in enumerate(pictures):
        top, left = number // across * (height + 1), number % across * (width + 1)
        wall[top : top + height, left : left + width] = picture
    return wall


def _pyplot() -> Any:
    """matplotlib's pyplot, which draws without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight", pad_inches=0.1)
    _pyplot().close(figure)
    atomic_write(path, buffer.getvalue())


def words_beside_pictures(
    pictures: npt.NDArray[Any],
    columns: Mapping[str, Sequence[Sequence[tuple[str, str]]]],
    path: Path,
    *,
    title: str,
    legend: str,
) -> None:
    """One row per picture, with lists of words, each with a mark and the colour of the mark.

    Parameters
    ----------
    pictures : ndarray, shape (m, height, width)
    columns : mapping of heading to m lists of (mark, word)
        Marks are "" for a word that needs none, "✗" and "+".
    path : Path of a .png
    title, legend : str
    """
    pyplot = _pyplot()
    colour = {"": INK, "✗": COLOURS[1], "+": COLOURS[3]}
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(
            len(pictures), 1 + len(columns), figsize=(1.5 + 2.6 * len(columns), 0.9 + 1.35 * len(pictures)), squeeze=False,
            width_ratios=[1, *[2] * len(columns)],
        )  # fmt: skip
        for axis in axes.reshape(-1):
            axis.set_axis_off()
        for row, picture in enumerate(pictures):
            axes[row, 0].imshow(picture, cmap="gray_r", interpolation="nearest")
            for axis, (heading, lists) in zip(axes[row, 1:], columns.items(), strict=True):
                if not row:
                    axis.set_title(heading)
                for number, (mark, word) in enumerate(lists[row]):
                    x, y = 0.02 + 0.34 * (number % 3), 0.9 - 0.22 * (number // 3)
                    weight = "bold" if mark else "normal"
                    axis.text(
                        x,
                        y,
                        f"{mark} {word}".strip(),
                        color=colour[mark],
                        fontweight=weight,
                        transform=axis.transAxes,
                        va="top",
                    )
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.text(0.01, 0.01, legend, color=MUTED, fontsize=8.5)
        figure.tight_layout(rect=(0, 0.035, 1, 0.99))
        _save(figure, path)
