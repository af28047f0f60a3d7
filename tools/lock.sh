#!/bin/sh
# Writes all requirements*.lock anew from pyproject.toml: `make lock`.
# With --upgrade (`make lock UPGRADE=1`) every version goes to the newest one that pyproject.toml allows.
set -eu
cd "$(dirname "$0")/.."

if ! command -v uv >/dev/null; then
    echo "make lock: uv is not installed; \`pipx install uv\` brings it" >&2
    exit 1
fi

write() { # write FILE ARGUMENT...
    file=$1
    shift
    uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
        --custom-compile-command "make lock" --output-file "$file" "$@"
    echo "$file: $(grep -c '==' "$file") packages"
}

compile() { # compile FILE ARGUMENT...: with what the program needs
    write "$@" pyproject.toml
}

# setuptools (group `build`) is locked as well: with it there, installing the checkout itself downloads nothing.
compile requirements.lock --group build "$@"
compile requirements-dev.lock --extra s3 --group build --group dev --constraint requirements.lock "$@"

# What others depend on and no command of ours reaches stays out of the binary (packaging/pyinstaller/caroni-edge.spec).
# shellcheck disable=SC2046 # each is a word of its own
compile requirements-dist.lock --group dist --constraint requirements.lock $(printf -- '--no-emit-package %s ' \
    annotated-doc annotated-types click-default-group faker litestar-htmx markdown-it-py mdurl polyfactory psutil \
    pydantic pydantic-core pygments rich-click shellingham tabulate typer typing-inspection) "$@"

# The S3 server of tests has an environment of its own, since it wants other versions of what the program needs.
write requirements-s3.lock --python-version 3.11 --group s3-server "$@"
