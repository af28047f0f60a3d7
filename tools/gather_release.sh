#!/bin/sh
# Puts what `make release-check` has made on several machines together, in dist/release, and what has changed in
# dist/release-notes.md:
#
#   tools/gather_release.sh DIRECTORY...
#
# What more than one of them has must be the same, byte for byte.
set -eu
cd "$(dirname "$0")/.."
rm -rf dist/release
mkdir -p dist/release
for directory in "$@"; do
    (cd "$directory" && sha256sum --check --strict --quiet SHA256SUMS)
    for file in "$directory"/caroni*; do
        there=dist/release/$(basename "$file")
        if [ -e "$there" ]; then
            cmp "$file" "$there"
        else
            cp -p "$file" "$there"
        fi
    done
done
(cd dist/release && sha256sum caroni* >SHA256SUMS && cat SHA256SUMS)
# The first section of the changelog.
awk '/^## \[/ { sections++; next } /^\[/ { next } sections == 1' CHANGELOG.md >dist/release-notes.md
