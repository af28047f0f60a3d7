"""What expressions see of files: their text where `loadContents` asks for it, and never what nobody here has."""

from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace

from caroni_edge.manager.templates.fileuse import FileUse, SecondaryFile
from caroni_edge.manager.templates.plan import PlanStep, StepInput
from caroni_edge.manager.workflows.inputs import evaluate, outputs_misfit
from caroni_edge.manager.workflows.links import Unfit
from caroni_edge.manager.workflows.loading import LookDue
from caroni_edge.objects.objects import Object
from caroni_edge.values.carried import directory_value, file_value, object_value
from caroni_edge.values.directories import Entry, written

LARGE = object_value("m31.fits", Object("a" * 64, 70_000), "0" * 40)
CONTENTS, LISTING = FileUse(load_contents=True), FileUse(load_listing="shallow_listing")
CONTROLS = b"\0" * 9  # which travel as base64


def seen(use: FileUse | None, value: Any, text: str) -> Any:
    """Return what an expression gives that looks at an input."""
    inputs = (StepInput("f", files=use), StepInput("x", "Any", value_from=text))
    found = evaluate(PlanStep("s", "work", inputs=inputs), {"f": value})
    assert found is not None
    return found.inputs["x"]


def test_the_text_of_a_file_is_seen_where_it_is_asked_for() -> None:
    value = file_value("a", CONTROLS)
    assert "contents" not in value
    assert seen(CONTENTS, value, "$(inputs.f.contents)") == "\0" * 9
    assert seen(CONTENTS, [value], "$(inputs.f[0].contents)") == "\0" * 9
    of_a_field = FileUse(fields={"g": CONTENTS})
    assert seen(of_a_field, {"g": value, "h": 1}, "$(inputs.f.g.contents)") == "\0" * 9
    with pytest.raises(Unfit):
        seen(None, value, "$(inputs.f.contents)")


@pytest.mark.parametrize(
    ("use", "value", "said"),
    [
        (
            CONTENTS,
            LARGE,
            'input f: "loadContents" asks for what is in the file "m31.fits" (70000 bytes), which is larger than 64',
        ),
        (
            CONTENTS,
            file_value("a", b"\xff"),
            'input f: "loadContents" asks for what is in the file "a" (1 bytes), which is no',
        ),
        (
            LISTING,
            directory_value("night", Object("d" * 64, 2_000_000)),
            'an expression looks into input f, the directory "night": no expression looks into more than 1024 KiB',
        ),
    ],
)
def test_what_is_not_part_of_a_value_is_not_seen_and_that_is_said(use: FileUse, value: Any, said: str) -> None:
    with pytest.raises(Unfit) as raised:
        seen(use, value, "$(inputs.f.basename)")
    assert str(raised.value).startswith(said)


def test_a_step_without_expressions_takes_what_it_asks_to_load() -> None:
    step = PlanStep("s", "work", inputs=(StepInput("f", "File", files=CONTENTS),))
    found = evaluate(step, {"f": LARGE})
    assert found is not None
    assert found.inputs == {"f": LARGE}


def test_what_was_loaded_does_not_flow_on() -> None:
    value = file_value("a", CONTROLS)
    inputs = (StepInput("f", "File", files=CONTENTS), StepInput("x", "Any", value_from="$(inputs.f.contents)"))
    found = evaluate(PlanStep("s", "work", inputs=inputs), {"f": value})
    assert found is not None
    assert found.inputs["f"] == value


def test_the_listing_of_a_directory_in_a_value_is_seen() -> None:
    value = {"class": "Directory", "basename": "d", "listing": [file_value("a", b"x")]}
    assert seen(LISTING, value, "$(inputs.f.listing[0].basename)") == "a"


ENTRIES = (
    Entry("a.fits", executable=False, object=Object("a" * 64, 5)),
    Entry("empty/"),
    Entry("raw/dark/c.fits", executable=True, object=Object("c" * 64, 7)),
    Entry("raw/b.fits", executable=False, object=Object("b" * 64, 6)),
)
TOP: list[dict[str, Any]] = [
    {"class": "File", "basename": "a.fits", "size": 5},
    {"class": "Directory", "basename": "empty"},
    {"class": "Directory", "basename": "raw"},
]
RAW = [
    {"class": "File", "basename": "b.fits", "size": 6},
    {"class": "Directory", "basename": "dark", "listing": [{"class": "File", "basename": "c.fits", "size": 7}]},
]


def listed(use: FileUse, data: bytes, text: str = "$(inputs.f.listing)") -> Any:
    """Return what an expression sees of a directory that is an object, the list of which is this."""
    found = Object(sha256(data).hexdigest(), len(data))
    inputs = (StepInput("f", files=use), StepInput("x", "Any", value_from=text))
    given = {"f": directory_value("night", found)}
    evaluated = evaluate(PlanStep("s", "work", inputs=inputs), given, look=lambda _: {found.id: data})
    assert evaluated is not None
    return evaluated.inputs["x"]


def test_the_names_in_a_large_directory_are_seen() -> None:
    data = written(ENTRIES)
    assert listed(LISTING, data) == TOP
    deep = listed(FileUse(load_listing="deep_listing"), data)
    assert deep == [TOP[0], {**TOP[1], "listing": []}, {**TOP[2], "listing": RAW}]
    with pytest.raises(Unfit):
        listed(FileUse(load_listing="no_listing"), data)


def test_what_is_no_list_of_a_directory_is_said() -> None:
    with pytest.raises(Unfit, match='input f: the directory "night": it is no list of files'):
        listed(LISTING, b"{")


def test_a_large_directory_is_waited_for() -> None:
    with pytest.raises(LookDue) as due:
        seen(LISTING, directory_value("night", Object("d" * 64, 300)), "$(inputs.f.listing)")
    assert [each.name for each in due.value.objects.values()] == ["f"]


def test_a_step_fails_whose_file_comes_without_those_that_belong_to_it() -> None:
    use = FileUse((SecondaryFile(".bai"),))
    step = PlanStep("s", "work", inputs=(StepInput("f", "File", files=use),), outputs={"g": "File"})
    with pytest.raises(Unfit, match=r'input f: the file "a" comes without "a\.bai"'):
        evaluate(step, {"f": file_value("a", b"")})
    given = {**file_value("a", b""), "secondaryFiles": [file_value("a.bai", b"")]}
    assert evaluate(step, {"f": given}) is not None
    assert outputs_misfit(step, {"g": file_value("a", b"")}) is None
    needed = replace(step, output_files={"g": FileUse((SecondaryFile(".bai", required=True),))})
    assert 'output g: the file "a" comes without "a.bai"' in str(outputs_misfit(needed, {"g": file_value("a", b"")}))
