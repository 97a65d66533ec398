"""Any workflow becomes exactly the nodes and edges that it describes, however many there are of them."""

from __future__ import annotations

from random import Random

from builders_workflows import drawn, edges_in, nodes_in
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import instances, workflow_problems
from prominence.core.validation import parse
from prominence.core.workflow import WorkflowSpec
from prominence.restapi.translate import dag

SHAPES = ((2000, 60), (300, 300), (20, 20))


@given(st.integers(0, 2**32), st.sampled_from(SHAPES))
def test_any_workflow_has_the_nodes_and_edges_that_it_describes_and_no_others(
    seed: int, shape: tuple[int, int]
) -> None:
    wanted = drawn(Random(seed), *shape)
    spec = parse(WorkflowSpec, wanted.document)
    assert list(workflow_problems.problems(spec, shape[0])) == []
    assert list(instances.problems(spec)) == []
    assert spec.counts() == wanted.instances
    text = dag.dag(spec)
    assert nodes_in(text) == wanted.nodes()
    assert edges_in(text) == wanted.edges()
    assert dag.edges(spec) == wanted.edges().total()
    assert [dag.node_of(name) for name in nodes_in(text)[-1:]] == [
        (len(wanted.instances) - 1, wanted.instances[-1] - 1)
    ]
