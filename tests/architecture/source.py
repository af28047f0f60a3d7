"""The source files as syntax trees, for the tests that look at how the code is built."""

import ast
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "caroni_edge"


@dataclass(frozen=True)
class Import:
    """One imported module.

    Attributes:
        name: Full name of the module, or of what is taken from it.
        line: Where it stands.
        at_load: Whether it runs when the importing module is loaded; not inside a function or `if TYPE_CHECKING`.
    """

    name: str
    line: int
    at_load: bool


@dataclass(frozen=True, eq=False)
class Source:
    """One Python file.

    Attributes:
        path: The file.
        text: What it holds.
        tree: The same, parsed.
    """

    path: Path
    text: str
    tree: ast.Module

    @cached_property
    def name(self) -> str:
        """Return the file's path below the root: `caroni_edge/node/node.py`."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def module(self) -> str:
        """Return the module's name below the package: `node`, `manager.reactor`; the package itself is empty."""
        parts = self.path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def where(self, node: ast.AST | int) -> str:
        """Return `file:line`, which editors and terminals open at a click."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return f"{self.name}:{line}"


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return all Python files below some folders of the repository, by name."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    # The trees are hundreds of thousands of objects that stay. The garbage collector would go through all of them each
    # time that some more are there, which takes longer than to parse them.
    gc.disable()
    try:
        return tuple(_parsed(path) for path in paths)
    finally:
        gc.freeze()
        gc.enable()


@cache
def _parsed(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path, text, ast.parse(text, path))


@cache
def _modules() -> frozenset[str]:
    return frozenset(f"{PACKAGE}.{source.module}" for source in sources(PACKAGE))


@cache
def imports(source: Source) -> tuple[Import, ...]:
    """Return every module that a file imports; `from a import b` is `a.b` where that is a module of ours, else `a`."""
    return tuple(_imports(source))


def _imports(source: Source) -> Iterator[Import]:
    modules = _modules()
    later = {id(node) for block in ast.walk(source.tree) if _is_later(block) for node in ast.walk(block)}
    for node in ast.walk(source.tree):
        at_load = id(node) not in later
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = (f"{base}.{alias.name}" for alias in node.names)
            for name in dict.fromkeys(name if name in modules else base for name in names):
                yield Import(name, node.lineno, at_load)


def _is_later(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call with the dotted name that is called, as it is written: `self.conn.execute`."""
    return ((ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def within(module: str, *components: str) -> bool:
    """Tell whether a module is one of the components, or lies in one."""
    return any(module == component or module.startswith(f"{component}.") for component in components)


def listed(problems: list[str]) -> str:
    """Return the message of a failed test: every problem, one a line."""
    return "\n" + "\n".join(problems)
