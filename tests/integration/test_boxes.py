"""Real jobs attack their agent from each strength of box, as root's and as an ordinary user's."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.values.carried import file_value
from tests.attacks import SECRET
from tests.brokers import find
from tests.trespasses import all_of

ROOT = Path(__file__).resolve().parent.parent.parent
NOBODY = (
    *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"),
    "/usr/bin/python3",
)
"""Another user, and a Python that is everybody's: that of the tests may lie in root's home."""

PACKAGES = os.pathsep.join((str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))))
STRENGTHS = ("shared", "each")

READS = {
    "the configuration's secret": "print(read(secret_file))",
    "the database": "print(read(state + '/state.db'))",
    "the database from where it works": "print(read('../../../state.db'))",
    "the web token by a link": "os.symlink(state, 'link'); print(read('link/web-token'))",
    "the secret by a hard link": "os.link(secret_file, 'copy'); print(read('copy'))",
    "the agent's socket": "s = socket.socket(socket.AF_UNIX); s.connect(state + '/api.sock'); print(s.recv(100))",
    "the agent's environment": "print(read(f'/proc/{agent}/environ'))",
    "the agent's directory": "print(read(f'/proc/{agent}/cwd/password'), read(f'/proc/{agent}/root{secret_file}'))",
    "every process's directories": """
for path in [*glob.glob('/proc/[0-9]*/cwd'), *glob.glob('/proc/[0-9]*/root'), *glob.glob('/proc/[0-9]*/fd/*')]:
    for name in ('/web-token', '/../web-token', '/../../web-token', secret_file):
        try:
            print(read(path + name))
        except OSError:
            pass
raise SystemExit(1)
""",
    "every process's memory": """
for path in glob.glob('/proc/[0-9]*/environ'):
    if path != f'/proc/{os.getpid()}/environ':
        try:
            print(read(path))
        except OSError:
            pass
raise SystemExit(1)
""",
    "what the box covers": """
subprocess.run(['umount', state]); subprocess.run(['umount', secret_file])
subprocess.run(['unshare', '-rm', 'sh', '-c', 'umount "$0"; umount "$1"; cat "$0/web-token" "$1"', state, secret_file])
print(read(secret_file))
""",
    "a file by its handle": """
handle, mount = ctypes.create_string_buffer(136), ctypes.c_int()
ctypes.memmove(handle, (128).to_bytes(4, 'little'), 4)
assert libc.name_to_handle_at(-100, b'.', handle, ctypes.byref(mount), 0) == 0
print(libc.open_by_handle_at(os.open('.', os.O_RDONLY), handle, 0))
assert ctypes.get_errno() == 1, 'this needs a capability'
raise SystemExit(1)
""",
}
"""What reads a secret, and prints it."""

ACTS = {
    "a signal to the agent": "os.kill(agent, 0); print('DONE')",
    "a signal to the keeper": "os.kill(1, signal.SIGKILL); raise SystemExit(1)",
    "a signal to all": "os.kill(-1, signal.SIGTERM); raise SystemExit(1)",
    "ptrace of the agent": "assert libc.ptrace(16, agent, 0, 0) == 0; print('DONE')",
    "ptrace of process 1": "assert libc.ptrace(16, 1, 0, 0) == 0 and read('/proc/1/comm') != b'x'; print('DONE')",
    "a script": "open(glob.glob(state + '/scripts/*')[0], 'w').write('x'); print('DONE')",
    "a new script": "open(state + '/scripts/x', 'w').write('x'); print('DONE')",
    "a file in the state": "open(state + '/state.db', 'w').write('x'); print('DONE')",
    "the keeper's socket": """
for path in glob.glob(state + '/**/keeper.sock', recursive=True) + [state + '/keeper.sock']:
    s = socket.socket(socket.AF_UNIX); s.connect(path); print('DONE')
raise SystemExit(1)
""",
    "the kernel's core pattern": """
path = '/proc/sys/kernel/core_pattern'
before = read(path); open(path, 'wb').write(before)
print('DONE')
""",
    "a watch of the state": """
watch = libc.inotify_init()
assert libc.inotify_add_watch(watch, (state + '/state.db').encode(), 0xfff) >= 0; print('DONE')
""",
    "a mount": "assert libc.mount(b'x', b'/mnt', b'tmpfs', 0, None) == 0; print('DONE')",
    "the clock": "import time; time.clock_settime(time.CLOCK_REALTIME, time.time()); print('DONE')",
    "a device": "os.mknod('disk', 0o060600, os.makedev(8, 0)); print('DONE')",
    "capabilities": """
assert any(int(line.split()[1], 16) for line in read('/proc/self/status').decode().splitlines() if 'CapEff' in line)
print('DONE')
""",
    "more rights by a program": """
assert 'NoNewPrivs:\t1' not in read('/proc/self/status').decode()
print('DONE')
""",
}
"""What changes something, and then says so."""


CALLS = {
    "a mount": ("EPERM", "libc.mount(b'x', b'/tmp', b'tmpfs', 0, None)"),
    "a new mount": ("EPERM", "libc.syscall(430, b'tmpfs', 0)"),
    "a user namespace": ("EPERM", "libc.unshare(0x10000000)"),
    "a child in a user namespace": ("EPERM", "libc.syscall(CLONE, 0x10000000 | 17, 0, 0, 0, 0)"),
    "a child by clone3": ("ENOSYS", "libc.syscall(435, 0, 0)"),
    "another's namespace": ("EPERM", "libc.setns(os.open('/proc/self/ns/net', os.O_RDONLY), 0)"),
    "a keyring": ("EPERM", "libc.syscall(KEYCTL, 0, -3, 0, 0, 0)"),
    "a program in the kernel": ("EPERM", "libc.syscall(BPF, 0, b'\\0' * 128, 128)"),
    "page faults": ("EPERM", "libc.syscall(USERFAULTFD, 1)"),
    "counters of the processor": ("EPERM", "libc.syscall(PERF_EVENT_OPEN, b'\\0' * 128, 0, -1, -1, 0)"),
    "a ring of requests": ("ENOSYS", "libc.syscall(425, 1, b'\\0' * 128)"),
    "a kernel": ("EPERM", "libc.syscall(KEXEC_LOAD, 0, 0, 0, 0)"),
    "a module": ("EPERM", "libc.syscall(FINIT_MODULE, 0, b'', 0)"),
    "the kernel's log": ("EPERM", "libc.klogctl(3, ctypes.create_string_buffer(100), 100)"),
    "another terminal's input": ("EPERM", "libc.ioctl(os.openpty()[1], 0x5412, b'x')"),
    "the hypervisor": ("EAFNOSUPPORT", "libc.socket(40, 1, 0)"),
    "packets": ("EAFNOSUPPORT", "libc.socket(17, 2, 0)"),
    "a call of tomorrow": ("ENOSYS", "libc.syscall(1000)"),
}
"""What no job needs, and how a box of its own answers; a number is the same on all machines, or stands below."""

NUMBERS = {
    "x86_64": {"CLONE": 56, "KEYCTL": 250, "BPF": 321, "USERFAULTFD": 323, "PERF_EVENT_OPEN": 298, "KEXEC_LOAD": 246}
    | {"FINIT_MODULE": 313},
    "aarch64": {"CLONE": 220, "KEYCTL": 219, "BPF": 280, "USERFAULTFD": 282, "PERF_EVENT_OPEN": 241, "KEXEC_LOAD": 104}
    | {"FINIT_MODULE": 273},
}

ORDINARY = {
    "threads": """
import threading
threads = [threading.Thread(target=sum, args=(range(1000),)) for _ in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
""",
    "processes": """
import multiprocessing
context = multiprocessing.get_context('fork')
queue = context.SimpleQueue()
processes = [context.Process(target=queue.put, args=(number,)) for number in range(4)]
[process.start() for process in processes]
assert sorted(queue.get() for _ in processes) == [0, 1, 2, 3]
[process.join() for process in processes]
""",
    "a pipe of the shell": "assert subprocess.check_output(['bash', '-c', 'seq 9 | sort -r | head -1']) == b'9\\n'",
    "a shell's jobs": "subprocess.check_call(['bash', '-c', 'set -m; sleep 0 & wait'])",
    "an archive": """
os.makedirs('tree/sub'); open('tree/sub/file', 'w').write('x')
subprocess.check_call(['tar', '-czf', 'tree.tgz', 'tree'])
subprocess.check_call(['sh', '-c', 'mkdir out && tar -xzf tree.tgz -C out && diff -r tree out/tree'])
""",
    "sockets": """
a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'
server = socket.create_server(('127.0.0.1', 0)); socket.create_connection(server.getsockname())
socket.getaddrinfo('localhost', 80)
""",
    "a trace of its own child": """
pid = os.fork()
if pid == 0:
    signal.pause()
assert libc.ptrace(16, pid, 0, 0) == 0
os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
""",
    "a terminal of its own": """
import pty
pid, terminal = pty.fork()
if pid == 0:
    os.execvp('stty', ['stty', 'size'])
assert os.read(terminal, 100) == b'0 0\\r\\n'
os.waitpid(pid, 0)
""",
    "a compiler": """
import shutil
if shutil.which('gcc'):
    open('a.c', 'w').write('int main(void) { return 7; }')
    subprocess.check_call(['gcc', '-o', 'a', 'a.c'])
    assert subprocess.call(['./a']) == 7
""",
    "clocks, sleeps and random bytes": "import time; time.sleep(0.001); time.time(); os.urandom(9); os.sched_yield()",
    "shared memory": """
import mmap
from multiprocessing import shared_memory
shared_memory.SharedMemory(create=True, size=100).unlink(); mmap.mmap(-1, 4096)
""",
}
"""What jobs do all the time."""


ITS_OWN = ("ptrace of process 1", "a new script", "a file in the state", "a watch of the state")
"""What a box of its own has for the job alone: its first process, and, where these tests have the state, its /tmp."""


@pytest.fixture(params=["root", "nobody"])
def user(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return what starts a Python as an agent's user."""
    find("bwrap", "bubblewrap")
    if os.geteuid():
        if request.param == "root":
            pytest.skip("only root can be root")
        return (sys.executable,)
    if request.param == "root":
        return (sys.executable,)
    words = [*NOBODY, "-c", "import tests.attacks"]
    tried = subprocess.run(
        words,
        cwd="/",
        env={"PYTHONPATH": PACKAGES, "PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
    )
    if tried.returncode:
        pytest.skip(f"another user cannot use this checkout: {tried.stderr[-200:]}")
    return NOBODY


@pytest.fixture
def home(user: tuple[str, ...]) -> Iterator[Path]:
    """Return a directory of that user's."""
    directory = Path(tempfile.mkdtemp(prefix="caroni-"))
    if user is NOBODY:
        os.chown(directory, 65534, 65534)
    yield directory
    shutil.rmtree(directory)


def run(
    user: tuple[str, ...],
    home: Path,
    strength: str,
    text: str,
    sandbox: dict[str, Any] | None = None,
    image: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Let a job attack an agent of that user; return what has come of it."""
    argv = [*user, "-m", "tests.attacks", str(home), strength, json.dumps(sandbox or {}), json.dumps(image)]
    done = subprocess.run(
        argv,
        cwd=home,
        input=text,
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": PACKAGES, "SECRET": SECRET},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["able"][:2] == ["", ""], "no box can be made here"
    return found


@pytest.mark.parametrize("strength", STRENGTHS)
def test_nothing_of_the_agent_is_read(user: tuple[str, ...], home: Path, strength: str) -> None:
    found = run(user, home, strength, _all_of(READS))
    assert SECRET not in found["log"]
    assert "/UNDONE" in found["log"], found
    assert found["log"].count("/UNDONE") == len(READS), found["log"]


@pytest.mark.parametrize("strength", STRENGTHS)
def test_nothing_of_the_agent_is_changed_or_ended(user: tuple[str, ...], home: Path, strength: str) -> None:
    acts = ACTS if strength == "shared" else {name: text for name, text in ACTS.items() if name not in ITS_OWN}
    found = run(user, home, strength, _all_of(acts))
    assert [line for line in found["log"].splitlines() if line.startswith("DONE")] == [], found["log"]
    assert found["log"].count("/UNDONE") == len(acts), found["log"]
    assert found["lives"]
    assert not found["is_touched"]


def test_without_a_box_the_same_attacks_succeed(user: tuple[str, ...], home: Path) -> None:
    assert run(user, home, "none", READS["the configuration's secret"])["log"].count(SECRET) == 1


def test_a_box_of_its_own_shows_nothing_of_the_hosts(user: tuple[str, ...], home: Path) -> None:
    places = ["/home", "/root", "/srv", "/var/lib", "/boot", "/etc/shadow", "/sys/kernel", str(home)]
    look = f"print([path for path in {places} if os.path.exists(path)]); print(sorted(os.listdir('/tmp')))"
    found = run(user, home, "each", look)
    state_home = str(home)
    assert found["log"].splitlines()[-2] == str([state_home]), "where its own directory is"
    assert found["log"].splitlines()[-1] == str([home.name])


def test_a_box_of_its_own_has_what_was_asked_for(user: tuple[str, ...], home: Path) -> None:
    data, spool = home / "data", home / "spool"
    for directory in (data, spool):
        directory.mkdir()
        directory.chmod(0o777)
    (data / "in").write_text("there")
    text = f"""
print(read('{data}/in'))
open('{spool}/out', 'w').write('x')
try:
    open('{data}/out', 'w')
except OSError as error:
    print(error.strerror)
try:
    socket.create_connection(('127.0.0.1', 9))
except OSError as error:
    print(len(os.listdir('/sys/class/net')) if os.path.exists('/sys/class/net') else error.strerror)
"""
    found = run(user, home, "each", text, {"read": [str(data)], "write": [str(spool)], "network": False})
    assert "b'there'" in found["log"]
    assert "Read-only file system" in found["log"]
    assert (spool / "out").read_text() == "x"


def test_a_box_of_its_own_refuses_what_no_job_needs_of_the_kernel(user: tuple[str, ...], home: Path) -> None:
    text = f"""
import errno
globals().update({NUMBERS}[os.uname().machine])
for name, call in { ({name: call for name, (_, call) in CALLS.items()})!r}.items():
    ctypes.set_errno(0)
    print(name, eval(call), errno.errorcode.get(ctypes.get_errno()), sep='/', flush=True)
print(read('/proc/self/status').decode())
"""
    log = run(user, home, "each", text)["log"]
    for name, (expected, _) in CALLS.items():
        assert f"{name}/-1/{expected}\n" in log, log
    assert "Seccomp:\t2\n" in log


def test_ordinary_programs_work_in_a_box_of_its_own(user: tuple[str, ...], home: Path) -> None:
    log = run(user, home, "each", _all_of(ORDINARY))["log"]
    assert log.count("/DONE") == len(ORDINARY), log


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_files_of_a_job_are_in_its_box(user: tuple[str, ...], home: Path, strength: str) -> None:
    text = """
path = os.environ["CARONI_ENV_image"]
open("copy", "wb").write(read(path))
open(os.environ["CARONI_OUTPUTS"], "w").write("copy=copy")
try:
    open(path, "ab")
    print("DONE" if os.environ["BOX"] == "each" or os.geteuid() else "as root")
except OSError as error:
    print(error.strerror)
"""
    found = run(user, home, strength, text, image=file_value("a.bin", b"\xff\x00"))
    assert file_value("copy", b"\xff\x00")["location"] in found["outcome"]
    assert "DONE" not in found["log"]


def test_the_box_that_jobs_share_shows_the_hosts_control_groups_and_devices(user: tuple[str, ...], home: Path) -> None:
    look = """
for what in (sorted(os.listdir('/sys/fs/cgroup')), sorted(os.listdir('/sys/class')), os.path.exists('/dev/null')):
    print(what)
"""
    before = {*os.listdir("/sys/fs/cgroup")}
    found = run(user, home, "shared", look)
    groups, classes, has_null = map(literal_eval, found["log"].splitlines()[-3:])
    staying = before & {*os.listdir("/sys/fs/cgroup")}  # containers of others may have come or gone meanwhile
    assert staying <= {*groups}
    assert (classes, has_null) == (sorted(os.listdir("/sys/class")), True)


def test_all_of_a_job_ends_with_its_box(user: tuple[str, ...], home: Path) -> None:
    spool = home / "spool"
    spool.mkdir()
    spool.chmod(0o777)
    seconds = str(4_711_000_000 + os.getpid())  # by which only ours are found
    text = f"""
import time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.environ.clear()
            os.execv('/usr/bin/sleep', ['sleep', '{seconds}'])
        os._exit(0)
time.sleep(0.2)
"""
    found = run(user, home, "each", text, {"write": [str(spool)]})
    assert found["lives"]
    assert subprocess.run(["pgrep", "-f", f"sleep {seconds}"], check=False, capture_output=True, text=True).stdout == ""


def _all_of(attacks: dict[str, str]) -> str:
    """Return one text that makes every attack, deaf to SIGTERM, since some of them send it to all that they can."""
    return f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{all_of(attacks)}"
