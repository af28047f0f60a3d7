import sys
from collections import deque
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from tests.architecture.layers import LAYERS, NEVER, ONLY, STANDARD_LIBRARY_ONLY, THIRD_PARTY
from tests.architecture.source import PACKAGE, Import, Source, imports, listed, sources, within

ROW = {component: row for row, components in enumerate(LAYERS) for component in components}


PACKAGES_ABOVE = {"", *(module.rpartition(".")[0] for module in STANDARD_LIBRARY_ONLY)}
"""Their `__init__` is loaded along."""


def component_of(module: str) -> str | None:
    """Return the component that a module belongs to, or None when the table has no place for it."""
    return max((name for name in ROW if within(module, name)), key=len, default=None)


def inner(source: Source) -> Iterator[tuple[Import, str]]:
    """Yield what a file imports of the package, with the name below it."""
    for found in imports(source):
        if within(found.name, PACKAGE):
            yield found, found.name.removeprefix(PACKAGE).removeprefix(".")


def outer(source: Source) -> Iterator[tuple[Import, str]]:
    """Yield what a file imports from elsewhere, with the name of the top package."""
    for found in imports(source):
        if not within(found.name, PACKAGE):
            yield found, found.name.split(".")[0]


def test_every_module_has_a_place() -> None:
    lost = [source.name for source in sources(PACKAGE) if component_of(source.module) is None]
    assert not lost, f"say in tests/architecture/layers.py where these belong: {', '.join(lost)}"


def test_imports_point_downwards() -> None:
    problems = []
    for source in sources(PACKAGE):
        own = component_of(source.module)
        for found, module in inner(source):
            other = component_of(module)
            if own is not None and other is not None and other != own and ROW[other] <= ROW[own]:
                problems.append(f"{source.where(found.line)}: {own} may not import {module}, which is not below it")
    assert not problems, listed(problems)


def test_some_imports_are_never_right() -> None:
    graph = {source.module: {module for _, module in inner(source)} for source in sources(PACKAGE)}
    problems = [
        f"{component} reaches {way[-1]}: {' -> '.join(way)}"
        for component, never in NEVER.items()
        for way in ways(graph, component)
        if within(way[-1], *never)
    ]
    assert not problems, listed(problems)


def ways(graph: Mapping[str, set[str]], component: str) -> Iterator[tuple[str, ...]]:
    """Yield the shortest way from a component to each module that it reaches, in whatever number of steps."""
    found: dict[str, tuple[str, ...]] = {module: (module,) for module in sorted(graph) if within(module, component)}
    todo = deque(found)
    while todo:
        module = todo.popleft()
        for other in sorted(graph.get(module, set()) - found.keys()):
            found[other] = (*found[module], other)
            todo.append(other)
    yield from found.values()


def test_a_module_is_reached_through_others() -> None:
    graph = {"link": {"reactor"}, "reactor": {"transport.base"}, "transport.base": set(), "other": {"transport.base"}}
    assert ("link", "reactor", "transport.base") in list(ways(graph, "link"))


def test_no_module_is_loaded_in_a_circle() -> None:
    graph = {
        source.module: {module for found, module in inner(source) if found.at_load and module} - {source.module}
        for source in sources(PACKAGE)
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"import cycle: {' -> '.join(reversed(error.args[1]))}") from None


def test_a_library_is_imported_behind_its_edge_only() -> None:
    problems = [
        f"{source.where(found.line)}: only {', '.join(ONLY[library])} may import {library}"
        for source in sources(PACKAGE)
        for found, library in outer(source)
        if library in ONLY and not within(source.module, *ONLY[library])
    ]
    assert not problems, listed(problems)


def test_the_core_uses_few_libraries() -> None:
    problems = [
        f"{source.where(found.line)}: {component} may use {', '.join(allowed) or 'the standard library only'}"
        for source in sources(PACKAGE)
        for component, allowed in THIRD_PARTY.items()
        if within(source.module, component)
        for found, library in outer(source)
        if library not in sys.stdlib_module_names and library not in allowed
    ]
    assert not problems, listed(problems)


def test_the_keeper_needs_the_standard_library_only() -> None:
    problems = [
        f"{source.where(found.line)}: the keeper may not import {found.name}"
        for source in sources(PACKAGE)
        if within(source.module, *STANDARD_LIBRARY_ONLY) or source.module in PACKAGES_ABOVE
        for found in imports(source)
        if found.name.split(".")[0] not in sys.stdlib_module_names
        and not within(found.name.removeprefix(f"{PACKAGE}."), *STANDARD_LIBRARY_ONLY)
    ]
    assert not problems, listed(problems)
