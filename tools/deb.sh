#!/bin/sh
# Makes dist/caroni-edge_VERSION_ARCH.deb: `make deb`. It needs nothing but dpkg-deb; the program comes from tools/dist.sh.
set -eu
cd "$(dirname "$0")/.."
OURS=$(dpkg --print-architecture)
ARCH=${ARCH:-$OURS}
[ "$ARCH" = "$OURS" ] || exec tools/emulated.sh "$ARCH" tools/deb.sh
[ -n "${BUILT:-}" ] || tools/dist.sh # BUILT=1: it was just run

PYTHON=build/venv/bin/python
VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' caroni_edge/__init__.py)
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}"
export PYTHONDONTWRITEBYTECODE=1
ROOT=build/deb
rm -rf "$ROOT"
umask 022

put() { # put MODE FILE... DIRECTORY
    mode=$1
    shift
    for last in "$@"; do :; done
    mkdir -p "$ROOT$last"
    while [ $# -gt 1 ]; do
        install -m "$mode" "$1" "$ROOT$last/"
        shift
    done
}

# The program.
mkdir -p "$ROOT/usr/lib" "$ROOT/usr/bin"
cp -r build/dist/folder "$ROOT/usr/lib/caroni-edge"
find "$ROOT/usr/lib/caroni-edge" -type f -exec chmod 644 {} +
chmod 755 "$ROOT/usr/lib/caroni-edge/caroni-edge"
ln -s ../lib/caroni-edge/caroni-edge "$ROOT/usr/bin/caroni-edge"

# The services.
put 644 packaging/systemd/*.service /lib/systemd/system
mkdir -p "$ROOT/usr/lib/sysusers.d" "$ROOT/usr/lib/tmpfiles.d"
install -m 644 packaging/systemd/caroni-edge.sysusers "$ROOT/usr/lib/sysusers.d/caroni-edge.conf"
install -m 644 packaging/systemd/caroni-edge.tmpfiles "$ROOT/usr/lib/tmpfiles.d/caroni-edge.conf"

# The configuration: the commented examples, with the state where the services have it.
put 644 config/templates/* /etc/caroni-edge/templates
put 644 config/jobtypes/* /etc/caroni-edge/jobtypes
for role in manager agent; do
    sed "s#^state_dir: .*#state_dir: /var/lib/caroni-edge/$role#" "config/$role.yaml" >"$ROOT/etc/caroni-edge/$role.yaml"
done

# What people read, and what their shells complete.
DOC=/usr/share/doc/caroni-edge
put 644 packaging/debian/copyright README.md SECURITY.md docs/operations.md "$DOC"
gzip -9nc CHANGELOG.md >"$ROOT$DOC/NEWS.gz"
printf 'caroni-edge (%s) unstable; urgency=medium\n\n  * NEWS.gz says what has changed.\n\n -- %s  %s\n' "$VERSION" \
    "$(sed -n 's/^Maintainer: //p' packaging/debian/control)" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" |
    gzip -9n >"$ROOT$DOC/changelog.gz"
install -m 644 dist/caroni-edge-*-linux-"$ARCH".cdx.json "$ROOT$DOC/bill-of-materials.cdx.json"
put 644 config/mosquitto/*.conf "$DOC/examples/mosquitto"
mkdir -p "$ROOT/usr/share/man/man1" "$ROOT/usr/share/lintian/overrides"
PYTHONPATH=. "$PYTHON" tools/manual_pages.py "$ROOT/usr/share/man/man1"
install -m 644 packaging/debian/lintian-overrides "$ROOT/usr/share/lintian/overrides/caroni-edge"
complete() { # complete SHELL FILE
    mkdir -p "$ROOT$(dirname "$2")"
    _CARONI_EDGE_COMPLETE=${1}_source "$ROOT/usr/lib/caroni-edge/caroni-edge" >"$ROOT$2"
}
complete bash /usr/share/bash-completion/completions/caroni-edge
complete zsh /usr/share/zsh/vendor-completions/_caroni-edge
complete fish /usr/share/fish/vendor_completions.d/caroni-edge.fish

# The package.
put 755 packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm /DEBIAN
(cd "$ROOT" && find etc -type f | sort | sed 's#^#/#' >DEBIAN/conffiles)
(cd "$ROOT" && find usr lib -type f -exec md5sum {} + | sort -k2 >DEBIAN/md5sums)
sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCH@/$ARCH/" -e "s/@SIZE@/$(du -sk "$ROOT" | cut -f1)/" \
    packaging/debian/control >"$ROOT/DEBIAN/control"
dpkg-deb --root-owner-group -Zxz --build "$ROOT" "dist/caroni-edge_${VERSION}_$ARCH.deb" >/dev/null
(cd dist && sha256sum caroni* >SHA256SUMS)
ls -l "dist/caroni-edge_${VERSION}_$ARCH.deb"
