"""Linear programmes that grow, by HiGHS.

HiGHS is asked itself and not through scipy, which takes as long to look at the arguments as the solver needs, and
fifteen times the room in the image.
"""

from __future__ import annotations

from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from prominence.scaler.amounts import Numbers, Reals

_PRIMAL = int(highspy.simplex_constants.SimplexStrategy.kSimplexStrategyPrimal)


class Solution(NamedTuple):
    """values: of the columns. worth: how much the least cost rises with each row's limit."""

    values: Reals
    worth: Reals


class Programme:
    """The least cost of values that are not negative, where each row of sums is within its limits.

    The same steps give the same answers.
    """

    def __init__(self) -> None:
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]
        self._solver.setOptionValue("output_flag", False)
        self._solver.setOptionValue(
            "presolve", "off"
        )  # there is nothing to find, and looking takes a fifth of the time
        self._solver.setOptionValue("threads", 1)

    def add_rows(self, lower: Reals, upper: Reals) -> None:
        """Sums of no columns yet. Infinite is no limit."""
        nothing = np.empty(0, dtype=np.int32)
        starts = np.zeros(len(lower), dtype=np.int32)
        self._solver.addRows(len(lower), lower, upper, 0, starts, nothing, np.empty(0))

    def add_columns(self, costs: Reals, rows: Numbers, factors: Reals) -> None:
        """rows, factors: for each column as many, of the rows that it is part of, and how often."""
        columns, each = rows.shape
        starts = np.arange(columns) * each
        endless = np.full(columns, highspy.kHighsInf)
        self._solver.addCols(
            columns, costs, np.zeros(columns), endless, rows.size, _indices(starts), _indices(rows), factors.ravel()
        )

    def solve(self) -> Solution | None:
        """From where the last solution was. None: there is none, or its numbers are too far apart for the solver."""
        self._solver.run()
        # What was the best so far is still allowed when columns come: that is where the primal simplex begins.
        self._solver.setOptionValue("simplex_strategy", _PRIMAL)
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        found = self._solver.getSolution()
        return Solution(np.array(found.col_value), np.array(found.row_dual))


def _indices(numbers: Numbers) -> NDArray[np.int32]:
    return numbers.ravel().astype(np.int32)
