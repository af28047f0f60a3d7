#!/bin/sh
# Runs a command of this checkout in a Debian of another architecture, which QEMU emulates: `make dist ARCH=arm64`.
#
#   tools/emulated.sh ARCH COMMAND...
#
# The Debian is made once (build/debian-ARCH, or EMULATED_DEBIAN), which takes five minutes or more, as root. What is
# built in there stays in build/ARCH; dist/ is this checkout's.
set -eu
cd "$(dirname "$0")/.."
ARCH=$1
shift
DEBIAN=${EMULATED_DEBIAN:-$PWD/build/debian-$ARCH}
RELEASE=bookworm
PACKAGES=binutils,ca-certificates,python3,python3-venv,libpython3.11
BUNDLE=/etc/ssl/certs/ca-certificates.crt
case $ARCH in
arm64) MACHINE=aarch64 ;;
*)
    echo "emulated: this knows how to emulate arm64, not $ARCH" >&2
    exit 2
    ;;
esac

if [ "$(id -u)" != 0 ]; then
    echo "emulated: only root can make and enter a Debian of another architecture; on an $ARCH host no emulation is needed" >&2
    exit 1
fi
tools/setup.sh emulate

# The kernel hands programs of the architecture to QEMU. Debian sees to this at a boot, but not where no systemd runs.
FORMATS=/proc/sys/fs/binfmt_misc
[ -e $FORMATS/register ] || mount -t binfmt_misc binfmt_misc $FORMATS
[ -e $FORMATS/qemu-$MACHINE ] || grep '^:' /usr/lib/binfmt.d/qemu-$MACHINE.conf >$FORMATS/register

if [ ! -e "$DEBIAN/etc/debian_version" ] || [ -e "$DEBIAN/debootstrap" ]; then
    echo "emulated: making a Debian for $ARCH in $DEBIAN" >&2
    rm -rf --one-file-system "$DEBIAN"
    mkdir -p "$DEBIAN"
    debootstrap --arch="$ARCH" --variant=minbase --include=$PACKAGES $RELEASE "$DEBIAN" >"$DEBIAN.log" 2>&1 || {
        tail -n 20 "$DEBIAN.log" >&2
        exit 1
    }
fi
# This host's, which may know of a proxy's certificate.
[ ! -e $BUNDLE ] || cp $BUNDLE "$DEBIAN$BUNDLE"

mkdir -p "build/$ARCH" dist /run/systemd/nspawn
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
set -- --setenv=PIP_CERT=$BUNDLE --setenv=SOURCE_DATE_EPOCH="$date" --setenv=BUILT="${BUILT:-}" -- "$@"
for name in PIP_INDEX_URL http_proxy https_proxy; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || set -- --setenv="$name=$value" "$@"
done
exec systemd-nspawn --quiet --register=no --keep-unit --pipe --resolv-conf=replace-host --directory="$DEBIAN" \
    --bind="$PWD:/src" --bind="$PWD/build/$ARCH:/src/build" --chdir=/src "$@"
