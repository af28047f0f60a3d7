"""What cwltool reads we read, but for what is not served yet; what it refuses, we refuse."""

import logging
from pathlib import Path

import pytest
from cwltool.factory import Factory

from caroni_edge.documents.documents import Problem
from caroni_edge.documents.files import Files
from caroni_edge.manager.templates.library import check_file
from caroni_edge.manager.templates.plan import Plan

DOCUMENTS = Path(__file__).parent / "documents"
GOOD = sorted(path.relative_to(DOCUMENTS).as_posix() for path in (DOCUMENTS / "good").rglob("*.cwl"))
WRONG = sorted(path.relative_to(DOCUMENTS).as_posix() for path in (DOCUMENTS / "wrong").glob("*.cwl"))


@pytest.fixture(scope="module")
def cwltool() -> Factory:
    logging.getLogger("cwltool").setLevel(logging.CRITICAL)
    return Factory()


def mistakes(name: str) -> list[Problem]:
    """Return what we say of a document, without what is not served yet."""
    found = check_file(DOCUMENTS / name, Files((DOCUMENTS,))).problems
    return [each for each in found if not each.warning and not each.needs]


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_has_no_mistakes(cwltool: Factory, name: str) -> None:
    if "Operation" not in (DOCUMENTS / name).read_text(encoding="utf-8"):  # cwltool makes nothing that it cannot run
        cwltool.make(str(DOCUMENTS / name))
    assert mistakes(name) == []


@pytest.mark.parametrize("name", [name for name in GOOD if "/tools/" not in name])
def test_a_workflow_that_is_right_becomes_a_plan(name: str) -> None:
    assert isinstance(check_file(DOCUMENTS / name, Files((DOCUMENTS,))).plan, Plan)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_by_both_and_once_by_us(cwltool: Factory, name: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of many classes
        cwltool.make(str(DOCUMENTS / name))
    assert str(caught.value)
    assert len(mistakes(name)) == 1
