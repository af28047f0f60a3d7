#!/bin/sh
# Brings what a `make` target needs, and nothing when it is there already:
#
#   tools/setup.sh run      to run Caroni Edge: Python and the locked packages, in .venv of this checkout
#   tools/setup.sh check    and the formatter, linter, type checker and test runner
#   tools/setup.sh test     and the real programs that the tests run against: mosquitto and its clients, RabbitMQ, NATS,
#                           Chromium; debootstrap, systemd-nspawn, lintian and Ansible, for the packages; and podman,
#                           which tries what Docker is for; and an S3 server, with a Python environment of its own
#   tools/setup.sh release  to check a release: the formatter and so on, and lintian
#   tools/setup.sh emulate  to build for another architecture: QEMU, debootstrap and systemd-nspawn
#   tools/setup.sh dist     to make the binary: PyInstaller with the few packages that go into it, in build/venv
#
# Debian packages are installed only where something is missing, as root or with sudo; a machine on which all is there
# needs neither. PYTHON names the Python that .venv is made with; without it the first of 3.11 or newer is taken.
set -eu
cd "$(dirname "$0")/.."

VENV=.venv
OLDEST="3.11"

say() { echo "setup: $*" >&2; }
die() {
    say "$1"
    shift
    for line in "$@"; do echo "       $line" >&2; done
    exit 1
}

# quietly COMMAND...: what an installer says helps only when it fails, and then it is shown whole.
quietly() {
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        die "this failed, and said the above: $*"
    fi
    rm -f "$log"
}

# --- Debian packages ------------------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# apt_install PACKAGE...: also brings the package lists up to date, since a fresh machine has none.
apt_install() {
    command -v apt-get >/dev/null || die "this machine has no apt-get; please install yourself what Debian calls: $*"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die \
        "these Debian packages are missing: $*" "Become root, or ask somebody who is: apt-get install $*"
    say "installing the Debian packages $*"
    [ -n "${lists_are_new:-}" ] || quietly apt_get update
    lists_are_new=yes
    quietly apt_get install --yes --no-install-recommends "$@"
}

# Debian keeps daemons in /usr/sbin, which is not on everybody's PATH.
is_there() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null; }

install_mosquitto() {
    missing=""
    is_there mosquitto || missing="mosquitto"
    is_there mosquitto_pub && is_there mosquitto_sub || missing="$missing mosquitto-clients"
    # shellcheck disable=SC2086 # the words are package names
    [ -z "$missing" ] || apt_install $missing
}

# A browser without fonts shows no letters.
install_browser() {
    is_there chromium || apt_install chromium fonts-dejavu-core
}

# What locks jobs into boxes.
install_boxes() {
    is_there bwrap || apt_install bubblewrap
    is_there newuidmap || apt_install uidmap
}

# For the test of the Debian package, in a Debian of its own, and of the playbook.
install_packagers() {
    missing=""
    is_there debootstrap || missing="debootstrap"
    is_there systemd-nspawn || missing="$missing systemd-container"
    is_there lintian || missing="$missing lintian"
    is_there ansible-playbook || missing="$missing ansible-core"
    # shellcheck disable=SC2086 # the words are package names
    [ -z "$missing" ] || apt_install $missing
}

# What tries the containers without Docker, with a network of their own and names in it.
install_containers() {
    missing=""
    is_there podman || missing="podman"
    is_there podman-compose || missing="$missing podman-compose"
    is_there runc || missing="$missing runc"
    is_there /usr/lib/podman/netavark || missing="$missing netavark iptables"
    is_there /usr/lib/podman/aardvark-dns || missing="$missing aardvark-dns"
    is_there ip || missing="$missing iproute2"
    # shellcheck disable=SC2086 # the words are package names, and podman has services
    [ -z "$missing" ] || without_services apt_install $missing
}

install_emulator() {
    missing=""
    is_there qemu-aarch64-static || missing="qemu-user-static"
    is_there debootstrap || missing="$missing debootstrap"
    is_there systemd-nspawn || missing="$missing systemd-container"
    # shellcheck disable=SC2086 # the words are package names
    [ -z "$missing" ] || apt_install $missing
}

# These two would run as services from now on, which nobody has asked for: the tests start their own.
install_other_brokers() {
    missing=""
    is_there rabbitmq-server || missing="rabbitmq-server"
    is_there nats-server || missing="$missing nats-server"
    [ -n "$missing" ] || return 0
    # shellcheck disable=SC2086 # the words are package names, and those of their services
    without_services apt_install $missing
    if command -v systemctl >/dev/null; then
        # shellcheck disable=SC2086
        quietly as_root systemctl disable $missing
    fi
}

# without_services COMMAND...: no package starts a service meanwhile. A policy that is there already stays.
without_services() {
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
    "$@"
    as_root rm -f "$policy"
    trap - EXIT
}

install_binary_tools() {
    is_there objdump && is_there strip || apt_install binutils
    # Debian's Python does without its shared library, which a binary is made of.
    "$VENV/bin/python" - 2>/dev/null <<'PYTHON' || apt_install "libpython$("$VENV/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
import ctypes, sysconfig
ctypes.CDLL(sysconfig.get_config_var("INSTSONAME"))
PYTHON
}

# --- Python ---------------------------------------------------------------------------------------------------------

# usable PYTHON: new enough, and able to make an environment with pip in it (which Debian puts in a package of its own).
usable() {
    "$1" - "$OLDEST" >/dev/null 2>&1 <<'PYTHON'
import ensurepip, sqlite3, ssl, sys, venv
oldest = tuple(int(part) for part in sys.argv[1].split("."))
sys.exit(sys.version_info[:2] < oldest or sys.prefix != sys.base_prefix)
PYTHON
}

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if usable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        usable "$PYTHON" || die "PYTHON=$PYTHON is not Python $OLDEST or newer with the modules venv, ensurepip, sqlite3 and ssl"
        echo "$PYTHON"
        return
    fi
    find_python && return
    if command -v apt-get >/dev/null; then
        apt_install python3 python3-venv
        find_python && return
    fi
    found=$(python3 --version 2>/dev/null || echo "no python3 at all")
    die "Caroni Edge needs Python $OLDEST or newer with its venv module; here is $found" \
        "Debian 12 and Ubuntu 24.04 bring one: apt-get install python3 python3-venv" \
        "Another one can be named: make PYTHON=/path/to/python3 ..."
}

# fingerprint LOCK: changes when the environment must be made anew: other packages, another place, another Python.
fingerprint() {
    {
        cat "$1" tools/setup.sh
        sed '/^\[tool/,$d' pyproject.toml
        pwd
        "$VENV/bin/python" -c 'import sys; print(sys.version)'
    } | sha256sum | cut -d' ' -f1
}

# is_current LOCK: .venv works, and was made from this LOCK.
is_current() {
    [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -c '' 2>/dev/null || return 1
    [ "$(cat "$VENV/made-from-$1" 2>/dev/null)" = "$(fingerprint "$1")" ]
}

install_packages() { # install_packages LOCK
    is_current "$1" && return
    [ ! -L "$VENV" ] || die "$VENV is a link, and what it leads to was made for another checkout" \
        "Remove the link; then an environment is made here."
    python=$(choose_python)
    say "installing the Python packages of $1 into $VENV; this takes about a minute"
    rm -f "$VENV"/made-from-*
    quietly "$python" -m venv --clear "$VENV"
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
    # The lock names all that is wanted, and leaves out of the binary what others would bring along.
    quietly "$VENV/bin/python" -m pip install --quiet --no-deps --require-hashes --requirement "$1" </dev/null
    if [ "$VENV" = .venv ]; then
        # setuptools is among the locked packages: without build isolation nothing else is downloaded.
        quietly "$VENV/bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable . </dev/null
    fi
    fingerprint "$1" >"$VENV/made-from-$1"
}

prepare_binary() {
    VENV=build/venv
    install_packages requirements-dist.lock
    install_binary_tools
}

prepare_s3_server() {
    VENV=build/s3
    install_packages requirements-s3.lock
}

case "${1:-}" in
run)
    # The developers' packages are these and more, in the same versions.
    is_current requirements-dev.lock || install_packages requirements.lock
    ;;
check)
    install_packages requirements-dev.lock
    ;;
test)
    install_mosquitto
    install_other_brokers
    install_browser
    install_boxes
    install_packagers
    install_containers
    install_packages requirements-dev.lock
    (prepare_binary)
    (prepare_s3_server)
    ;;
dist)
    prepare_binary
    ;;
release)
    is_there lintian || apt_install lintian
    install_packages requirements-dev.lock
    ;;
emulate)
    install_emulator
    ;;
*)
    die "usage: tools/setup.sh run|check|test|dist|release|emulate"
    ;;
esac
