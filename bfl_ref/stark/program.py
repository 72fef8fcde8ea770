"""An AIR's constraints recorded as a straight-line program, for whoever cannot run Python: a kernel, a
contract.

`record(air)` runs the AIR's own generators on recording nodes. A program is a list of operations; operation
i's result is node i, and equal operations are recorded once.

    ("cur", column, 0)  ("nxt", column, 0)   committed columns: preprocessed, main, auxiliary (those in E)
    ("short", column, 0)                     periodic columns, then public columns, on the current row
    ("public", index, 0)                     public inputs
    ("beta", 0, 0)  ("lam", 0, 0)            lookup challenges in E
    ("data", 0, 0)                           T of the public data in E
    ("const", value, 0)                      0 <= value < p
    ("add", node, node)  ("sub", node, node)  ("mul", node, node)
"""

import json
from dataclasses import dataclass

from .air import Air, Frame, constraints
from .field import F

Op = tuple[str, int, int]


@dataclass(frozen=True)
class Output:
    """Constraint j, the factor of alpha^j: its kind, its row (boundary, else -1), its name, and the node of
    its value.
    """

    kind: str
    row: int
    name: str
    node: int


@dataclass(frozen=True)
class Program:
    ops: tuple[Op, ...]
    outputs: tuple[Output, ...]

    def canonical(self) -> bytes:
        """The same bytes for the same program, for the AIR's identity."""
        outputs = [(o.kind, o.row, o.name, o.node) for o in self.outputs]
        return json.dumps([self.ops, outputs], separators=(",", ":")).encode()

    def part(self, start: int, stop: int) -> "Program":
        """The program of the constraints start .. stop - 1 alone."""
        return _prune(list(self.ops), list(self.outputs[start:stop]))

    def extension_nodes(self, first_aux: int) -> list[bool]:
        """Per node, whether its value lies in E when base columns hold base elements; aux columns start at
        `first_aux`.
        """
        in_e: list[bool] = []
        for code, a, b in self.ops:
            if code in ("add", "sub", "mul"):
                in_e.append(in_e[a] or in_e[b])
            else:
                in_e.append(code in ("beta", "lam", "data") or (code in ("cur", "nxt") and a >= first_aux))
        return in_e


class Node:
    """A value under recording: its number in the recorder's list."""

    def __init__(self, recorder: "Recorder", number: int):
        self.recorder, self.number = recorder, number

    def __add__(self, other: "Node") -> "Node":
        return self.recorder.combine("add", self, other)

    def __sub__(self, other: "Node") -> "Node":
        return self.recorder.combine("sub", self, other)

    def __mul__(self, other: "Node") -> "Node":
        return self.recorder.combine("mul", self, other)


class Recorder:
    """Collects operations; equal ones share a node, constants are folded."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.numbers: dict[Op, int] = {}

    def node(self, code: str, a: int = 0, b: int = 0) -> Node:
        op = (code, a, b)
        if op not in self.numbers:
            self.numbers[op] = len(self.ops)
            self.ops.append(op)
        return Node(self, self.numbers[op])

    def const(self, value: int) -> Node:
        return self.node("const", int(value) % F.order)

    def combine(self, code: str, x: Node, y: Node) -> Node:
        a, b = self.ops[x.number], self.ops[y.number]
        zero, one = ("const", 0, 0), ("const", 1, 0)
        if a[0] == b[0] == "const":
            result = {"add": a[1] + b[1], "sub": a[1] - b[1], "mul": a[1] * b[1]}[code]
            return self.const(result)
        if b == zero and code in ("add", "sub"):
            return x
        if a == zero and code == "add":
            return y
        if code == "mul" and zero in (a, b):
            return self.const(0)
        if code == "mul" and one in (a, b):
            return y if a == one else x
        if code != "sub" and x.number > y.number:
            x, y = y, x
        return self.node(code, x.number, y.number)


def record(air: Air) -> Program:
    """The program of all constraints of `air`, in the order of the powers of alpha; operations that nothing
    uses left out.
    """
    recorder = Recorder()
    width = sum(air.widths)
    frame = Frame(
        cur=[recorder.node("cur", i) for i in range(width)],
        nxt=[recorder.node("nxt", i) for i in range(width)],
        short=[recorder.node("short", i) for i in range(len(air.short_values(F.Zeros(air.public_inputs))))],
        public=[recorder.node("public", i) for i in range(air.public_inputs)],
        k=recorder.const,
        beta=recorder.node("beta"),
        lam=recorder.node("lam"),
        data=recorder.node("data"),
    )
    found = constraints(air, frame)
    for c in found:
        if not _reads_cells(recorder.ops, c.value.number):
            raise ValueError(
                f"constraint {c.name} of {air.name} reads no cell: it says nothing about a trace"
            )
    return _prune(recorder.ops, [Output(c.kind, c.row, c.name, c.value.number) for c in found])


def _reads_cells(ops: list[Op], number: int) -> bool:
    """Whether a committed column stands among what node `number` is made of."""
    seen: set[int] = set()
    stack = [number]
    while stack:
        code, a, b = ops[number := stack.pop()]
        if code in ("cur", "nxt"):
            return True
        if code in ("add", "sub", "mul"):
            stack += {a, b} - seen
        seen.add(number)
    return False


def _prune(ops: list[Op], outputs: list[Output]) -> Program:
    """Keep what the outputs need, in the order of first use (inputs are loaded late, registers freed early)."""
    order: dict[int, int] = {}
    kept: list[Op] = []
    for output in outputs:
        stack = [output.node]
        while stack:
            number = stack[-1]
            code, a, b = ops[number]
            missing = [m for m in (a, b) if m not in order] if code in ("add", "sub", "mul") else []
            if number in order or missing:
                stack.pop() if number in order else stack.extend(reversed(missing))
                continue
            order[number] = len(kept)
            kept.append((code, order[a], order[b]) if code in ("add", "sub", "mul") else ops[number])
            stack.pop()
    return Program(tuple(kept), tuple(Output(o.kind, o.row, o.name, order[o.node]) for o in outputs))
