"""Secrets of jobs, with real keepers: what a job writes holds none, whatever it writes."""

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from caroni_edge.agent.keeper.records import JOBS
from tests.integration.conftest import MakeKeeper
from tests.keepers import InProcess, Keeper
from tests.support import wait_until

SECRET = "s3cret/value+of='this' <host>"
LINE_1, LINE_2 = "-----BEGIN KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQ"
SECRETS = {"CARONI_SECRET_KEY": SECRET, "CARONI_SECRET_PEM": f"{LINE_1}\n{LINE_2}"}

WAYS = [
    'printf %s "$CARONI_SECRET_KEY"',
    'printf "a%sb" "$CARONI_SECRET_KEY"',
    'printf %s "$CARONI_SECRET_KEY" "$CARONI_SECRET_KEY"',
    'for ((i=0; i<${#CARONI_SECRET_KEY}; i++)); do printf %s "${CARONI_SECRET_KEY:i:1}"; sleep 0.003; done',
    'printf %s "${CARONI_SECRET_KEY:0:9}"; sleep 0.05; printf %s "${CARONI_SECRET_KEY:9}"',
    'head -c 65530 /dev/zero | tr "\\0" .; printf %s "$CARONI_SECRET_KEY"',
    'printf %s "$CARONI_SECRET_KEY" > /proc/self/fd/1',
    'printf %s "$CARONI_SECRET_KEY" >&2',
    "env",
    "env >&2",
    'printf %s "$CARONI_SECRET_PEM"',
    'printf "%s\\n" "$CARONI_SECRET_PEM" | tac',
    'printf %s "$CARONI_SECRET_PEM" | tr "\\n" " "',
    'printf %s "user:$CARONI_SECRET_KEY" | base64 -w0',
    'printf %s "me:$CARONI_SECRET_KEY" | base64 -w0',
    'printf %s "$CARONI_SECRET_KEY" | base64 -w0',
    *(
        f"cat <<'IT_ENDS'\n{text}\nIT_ENDS"
        for text in (
            json.dumps({"key": SECRET}),
            json.dumps({"key": SECRET}).replace("/", "\\/"),
            quote(SECRET, safe=""),
            quote_plus(SECRET),
            html.escape(SECRET),
            SECRET.replace("'", "'\\''"),
        )
    ),
    'set -x; true "$CARONI_SECRET_KEY"',
    'printf %s "${CARONI_SECRET_KEY:0:20}"',
]
TOLD = [
    SECRET,
    SECRET[:8],
    LINE_1,
    LINE_2,
    quote(SECRET, safe=""),
    html.escape(SECRET),
    json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    base64.b64encode(SECRET.encode()).decode()[:-4],
]


def assert_nowhere(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [text for text in TOLD if text.encode() in data], path


@pytest.mark.parametrize("text", WAYS)
def test_a_secret_that_a_job_prints_is_in_no_file(keeper: Keeper, text: str) -> None:
    end = keeper.script("job12345", text, secrets=SECRETS)
    assert end["status"] == 0
    assert "***" in keeper.stdout("job12345") + keeper.file("job12345", "stderr")
    assert_nowhere(keeper.state_dir)
    assert not [told for told in TOLD if told in json.dumps(end)]


def test_a_job_gets_its_secrets(keeper: Keeper) -> None:
    text = '[ "$CARONI_SECRET_KEY" = "$1" ] && [ "$(printf %s "$CARONI_SECRET_PEM" | wc -l)" = 1 ]'
    assert keeper.run("job12345", "/bin/bash", "-c", text, "-", SECRET, secrets=SECRETS)["status"] == 0


def test_what_comes_before_and_after_a_secret_is_kept(in_process: InProcess, tmp_path: Path) -> None:
    in_process.run("job12345", 'echo "before $CARONI_SECRET_KEY after"; printf s3cret', secrets=SECRETS)
    assert (tmp_path / JOBS / "job12345" / "stdout").read_text() == "before *** after\ns3cret"


def test_secrets_in_outputs_are_taken_out_of_their_file_and_it_is_told(keeper: Keeper) -> None:
    text = 'printf "key=%s\\n" "$CARONI_SECRET_KEY" > ../outputs'
    assert keeper.script("job12345", text, secrets=SECRETS)["is_masked"]
    assert keeper.file("job12345", "outputs") == "key=***\n"
    assert not keeper.script("job12346", "echo key=none > ../outputs", secrets=SECRETS)["is_masked"]


def test_a_job_with_secrets_ends_with_its_keeper_and_the_next_one_reads_nothing(
    make_keeper: MakeKeeper, keeper: Keeper
) -> None:
    say = 'echo "$CARONI_SECRET_KEY"; touch done'
    text = f'trap "" TERM; echo ready; until [ -e go ]; do sleep 0.01; done; {say}; sleep 600'
    keeper.started("job12345", text, secrets=SECRETS)
    work = keeper.state_dir / JOBS / "job12345" / "work"
    keeper.kill()
    (work / "go").touch()
    wait_until((work / "done").exists, what="the secret to be in the pipe")
    second = make_keeper(keeper.state_dir)
    end = second.hear("exited", "job12345")
    assert (end["kind"], "its keeper had died" in end["reason"]) == ("killed", True)
    assert second.stdout("job12345") == "ready\n"
    assert_nowhere(keeper.state_dir)
