"""The pictures: a confident row's gradient and the time of loss and gradient; the time of a fit by its rows."""

import contextlib
import itertools
import math

import numpy as np

import luce
from benchmarks.peers import PEERS
from benchmarks.report import RESULTS

OURS, GREY = "#c2410c", "#64748b"
COLOURS = dict(zip(PEERS, ["#475569", "#7c93b2", "#b6c3d6", "#3f7f73", "#8fae5d", "#b99b4b"], strict=True))


def draw(sections):
    """Write ``results/luce.png``; the right half needs the section "loss and gradient"."""
    with _figure("luce.png", 2, figsize=(11, 3.9), width_ratios=(1, 1.5)) as (left, right):
        _confident_rows(left)
        if "loss and gradient" in sections:
            _times(right, sections["loss and gradient"]["lines"])
        else:
            right.set_axis_off()


def draw_growth(results):
    """Write ``results/growth.png`` from the classifier's tables that differ in their number of rows alone."""
    growth = [one for one in results.values() if one["growth"]]
    with _figure("growth.png", 1, figsize=(6.5, 4.2)) as axes:
        _growth(axes, growth)


@contextlib.contextmanager
def _figure(name, columns, **options):
    """Axes side by side in our style; the file is written at the end."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10}
    with plt.rc_context(style):
        figure, axes = plt.subplots(1, columns, layout="constrained", **options)
        yield axes
        figure.savefig(RESULTS / name, dpi=130)
        plt.close(figure)


def _growth(axes, growth):
    """A line a program, named at its right end; a program that never came within the limit has no line."""
    programs = dict.fromkeys(program for one in growth for program in one["programs"] if program != "luce, default")
    colours, ends = itertools.cycle(COLOURS.values()), []
    for program in programs:
        told = [(one["shape"]["rows"], one["programs"].get(program, {"within": False})) for one in growth]
        points = [(rows, one["seconds"]) for rows, one in told if one["within"]]
        if points:
            ours = program == "luce"
            colour = OURS if ours else next(colours)
            axes.plot(*zip(*points, strict=True), "o-", color=colour, lw=2.5 if ours else 1.2, ms=5 if ours else 3.5)
            ends.append((*points[-1], program, colour))
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="seconds to the optimum (1e-6)")
    low, high = axes.get_ylim()
    apart, top = (high / low) ** 0.04, {}
    for rows, seconds, program, colour in sorted(ends, key=lambda end: end[1]):  # names that would overlap move up
        top[rows] = place = max(seconds, top.get(rows, 0.0) * apart)
        axes.annotate(program, (rows, place), (7, 0), textcoords="offset points", va="center", color=colour, fontsize=8)
    axes.set_ylim(low, max([high, *(place * apart for place in top.values())]))
    axes.margins(x=0.28)
    columns, classes = (growth[0]["shape"][key] for key in ("columns", "classes"))
    axes.set_title(f"Time of a fit by rows, {columns} columns, {classes} classes, 2 threads", loc="left")


def _confident_rows(axes):
    """Relative error of the target's own gradient entry for logits (m, 0, 0, 0), float32, against the margin m."""
    margins = np.arange(0, 81, 1.0)
    exact = np.array([-3 * math.exp(-m) / (1 + 3 * math.exp(-m)) for m in margins])
    logits = np.zeros((len(margins), 4), np.float32)
    logits[:, 0] = margins
    target = np.zeros(len(margins), np.int64)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    usual = (p / p.sum(axis=1, keepdims=True))[:, 0] - np.float32(1)
    ours = luce.cross_entropy_and_grad(logits, target, reduction="sum")[1][:, 0]
    for values, label, colour in ((usual, "p − 1, as elsewhere", GREY), (ours, "luce", OURS)):
        error = np.abs(values.astype(float) - exact) / np.abs(exact)
        axes.plot(margins, np.maximum(error, 1e-9), color=colour, lw=2, label=label)
    axes.set(
        yscale="log", ylim=(1e-9, 5), xlabel="margin of the target's logit over the others", ylabel="relative error"
    )
    axes.set_title("Gradient of a confident row, float32")
    axes.axhline(1, color=GREY, lw=0.7, ls=":")
    axes.text(80, 1.5, "every digit lost", ha="right", color=GREY, fontsize=8)
    axes.legend(frameon=False, loc="center right")


def _times(axes, lines):
    """Bars: time of each peer divided by ours, a group a shape."""
    lines = [line for line in lines if line["case"]["dtype"] == "float32"]
    shapes = list(dict.fromkeys((line["case"]["N"], line["case"]["V"]) for line in lines))
    peers = [name for name in PEERS if any(line["against"] == name for line in lines)]
    ratio = {(line["case"]["N"], line["case"]["V"], line["against"]): line["ratio"] for line in lines}
    width = 0.85 / len(peers)
    for k, peer in enumerate(peers):
        at = [i + (k - (len(peers) - 1) / 2) * width for i in range(len(shapes))]
        heights = [ratio.get((*shape, peer), math.nan) for shape in shapes]
        axes.bar(at, [height - 1 for height in heights], width * 0.92, bottom=1, color=COLOURS[peer], label=peer)
        for place, height in zip(at, heights, strict=True):
            if height == height:
                axes.text(place, max(height, 1) * 1.05, f"{height:.1f}", ha="center", fontsize=6, color="#334155")
    axes.axhline(1, color=OURS, lw=2)
    axes.text(len(shapes) - 0.45, 1.05, "luce", color=OURS, fontsize=9, ha="left", va="bottom")
    axes.set_yscale("log")
    axes.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    axes.minorticks_off()
    top = max(ratio.values())
    axes.set(ylim=(min(0.7, 0.8 * min(ratio.values())), top * 2.6), xlim=(-0.6, len(shapes) - 0.1))
    axes.set_xticks(range(len(shapes)), [f"{n:,} × {v:,}" for n, v in shapes])
    axes.set(xlabel="rows × classes", ylabel="time ÷ luce's time")
    axes.set_title("Loss and gradient, float32, 2 threads: how much longer the others take")
    axes.legend(frameon=False, ncols=3, fontsize=8, loc="upper left")
