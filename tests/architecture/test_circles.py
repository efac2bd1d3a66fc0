"""Modules import each other in one direction, for type checkers too: no circle, of any length."""

import grimp
import pytest


def circles(graph):
    """Return the groups of modules that import each other, however long the way round."""
    left = {m: set(graph.find_modules_directly_imported_by(m)) for m in graph.modules}
    while True:  # what imports nothing, or is imported by nobody, stands in no circle
        imported = set().union(*left.values()) if left else set()
        kept = {m for m, others in left.items() if others and m in imported}
        if len(kept) == len(left):
            return sorted(left)
        left = {m: left[m] & kept for m in kept}


def test_no_circle_of_imports():
    graph = grimp.build_graph("clv", "pipelines", cache_dir=None)
    assert len(graph.modules) > 300
    assert circles(graph) == []


@pytest.mark.parametrize("length", [2, 3, 7])
def test_a_circle_is_found_and_a_chain_is_none(length):
    graph = grimp.ImportGraph()
    for n in range(length):
        graph.add_import(importer=f"m{n}", imported=f"m{n + 1}")
    assert circles(graph) == []
    graph.add_import(importer=f"m{length}", imported="m0")
    assert len(circles(graph)) == length + 1
