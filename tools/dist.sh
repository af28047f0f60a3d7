#!/bin/sh
# Makes the program that needs no Python: `make dist`. ARCH=arm64 makes that of another architecture, emulated.
#
#   dist/caroni-edge-VERSION-linux-ARCH            in one file
#   dist/caroni-edge-VERSION-linux-ARCH.cdx.json   what it is made of (CycloneDX)
#   dist/SHA256SUMS                                of all that is in dist/
#   build/dist/folder                              the same program with its libraries beside it, for the Debian package
#
# The same commit gives the same bytes, on the same Debian with the same Python (docs/operations.md).
set -eu
cd "$(dirname "$0")/.."
case $(uname -m) in
x86_64) OURS=amd64 ;;
aarch64) OURS=arm64 ;;
*) OURS=$(uname -m) ;;
esac
ARCH=${ARCH:-$OURS}
[ "$ARCH" = "$OURS" ] || exec tools/emulated.sh "$ARCH" tools/dist.sh
tools/setup.sh dist

PYTHON=build/venv/bin/python
VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' caroni_edge/__init__.py)
NAME=caroni-edge-$VERSION-linux-$ARCH

export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}"
export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PYINSTALLER_CONFIG_DIR="$PWD/build/pyinstaller/cache" # else in $HOME, where another build would clean it

if ! "$PYTHON" -m PyInstaller --noconfirm --clean --log-level WARN --distpath build/dist --workpath build/pyinstaller \
    packaging/pyinstaller/caroni-edge.spec >build/dist.log 2>&1; then
    cat build/dist.log >&2
    exit 1
fi
rm -rf build/dist/folder
mv build/dist/caroni-edge-folder build/dist/folder
mkdir -p dist
mv build/dist/caroni-edge "dist/$NAME"
"$PYTHON" tools/bill_of_materials.py "$VERSION" >"dist/$NAME.cdx.json"
(cd dist && sha256sum caroni* >SHA256SUMS)
ls -l "dist/$NAME"
