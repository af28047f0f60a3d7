"""What a job does to another one: Python texts, by what they try; `tests/neighbours.py` runs them as jobs."""

SECRET = "s3cr3t-of-a-job"
BEFORE = """
import ctypes, glob, json, os, resource, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
home, secret, victim = os.environ["PLACE"], "-".join(("s3cr3t", "of", "a", "job")), os.environ["VICTIM"]
key = int(os.environ["KEY"])
IPC_CREAT, IPC_RMID, PRIVATE = 0o1000, 0, 0o600
add_key, keyctl = (248, 250) if os.uname().machine == "x86_64" else (217, 219)
name = os.path.basename(home)
in_tmp, in_shm, abstract = f"/tmp/{name}-victim", f"/dev/shm/{name}-victim", f"\\0{name}-victim"

def read(path):
    with open(path, "rb") as file:
        return file.read(1 << 20)

def write(path, text):
    with open(path, "w") as file:
        file.write(text)

def others():
    for path in glob.glob("/proc/[0-9]*"):
        pid = int(os.path.basename(path))
        try:
            if pid != 1 and pid != os.getpid() and b"VICTIM-PROCESS" in read(path + "/cmdline"):
                yield pid
        except OSError:
            pass

def shared_memory():
    number = libc.shmget(key, 4096, 0)
    assert number >= 0, "no memory"
    return number

def queue():
    number = libc.msgget(key, 0)
    assert number >= 0, "no queue"
    return number
"""
VICTIM_TEXT = """
import threading
open("secret", "w").write(secret)
os.umask(0o077)
write(in_tmp, secret); write(in_shm, secret)
number = libc.shmget(key, 4096, IPC_CREAT | PRIVATE)
memory = libc.shmat(number, None, 0)
ctypes.memmove(memory, secret.encode(), len(secret))
letters = libc.msgget(key, IPC_CREAT | PRIVATE)
libc.msgsnd(letters, (1).to_bytes(8, "little") + secret.encode(), len(secret), 0)
semaphore = libc.semget(key, 1, IPC_CREAT | PRIVATE)
added = libc.syscall(add_key, b"user", b"victim", secret.encode(), len(secret), -4)
added = libc.syscall(add_key, b"user", b"victim", secret.encode(), len(secret), -3)
listener = socket.socket(socket.AF_UNIX); listener.bind(abstract); listener.listen()
def answer():
    while True:
        connected, _ = listener.accept()
        who = int.from_bytes(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[4:8], "little")
        connected.sendall(secret.encode() if who == os.getuid() else b"no")
        connected.close()
threading.Thread(target=answer, daemon=True).start()
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", "VICTIM-PROCESS", secret * 0],
                         stdin=subprocess.PIPE, env={**os.environ, "SECRET": secret})
with open(os.environ["CARONI_OUTPUTS"], "w") as file:
    file.write("secret=" + secret + chr(10))
print("ready", file=sys.stderr, flush=True)
while not os.path.exists(home + "/go"):
    time.sleep(0.01)
intact = {
    "child": child.poll() is None and "T" not in read(f"/proc/{child.pid}/stat").decode().split()[2],
    "file": read("secret") == secret.encode(),
    "tmp": os.path.exists(in_tmp) and read(in_tmp) == secret.encode(),
    "shm": os.path.exists(in_shm) and read(in_shm) == secret.encode(),
    "memory": libc.shmget(key, 4096, 0) == number and ctypes.string_at(memory, len(secret)) == secret.encode(),
    "letters": libc.msgget(key, 0) == letters,
    "outputs": read(os.environ["CARONI_OUTPUTS"]) == b"secret=" + secret.encode() + b"\\n",
    "priority": os.getpriority(os.PRIO_PROCESS, child.pid) == os.getpriority(os.PRIO_PROCESS, 0),
}
print("intact", json.dumps(intact), file=sys.stderr)
child.kill()
for path in (in_tmp, in_shm):
    os.unlink(path)
libc.shmctl(number, IPC_RMID, None); libc.msgctl(letters, IPC_RMID, None); libc.semctl(semaphore, 0, IPC_RMID)
"""
"""A job that has a secret wherever a job can have one, and looks in the end whether all is as it was."""

READS = {
    "a file": "print(read(victim + '/work/secret'))",
    "a file by its directory's neighbour": "print(read('../../victim11/work/secret'))",
    "the outputs": "print(read(victim + '/outputs'))",
    "the record": "assert read(victim + '/record'); print(secret)",
    "the names of files": "assert os.listdir(victim) or os.listdir(victim + '/work'); print(secret)",
    "the names of jobs": "assert os.listdir(victim + '/..'); print(secret)",
    "the environment": "for pid in others(): print(read(f'/proc/{pid}/environ'))",
    "the memory": """
for pid in others():
    for line in read(f'/proc/{pid}/maps').decode().splitlines():
        if '[heap]' in line or '[stack]' in line:
            begin, end = (int(part, 16) for part in line.split()[0].split('-'))
            with open(f'/proc/{pid}/mem', 'rb') as memory:
                memory.seek(begin); print(secret if secret.encode() in memory.read(end - begin) else '')
""",
    "the memory by a call": """
class Part(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))
into = ctypes.create_string_buffer(8)
for pid in others():
    local, remote = Part(ctypes.addressof(into), 8), Part(id(into), 8)
    libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    if ctypes.get_errno() != 1: print(secret)
""",
    "the working directory": "for pid in others(): print(read(f'/proc/{pid}/cwd/secret'))",
    "the open files": """
for pid in others():
    if os.listdir(f'/proc/{pid}/fd'): print(secret)
""",
    "an open file by a call": """
for pid in others():
    pidfd = os.pidfd_open(pid)
    if libc.syscall(438, pidfd, 0, 0) >= 0: print(secret)
""",
    "a file in /tmp": "print(read(in_tmp))",
    "a file in /dev/shm": "print(read(in_shm))",
    "a hard link to a file": "os.link(victim + '/work/secret', 'link'); print(read('link'))",
    "a hard link to a file in /tmp": "os.link(in_tmp, '/var/tmp/' + name); print(read('/var/tmp/' + name))",
    "a link to a file": "os.symlink(victim + '/work/secret', 'symlink'); print(read('symlink'))",
    "System V memory": "print(ctypes.string_at(libc.shmat(shared_memory(), None, 0o10000), len(secret)))",
    "a System V message": """
letter = ctypes.create_string_buffer(100)
assert libc.msgrcv(queue(), letter, 90, 0, 0o4000) > 0
print(letter.raw)
""",
    "the keyring of the user": """
number = libc.syscall(keyctl, 10, -4, b"user", b"victim", 0)
into = ctypes.create_string_buffer(100)
assert number > 0 and libc.syscall(keyctl, 11, number, into, 100) > 0
print(into.raw)
""",
    "the keyring of the session": """
number = libc.syscall(keyctl, 10, -3, b"user", b"victim", 0)
into = ctypes.create_string_buffer(100)
assert number > 0 and libc.syscall(keyctl, 11, number, into, 100) > 0
print(into.raw)
""",
    "an abstract socket that looks who asks": """
asking = socket.socket(socket.AF_UNIX); asking.connect(abstract); print(asking.recv(100))
""",
    "the namespaces and the root directory": """
for pid in others():
    os.open(f'/proc/{pid}/ns/user', os.O_RDONLY); os.listdir(f'/proc/{pid}/root/'); print(secret)
""",
    "the terminal": """
import fcntl
for path in glob.glob('/dev/pts/*') + ['/dev/tty', '/dev/console', '/dev/tty0']:
    try:
        with open(path, 'rb') as terminal:
            fcntl.ioctl(terminal, 0x5412, b'x'); print(secret)
    except OSError:
        pass
""",
}
"""What reads the secret of another job, or shows by printing it that it could."""

ACTS = {
    "a signal": "for pid in others(): os.kill(pid, signal.SIGTERM)",
    "a signal that stops": "for pid in others(): os.kill(pid, signal.SIGSTOP)",
    "a signal that every process of a session may send": "for pid in others(): os.kill(pid, signal.SIGCONT)",
    "a signal by a pidfd": "for pid in others(): signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGUSR1)",
    "ptrace": "for pid in others(): assert libc.ptrace(0x4206, pid, 0, 0) == 0",
    "a write to the memory": "for pid in others(): open(f'/proc/{pid}/mem', 'r+b').close()",
    "a write to standard output": "for pid in others(): write(f'/proc/{pid}/fd/1', 'forged')",
    "the outputs": "write(victim + '/outputs', 'secret=forged')",
    "the outputs by another name": "os.rename(victim + '/outputs', victim + '/before')",
    "a new file": "write(victim + '/new', 'x')",
    "a new file where it works": "write(victim + '/work/new', 'x')",
    "its directory": "os.rename(victim, victim + '2')",
    "another directory beside it": "os.mkdir(os.path.dirname(victim) + '/mine')",
    "the rights of its directory": "os.chmod(victim, 0o777)",
    "a script": "write(sys.argv[0], 'x')",
    "a file in /tmp": "os.unlink(in_tmp)",
    "a file in /tmp by another name": "os.rename(in_tmp, in_tmp + '2')",
    "a file in /tmp by the same name": "write(in_tmp + '3', 'x'); os.rename(in_tmp + '3', in_tmp)",
    "a file in /dev/shm": "os.unlink(in_shm)",
    "System V memory": "assert libc.shmctl(shared_memory(), IPC_RMID, None) == 0",
    "a System V queue": "assert libc.msgctl(queue(), IPC_RMID, None) == 0",
    "a System V semaphore": "assert libc.semctl(libc.semget(key, 1, 0), 0, IPC_RMID) == 0",
    "a watch": """
watch = libc.inotify_init()
assert libc.inotify_add_watch(watch, (victim + '/work').encode(), 0xfff) >= 0
""",
    "the priority": "for pid in others(): os.setpriority(os.PRIO_PROCESS, pid, 19)",
    "the limits": "for pid in others(): resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))",
    "the processors": "for pid in others(): os.sched_setaffinity(pid, {0})",
    "who is ended first": "for pid in others(): write(f'/proc/{pid}/oom_score_adj', '1000')",
    "a user id": "os.setuid(os.stat(victim).st_uid)",
    "a user id next to ours": "os.setuid(os.getuid() + 1)",
    "the user id of root": "os.setuid(0)",
    "a namespace of users": """
own = os.getuid()
assert libc.unshare(0x10000000) == 0
write('/proc/self/setgroups', 'deny'); write('/proc/self/uid_map', f'{own} {own} 1')
assert os.system('chmod 777 ' + victim) == 0
""",
}
"""What changes something of another job's."""


LEAVE = """
before = json.loads(read(os.environ["CARONI_INPUTS"]))["before"]["path"]
os.mkdir("given"); os.chmod("given", 0o700)
write("given/after", read(before).decode() + "y"); os.chmod("given/after", 0o200)
write(os.environ["CARONI_OUTPUTS"], "after=given/after")
os.makedirs(in_tmp + "/a/b/c"); write(in_tmp + "/a/b/c/file", secret)
os.chmod(in_tmp + "/a/b", 0); os.chmod(in_tmp, 0)
write("/tmp/" + "x" * (255 - len(name)) + name, secret)
write(in_shm, secret); os.chmod(in_shm, 0)
os.makedirs("deep"); os.chdir("deep")
for _ in range(600):
    os.mkdir("0123456789"); os.chdir("0123456789")
write("file", secret)
number = libc.shmget(key, 4096, IPC_CREAT | PRIVATE)
libc.msgget(key, IPC_CREAT | PRIVATE)
libc.semget(key, 1, IPC_CREAT | PRIVATE)
libc.syscall(add_key, b"user", b"victim", secret.encode(), len(secret), -4)
if os.fork() == 0:
    os.setsid()
    resource.setrlimit(10, (-1, -1))
    if os.fork() == 0:
        for stream in (0, 1, 2): os.close(stream)
        os.execve("/usr/bin/sleep", ["sleep", "600", "VICTIM-PROCESS"][:2], {})
    os._exit(0)
os.wait()
"""
FIND = """
def is_ours(path):
    try:
        return os.lstat(path).st_uid == os.getuid()
    except FileNotFoundError:  # gone since it was listed
        return False

found = {
    "tmp": [path for path in os.listdir("/tmp") if is_ours("/tmp/" + path)],
    "shm": [path for path in os.listdir("/dev/shm") if is_ours("/dev/shm/" + path)],
    "memory": libc.shmget(key, 4096, 0) >= 0, "queue": libc.msgget(key, 0) >= 0,
    "semaphore": libc.semget(key, 1, 0) >= 0,
    "key": libc.syscall(keyctl, 10, -4, b"user", b"victim", 0) > 0,
    "processes": [
        path for path in glob.glob("/proc/[0-9]*")
        if is_ours(path) and path != f"/proc/{os.getpid()}"
    ],
}
write(os.environ["CARONI_OUTPUTS"], json.dumps({"found": {what: left for what, left in found.items() if left}}))
"""


def all_of(attacks: dict[str, str]) -> str:
    """Return one text that makes every attack, each in a process of its own, and says of each what has come of it."""
    return f"""
for what, text in {attacks!r}.items():
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            exec(text)
            status = 0
        except BaseException as error:
            print(what, type(error).__name__, error)
        sys.stdout.flush()
        os._exit(status)
    status = os.waitpid(pid, 0)[1]
    print(f"{{what}}/{{'DONE' if status == 0 else 'UNDONE'}}", flush=True)
"""
