"""Every plot that is used more than once; the only importer of matplotlib.

Each function takes plain numbers, draws into a new figure and returns it; axes carry units. Colours are
those of Okabe and Ito (2008), which readers with any kind of colour vision tell apart.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False)
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


def save(fig: Figure, path: Path) -> Path:
    """Write a figure as PNG at 150 dots per inch, close it, return the path."""
    fig.savefig(path, dpi=150)
    plt.close(fig)
    return path
