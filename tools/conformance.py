"""Runs CWL's conformance suite, as far as it needs no tool: `make conformance CWL_SUITE=…`.

The suite (common-workflow-language/cwl-v1.2) is not part of this repository, and nothing is fetched: `CWL_SUITE` names
a copy. What each test needs is what our reader says of its document. Those that need nothing are run by `cwltest`; all
of them are listed, with what became of them.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from caroni_edge.documents.documents import Problems, load
from caroni_edge.manager.templates.library import load_template

INDEX = "conformance_tests.yaml"
WORKERS = "2"
RESULT = "results.json"
PATHS = ("tool", "job")
"""What of a test are paths, from the folder of its file."""


@dataclass(frozen=True)
class Case:
    """A test of the suite.

    Attributes:
        name: Its `id`.
        document: The file that it runs, perhaps with `#` and a part of it.
        test: It, as `cwltest` reads it.
        stands_against: Why it is not run, in a word or two; empty where it is.
    """

    name: str
    document: str
    test: dict[str, Any]
    stands_against: str


def main() -> int:
    """Run the suite; the exit status says whether all that was run has passed."""
    arguments = argparse.ArgumentParser(description="Run CWL's conformance suite.")
    arguments.add_argument("suite", type=Path, help=f"a copy of common-workflow-language/cwl-v1.2, with {INDEX}")
    arguments.add_argument("--out", type=Path, default=Path("build/conformance"), help="where results and badges go")
    given = arguments.parse_args()
    suite, out = given.suite.resolve(), given.out.resolve()
    if not (suite / INDEX).is_file():
        print(f"{suite / INDEX} is not there: CWL_SUITE names a copy of common-workflow-language/cwl-v1.2")
        return 2
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    cases = list(read(suite))
    verdicts = run([case.test for case in cases if not case.stands_against], suite, out)
    return report(cases, verdicts, out)


def read(suite: Path) -> Iterator[Case]:
    """Return all tests of the suite, with what stands against running them."""
    seen: dict[str, str] = {}
    for test in _listed(suite / INDEX):
        name, document = str(test["id"]), str(test["tool"])
        if document not in seen:
            seen[document] = stands_against(suite, document)
        yield Case(name, document, _absolute(test, suite), seen[document])


def stands_against(suite: Path, document: str) -> str:
    """Return what running a document needs and is not served, in the words of `Problem.needs`; empty for nothing.

    Of one with mistakes we say nothing: it is run, and either is meant to fail or shows a mistake of ours.
    """
    file, _, part = document.partition("#")
    try:
        load_template(suite / file, (suite,), part)
    except Problems as problems:
        return " and ".join(sorted({each.needs for each in problems.problems if each.needs}))
    return ""


def run(tests: list[dict[str, Any]], suite: Path, out: Path) -> dict[str, str]:
    """Let cwltest run some tests; return what it says of each that has not passed, by name.

    Raises:
        SystemExit: There is no cwltest.
    """
    beside = Path(sys.executable).with_name("cwltest")
    cwltest = str(beside) if beside.exists() else shutil.which("cwltest")
    if cwltest is None:
        raise SystemExit("make conformance: cwltest is not installed; `pip install cwltest` brings it")
    runner = out / "cwl-runner"
    runner.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m caroni_edge cwl-run --root "{suite}" "$@"\n')
    runner.chmod(0o755)
    index, junit = out / "tests.json", out / "junit.xml"
    index.write_text(json.dumps(tests, indent=2) + "\n", encoding="utf-8")
    options = ["--tool", str(runner), "--junit-xml", str(junit), "-j", WORKERS]
    subprocess.run([cwltest, "--test", str(index), *options], check=False)
    return dict(_failed(junit))


def report(cases: list[Case], verdicts: dict[str, str], out: Path) -> int:
    """Write and print what became of each test."""
    rows = [{"id": case.name, "document": case.document, **_became(case, verdicts)} for case in cases]
    (out / RESULT).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    write_badges(cases, {row["id"] for row in rows if row["result"] == "passed"}, out / "badges")
    for row in rows:
        print(f"{row['result']:8} {row['id']:50} {row['why']}".rstrip())
    count = Counter(row["result"] for row in rows)
    needs = Counter(row["why"] for row in rows if row["result"] == "not run")
    print(f"\n{len(rows)} tests: {count['passed']} passed, {count['failed']} failed, {count['not run']} not run")
    for why, number in needs.most_common():
        print(f"  {number:6} {why}")
    print(f"{out / RESULT} has the list, {out / 'badges'} the badges")
    return 1 if count["failed"] else 0


def write_badges(cases: list[Case], passed: set[str], folder: Path) -> None:
    """Write a badge for each tag of the suite, and for all: what part of all its tests has passed, run or not.

    Those of cwltest would leave out what was not run.
    """
    tagged: dict[str, list[bool]] = {}
    for case in cases:
        for tag in ("all", *case.test.get("tags", ())):
            tagged.setdefault(tag, []).append(case.name in passed)
    folder.mkdir(exist_ok=True)
    for tag, each in tagged.items():
        percent = 100 * sum(each) // len(each)
        colour = "green" if percent == 100 else "yellow" if percent >= 90 else "red"
        badge = {"subject": tag, "status": f"{percent}%", "color": colour}
        (folder / f"{tag}.json").write_text(json.dumps(badge) + "\n", encoding="utf-8")


def _became(case: Case, verdicts: dict[str, str]) -> dict[str, str]:
    if case.stands_against:
        return {"result": "not run", "why": f"needs {case.stands_against}"}
    why = verdicts.get(case.name)
    return {"result": "passed", "why": ""} if why is None else {"result": "failed", "why": why}


def _listed(path: Path) -> Iterator[dict[str, Any]]:
    for test in load(path).value:
        if "$import" in test:
            below = path.parent / test["$import"]
            folder = below.parent.relative_to(path.parent)
            for each in _listed(below):
                yield {**each, **{key: str(folder / each[key]) for key in PATHS if each.get(key)}}
        else:
            yield test


def _absolute(test: dict[str, Any], suite: Path) -> dict[str, Any]:
    return {**test, **{key: f"{suite.as_uri()}/{test[key]}" for key in PATHS if test.get(key)}}


def _failed(junit: Path) -> Iterator[tuple[str, str]]:
    """Return the names of the tests that have not passed, with the last line that was said of each."""
    for case in ElementTree.parse(junit).getroot().iter("testcase"):  # noqa: S314 - cwltest has just written it
        ended = next((each for kind in ("failure", "error", "skipped") if (each := case.find(kind)) is not None), None)
        if ended is not None:
            said = (case.findtext("system-err") or ended.get("message") or "").strip().splitlines()
            yield str(case.get("file") or case.get("name")), said[-1] if said else "no reason is known"


if __name__ == "__main__":
    sys.exit(main())
