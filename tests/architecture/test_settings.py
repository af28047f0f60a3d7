"""Every setting is used: one that is read from the file and goes nowhere would be a promise that nothing keeps."""

import ast
from collections.abc import Iterator

from tests.architecture.source import PACKAGE, listed, sources

ENDINGS = ("Config", "Settings")


def test_every_setting_is_used() -> None:
    used = {name for source in sources(PACKAGE) for name in attributes_used(source.tree)}
    problems = [
        f"{source.where(field)}: nothing uses {owner.name}.{ast.unparse(field.target)}"
        for source in sources(PACKAGE)
        for owner in ast.walk(source.tree)
        if isinstance(owner, ast.ClassDef) and owner.name.endswith(ENDINGS)
        for field in owner.body
        if isinstance(field, ast.AnnAssign) and ast.unparse(field.target) not in used
    ]
    assert not problems, listed(problems)


def attributes_used(tree: ast.AST) -> Iterator[str]:
    """Yield the attributes that are read, but for those that are only handed on: `slots=config.slots`."""
    handed_on = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Attribute) and node.value.attr == node.arg
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in handed_on:
            yield node.attr


def test_a_setting_that_is_only_handed_on_is_not_used() -> None:
    assert [*attributes_used(ast.parse("make(slots=config.slots, most=config.backlog)"))] == ["backlog"]
