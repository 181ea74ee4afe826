"""Pictures of results, as SVG: curves by percentile or by size, and ratios with their intervals."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt  # after the choice of what draws

from benchmarks.report import Curve, Row

# Text stays text, so that it can be searched; ids are the same in each run.
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "apg",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
}
_MOST = 40  # ratios in one picture
_GOOD, _BAD, _OPEN = "#2a7f62", "#b3412e", "#666666"


def curves(group: Sequence[Curve]) -> str:
    """One picture of all curves of one chart."""
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 3.8), layout="constrained")
        for curve in group:
            _line(axes, curve)
        first = group[0]
        axes.set_xlabel(first.x_label)
        axes.set_ylabel(first.y_label)
        axes.set_title(first.chart, loc="left", fontsize=10)
        values = [point[1] for curve in group for point in curve.points if point[1] > 0]
        if values and max(values) > 20 * min(values):
            axes.set_yscale("log")
        if first.scale == "log":
            axes.set_xscale("log")
            ticks = sorted({point[0] for curve in group for point in curve.points})
            axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
            axes.minorticks_off()
        if first.scale == "percentile":
            ticks = [50.0, 90.0, 99.0, 99.9]
            axes.set_xticks([_stretched(tick) for tick in ticks], [f"{tick:g}" for tick in ticks])
        axes.legend(frameon=False, fontsize=8)
        return _svg(figure)


def ratios(title: str, rows: Sequence[Row]) -> str:
    """One picture of the ratios of `rows` to what ran beside them; at 1 they are alike."""
    shown = [row for row in rows if row.ratio is not None and row.ratio > 0][:_MOST]
    with mpl.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=(9.0, 0.9 + 0.26 * len(shown)), layout="constrained")
        for place, row in enumerate(reversed(shown)):
            assert row.ratio is not None
            low, high = row.ratio_interval or (row.ratio, row.ratio)
            better = high < 1 if row.better == "less" else low > 1
            worse = low > 1 if row.better == "less" else high < 1
            colour = _GOOD if better else _BAD if worse else _OPEN
            axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([row.ratio], [place], "o", color=colour, markersize=4)
        axes.axvline(1.0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(shown)), [f"{row.figure} / {row.peer}" for row in reversed(shown)], fontsize=7)
        axes.set_xscale("log")
        ends = [end for row in shown for end in (row.ratio_interval or (row.ratio or 1.0,)) if end > 0]
        _ratio_ticks(axes, min([*ends, 1.0]), max([*ends, 1.0]))
        axes.set_title(title, loc="left", fontsize=10)
        return _svg(figure)


def _ratio_ticks(axes: Any, low: float, high: float) -> None:  # noqa: ANN401  # matplotlib's own
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 5.0, 10.0, 20.0, 50.0]
    kept = [tick for tick in ticks if low / 1.6 <= tick <= high * 1.6]
    if high / low > 4:
        kept = [tick for tick in kept if tick not in (0.8, 0.9, 1.1, 1.25)]
    axes.set_xticks(kept, [f"{tick:g}" for tick in kept])
    axes.minorticks_off()


def _line(axes: Any, curve: Curve) -> None:  # noqa: ANN401  # matplotlib's own
    stretched = curve.scale == "percentile"
    places = [_stretched(point[0]) if stretched else point[0] for point in curve.points]
    values = [point[1] for point in curve.points]
    [line] = axes.plot(places, values, marker="o", markersize=3, linewidth=1.4, label=curve.series)
    if all(len(point) == 4 for point in curve.points):  # x, y and the ends of y's interval
        lower, upper = ([point[index] for point in curve.points] for index in (2, 3))
        axes.fill_between(places, lower, upper, color=line.get_color(), alpha=0.15, linewidth=0)


def _stretched(percent: float) -> float:
    """90, 99 and 99.9 are equally far apart."""
    return -math.log10(max(1e-6, 1.0 - percent / 100.0))


def _svg(figure: Any) -> str:  # noqa: ANN401  # matplotlib's own
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = out.getvalue()
    return text[text.index("<svg") :]
