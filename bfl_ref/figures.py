"""Every plot that is used more than once; the only importer of matplotlib.

Each function takes plain numbers, draws into a new figure and returns it; axes carry units. Colours are
those of Okabe and Ito (2008), which readers with any kind of colour vision tell apart.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#777777"
PALETTE = [BLUE, ORANGE, GREEN, RED, PURPLE, GREY]


def silo_profile(names: Sequence[str], rows: Sequence[int], positives: Sequence[int], title: str) -> Figure:
    """Rows of each silo (bars) and the share of positives (percent, above each bar)."""
    fig, ax = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
    ax.bar(names, rows, color=BLUE, label="rows")
    ax.bar(names, positives, color=ORANGE, label="positive")
    for i, (n, k) in enumerate(zip(rows, positives, strict=True)):
        ax.annotate(f"{100 * k / n:.1f} %", (i, n), ha="center", va="bottom", fontsize=9)
    ax.margins(y=0.15)
    ax.set(ylabel="rows", title=title)
    ax.legend(frameon=False)
    return fig


def rounds_curve(curves: Mapping[str, Sequence[float]], levels: Mapping[str, float], metric: str) -> Figure:
    """A metric after each round (lines; index 0: before the first round) beside reference levels (dashed)."""
    fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    marks = "os^Dv"
    for i, (name, values) in enumerate(curves.items()):
        ax.plot(range(len(values)), values, marker=marks[i % 5], ms=7 - 2 * i, color=PALETTE[i], label=name)
    for i, (name, level) in enumerate(levels.items()):
        ax.axhline(level, ls="--", lw=1.2, color=PALETTE[len(curves) + i], label=name.replace("_", " "))
    ax.set(xlabel="rounds finished", ylabel=f"{metric} on the common test rows")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False)
    return fig


def systems_bars(
    results: Mapping[str, Mapping[str, float]], metrics: Sequence[str], majority: float
) -> Figure:
    """Metrics of each system side by side; dotted: the accuracy of always naming the majority class."""
    fig, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    width = 0.8 / len(metrics)
    for k, metric in enumerate(metrics):
        xs = [i + (k - (len(metrics) - 1) / 2) * width for i in range(len(results))]
        heights = [system[metric] for system in results.values()]
        ax.bar(xs, heights, width * 0.92, color=PALETTE[k], label=metric)
        for x, y in zip(xs, heights, strict=True):
            ax.annotate(f"{y:.3f}"[1:] if y < 1 else "1", (x, y), ha="center", va="bottom", fontsize=7)
    ax.axhline(majority, ls=":", color="black", lw=1, label="accuracy of the majority class")
    ax.set_xticks(range(len(results)), [name.replace("_", " ") for name in results])
    ax.set(ylim=(0, 1.12), ylabel="score on the common test rows")
    ax.legend(frameon=False, ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return fig


def gas_bars(gas: Mapping[str, int], title: str, log: bool = False) -> Figure:
    """Gas of each action, one horizontal bar each, in the order given from top to bottom."""
    fig, ax = plt.subplots(figsize=(6.4, 0.8 + 0.27 * len(gas)), layout="constrained")
    names, values = list(gas), [v / 1000 for v in gas.values()]
    ax.barh(names, values, color=BLUE, log=log)
    for i, value in enumerate(values):
        ax.annotate(f" {value:,.0f}", (value, i), va="center", fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.15)
    ax.set(xlabel="gas, thousands", title=title)
    return fig


def seconds_against_gas(lines: Sequence[Mapping[str, float]]) -> Figure:
    """The proof system's frontier: what a proof costs its prover (seconds) against what it costs the chain (gas).

    lines: each with rows, blowup, prove_s, verify_gas, as benchmarks.stark measures them. One curve a trace length.
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for i, rows in enumerate(sorted({line["rows"] for line in lines})):
        curve = sorted((line for line in lines if line["rows"] == rows), key=lambda line: line["blowup"])
        gas = [line["verify_gas"] / 1e6 for line in curve]
        ax.plot([line["prove_s"] for line in curve], gas, "o-", color=PALETTE[i], label=f"{rows} rows")
        for line, height in zip(curve, gas, strict=True):
            ax.annotate(f" {line['blowup']}", (line["prove_s"], height), va="bottom", fontsize=8)
    ax.set(
        xlabel="seconds to prove", ylabel="million gas to verify", title="100 proven bits; labels: blow-up"
    )
    ax.margins(x=0.08)
    ax.set_ylim(0, 1.12 * max(line["verify_gas"] for line in lines) / 1e6)
    ax.legend(frameon=False)
    return fig


def gas_by_batch(gas: Mapping[int, float], direct: float, computed: Mapping[int, float]) -> Figure:
    """Gas of a transaction in the rollup by how many share a batch, and of the same done directly (dashed).

    gas: transactions -> gas of each, measured;  computed: the same of batches that were not (hollow).
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for points, fill, label in ((gas, BLUE, "rollup"), (computed, "white", "rollup, extrapolated")):
        if points:
            ax.plot(list(points), list(points.values()), "o-", color=BLUE, mfc=fill, label=label)
        for size, value in points.items():
            ax.annotate(f" {value:,.0f}", (size, value), va="bottom", fontsize=8)
    ax.axhline(direct, ls="--", lw=1.2, color=ORANGE, label=f"directly: {direct:,.0f}")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.margins(x=0.12)
    ax.set(xlabel="transactions in a batch", ylabel="gas a transaction")
    ax.legend(frameon=False)
    return fig


def throughput_bars(ours: Mapping[str, float], paper: Mapping[str, float]) -> Figure:
    """Transactions a second, one horizontal bar each, in the order given; grey: what a paper projects. Logarithmic."""
    names, values = [*ours, *paper], [*ours.values(), *paper.values()]
    fig, ax = plt.subplots(figsize=(6.4, 0.9 + 0.3 * len(names)), layout="constrained")
    ax.barh(names, values, color=[BLUE] * len(ours) + [GREY] * len(paper), log=True)
    for i, value in enumerate(values):
        ax.annotate(f" {value:,.0f}", (value, i), va="center", fontsize=8)
    ax.invert_yaxis()
    ax.set(xlabel="transactions a second", xlim=(1, 4 * max(values)))
    return fig


def phase_timeline(phases: Sequence[str], blocks: Sequence[int], title: str) -> Figure:
    """In which block each phase of a round began: a staircase that goes down one phase at a time."""
    fig, ax = plt.subplots(figsize=(6.4, 3.0), layout="constrained")
    ends = [*blocks[1:], blocks[-1] + 1]
    for i, (start, end) in enumerate(zip(blocks, ends, strict=True)):
        ax.barh(i, max(end - start, 0.2), left=start, color=PALETTE[i % 5])
    ax.set_yticks(range(len(phases)), phases)
    ax.invert_yaxis()
    ax.set(xlabel="block", title=title)
    return fig


def trail_timeline(
    happened: Mapping[str, Sequence[int]], rounds: Mapping[int, tuple[int, int]], title: str
) -> Figure:
    """An audit trail: a line each kind of event, a mark in each block where it happened; grey: while a round was open.

    happened: event -> blocks, one for each time.   rounds: number -> (first, last) block.
    """
    fig, ax = plt.subplots(figsize=(7.4, 1.0 + 0.28 * len(happened)), layout="constrained")
    for number, (first, last) in rounds.items():
        ax.axvspan(first, last, color="#eeeeee")
        top = ax.get_xaxis_transform()
        ax.annotate(
            f"round {number}", ((first + last) / 2, 1), xycoords=top, ha="center", va="bottom", fontsize=8
        )
    for i, blocks in enumerate(happened.values()):
        ax.plot(blocks, [i] * len(blocks), "|", ms=11, mew=1.6, color=PALETTE[i % 5])
        ax.annotate(f" {len(blocks)}", (1, i), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    ax.set_yticks(range(len(happened)), list(happened))
    ax.set_ylim(len(happened) - 0.5, -0.5)
    ax.set(xlabel="block (at the right: how often)")
    ax.set_title(title, pad=18)
    return fig


def audit_grid(
    steps: Mapping[str, int], drawn: Collection[tuple[str, int]], false: Collection[tuple[str, int]]
) -> Figure:
    """A round's steps as squares, a line each hospital: which are drawn to be audited, and which of them are false.

    steps: hospital -> number of its steps.   drawn, false: (hospital, step).
    """
    cells = [(name, step) for name, count in steps.items() for step in range(count)]
    kinds = {
        (False, False): ("#dddddd", "true, not drawn"),
        (True, False): (BLUE, "true, drawn: to be proven"),
        (False, True): (ORANGE, "false, not drawn: not seen"),
        (True, True): (RED, "false, drawn: no proof"),
    }
    fig, ax = plt.subplots(figsize=(7.4, 0.9 + 0.32 * len(steps)), layout="constrained")
    names = list(steps)
    for kind, (color, label) in kinds.items():
        at = [(step, names.index(n)) for n, step in cells if ((n, step) in drawn, (n, step) in false) == kind]
        if at:
            xs, ys = zip(*at, strict=True)
            ax.scatter(xs, ys, s=70, marker="s", color=color, label=label)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.margins(y=0.3)
    ax.set(xlabel="step of the round")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(
        frameon=False, ncols=4, fontsize=8, loc="upper center", bbox_to_anchor=(0.45, -0.1 - 1 / len(names))
    )
    return fig


def trace_map(values: np.ndarray, groups: Mapping[str, int], title: str) -> Figure:
    """A trace as a picture: rows from left to right, columns from top to bottom, colour by sign and size.

    values (columns, rows): signed integers.   groups: label -> its first column, in order.
    """
    bits = np.log2(1 + np.abs(values.astype(float)))
    fig, ax = plt.subplots(figsize=(7.4, 5.0), layout="constrained")
    # the square root makes single bits visible beside 31-bit field elements
    size, top = np.sign(values) * np.sqrt(bits), np.sqrt(31)
    image = ax.imshow(size, aspect="auto", interpolation="nearest", cmap="PuOr", vmin=-top, vmax=top)
    ax.set_yticks(list(groups.values()), list(groups), fontsize=8)
    ax.set(xlabel="row of the trace", title=title)
    for row in range(16, values.shape[1], 16):
        ax.axvline(row - 0.5, color="black", lw=0.4)
    marks = np.array([-30, -20, -10, -1, 0, 1, 10, 20, 30])
    bar = fig.colorbar(
        image, label="bits of the number, with its sign", ticks=np.sign(marks) * np.sqrt(abs(marks))
    )
    bar.set_ticklabels([str(mark) for mark in marks])
    return fig


def detection_curves(
    bad: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    measured: Mapping[str, Sequence[float]],
    title: str,
) -> Figure:
    """Probability that a cheat is caught, by how many steps are false: formulas (lines) and measured frequencies (dots).

    Curves come in pairs of one colour: detection, and dashed what colluding validators leave of it.
    """
    fig, ax = plt.subplots(figsize=(6.8, 3.4), layout="constrained")
    for i, (name, values) in enumerate(curves.items()):
        ax.plot(bad, values, color=PALETTE[i // 2], ls="--" if i % 2 else "-", label=name)
    for name, values in measured.items():
        i = list(curves).index(name)
        ax.plot(bad, values, "o" if i % 2 == 0 else "s", ms=4, color=PALETTE[i // 2])
    ax.set(xlabel="false steps", ylabel="caught with probability", ylim=(0, 1.03), title=title)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=8)
    return fig


def save(fig: Figure, path: Path) -> Path:
    """Write a figure as PNG at 150 dots per inch, close it, return the path."""
    fig.savefig(path, dpi=150)
    plt.close(fig)
    return path
