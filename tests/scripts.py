"""The few scripts that random plans have, and what runs them in the place of a JavaScript engine."""

from collections.abc import Callable, Mapping
from typing import Any

from caroni_edge.javascript.texts import ExpressionProblem, JavaScript
from caroni_edge.manager.templates.expressions import compile_text


def _text(value: Any) -> str:
    """Return what JavaScript takes for the text of a text, or of null."""
    return "null" if value is None else str(value)


VALUES_FROM: Mapping[str, Callable[[Any, Any], Any]] = {
    "$(inputs.a + '!')": lambda inputs, _self: f"{_text(inputs['a'])}!",
    "${ return '' + self + self; }": lambda _inputs, self: _text(self) * 2,
}
"""What `valueFrom` may be where `self` and the input `a` are texts."""

CONDITIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "$(inputs.go === true)": lambda inputs, _self: inputs["go"] is True,
    "$(!inputs.go)": lambda inputs, _self: not inputs["go"],
}
"""What `when` may be where there is an input `go`."""

TOOLS: Mapping[str, Callable[[Any, Any], Any]] = {
    "${ return {out: 'tool(' + inputs.a + ')'}; }": lambda inputs, _self: {"out": f"tool({_text(inputs['a'])})"},
}
"""Expressions of an ExpressionTool that takes `a` and gives `out`, both texts."""

LOOKS: Mapping[str, Callable[[Any, Any], Any]] = {
    "$(inputs.a.length > 1)": lambda inputs, _self: len(inputs["a"]) > 1,
    "$(inputs.a.listing.length === 4)": lambda inputs, _self: len(inputs["a"].get("listing", "four")) == 4,
}
"""What `when` may be where the input `a` is a list, or a directory with four things in it, which may be listed."""

_ALL = {**VALUES_FROM, **CONDITIONS, **TOOLS, **LOOKS}


BY_BODY = {compile_text(text, javascript=True).scripts[0].body: script for text, script in _ALL.items()}


def run(where: str, library: int, script: JavaScript, inputs: Mapping[str, Any], self_value: Any) -> Any:
    """Run one of these scripts, as `RunScript`."""
    if script.body not in BY_BODY:
        raise ExpressionProblem(f"{where}: {script.text}: nobody here knows it")
    return BY_BODY[script.body](inputs, self_value)
