"""What notebooks show is the package's own text, and an exercise's answer is judged without raising."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bfl_ref import protocol, show
from bfl_ref.learning import average
from bfl_ref.stark.field import Ext, F


def test_show_function_is_its_source() -> None:
    shown = show.show(protocol.advance)
    assert shown.data == inspect.getsource(protocol.advance) and shown.data.startswith("def advance(")
    assert shown.language == "python"
    assert show.show(protocol.Outcome).data.startswith("@dataclass")


def test_show_file_passage_holds_both_marked_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.sol"
    path.write_text("x }\nfunction f() {\n  g();\n}\nfunction h() {\n}\n")
    shown = show.show_file(path, "function f", "}")
    assert shown.data == "function f() {\n  g();\n}" and shown.language == "solidity"
    assert show.show_file(str(path), "g()", "g()").data == "  g();"


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("nowhere", "}", "a.sol has no line that contains 'nowhere'"),
        ("h()", "x", "no line that contains 'x' after 'h()'"),
    ],
)
def test_show_file_missing_mark_is_refused_by_name(
    tmp_path: Path, start: str, end: str, message: str
) -> None:
    path = tmp_path / "a.sol"
    path.write_text("x }\nfunction h() {\n}\n")
    with pytest.raises(ValueError) as refusal:
        show.show_file(path, start, end)
    assert message in str(refusal.value)


def doubled(x: Any) -> Any:
    return x * 2


def unsolved(x: Any) -> Any:
    raise NotImplementedError


def in_place(x: Any) -> Any:
    x += x
    return x


CASES = [(1,), (np.arange(3),), (torch.ones(2),)]


@pytest.mark.parametrize(
    ("attempt", "verdict"),
    [
        (unsolved, "not attempted yet"),
        (lambda x: x + x, "ok: 3 cases"),
        (lambda x: x + 1, "differs on case 1: expected array([0, 2, 4]), got array([1, 2, 3])"),
        (lambda x: np.zeros(3), "differs on case 0: expected 2, got array([0., 0., 0.])"),
        (
            lambda x: 2 if isinstance(x, int) else np.zeros(2),
            "differs on case 1: expected array([0, 2, 4]), got array([0., 0.])",
        ),
        (
            lambda x: x * 2 if len(np.shape(x)) == 0 else [0, 2, 4],
            "differs on case 1: expected array([0, 2, 4]), got [0, 2, 4]",
        ),
        (lambda x: 1 / 0, "raises ZeroDivisionError on case 0: division by zero"),
    ],
)
def test_check_attempt_gets_its_verdict(attempt: Callable, verdict: str) -> None:
    assert show.check(attempt, doubled, CASES) == verdict


def test_check_attempt_that_changes_its_arguments_is_still_judged_by_the_true_answer() -> None:
    assert show.check(in_place, doubled, [(np.arange(3),)]) == "ok: 1 cases"
    assert show.check(lambda x: in_place(in_place(x)), doubled, [(np.arange(3),)]).startswith(
        "differs on case 0"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a, b: (a, b + 1),
        lambda a, b: [a, b],
        lambda a, b: (a,),
        lambda a, b: a,
        lambda a, b: (np.append(a, 0), b),
    ],
)
def test_check_pairs_and_dictionaries_of_arrays_are_compared_part_by_part(wrong: Callable) -> None:
    case = (np.arange(3), torch.arange(2))
    assert show.check(lambda a, b: (a, b), lambda a, b: (a, b), [case]) == "ok: 1 cases"
    assert show.check(wrong, lambda a, b: (a, b), [case]).startswith("differs on case 0")
    weights = {"w": torch.ones(2, 2), "b": torch.zeros(2)}
    assert show.check(average, average, [([weights, weights], [1, 2])]) == "ok: 1 cases"
    assert show.check(lambda u, r: u[0], average, [([weights, weights], [1, 2])]) == "ok: 1 cases"
    assert show.check(lambda u, r: {}, average, [([weights], [1])]).startswith("differs on case 0")


def test_check_ragged_answer_differs_and_field_elements_compare() -> None:
    assert show.check(lambda x: [[1], [1, 2]], doubled, [(1,)]).startswith("differs on case 0")
    pair = Ext.lift(F([3, 4]))
    assert show.check(lambda x: x + x, lambda x: x + x, [(pair,)]) == "ok: 1 cases"
    assert show.check(lambda x: x, lambda x: x + x, [(pair,)]).startswith("differs on case 0")
