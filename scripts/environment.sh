#!/bin/sh
# Makes the virtual environment .venv of this checkout, or brings it up to date.
#
#   sh scripts/environment.sh run    what the commands need
#   sh scripts/environment.sh dev    and what tests and checks need
#
# PYTHON3 names the Python to use, 3.11 or newer; without it the first that fits is
# taken. A stamp holds Python's version and a checksum of the requirements, so a second
# call does nothing until one of them changes.
set -eu

kind=${1:?run or dev}
cd -- "$(dirname -- "$0")/.."
environment=.venv
stamp=$environment/installed-$kind

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# The version as `3.11.2`, or nothing when this is no Python that will do.
version_of() {
    "$1" -I -c 'import sys
if sys.version_info >= (3, 11): print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

if [ -n "${PYTHON3:-}" ]; then
    candidates=$PYTHON3
else
    candidates='python3
python3.13
python3.12
python3.11'
fi
python=
newline='
'
IFS=$newline
for candidate in $candidates; do
    version=$(version_of "$candidate")
    if [ -n "$version" ]; then
        python=$candidate
        break
    fi
done
unset IFS
if [ -z "$python" ]; then
    if [ -n "${PYTHON3:-}" ]; then
        fail "PYTHON3=$PYTHON3 is no Python 3.11 or newer." \
            "Name another: make PYTHON3=/path/to/python3.11 TARGET"
    fi
    fail "No Python 3.11 or newer was found." \
        "On Debian and Ubuntu: sudo apt-get install python3 python3-venv" \
        "Or name one that is not in PATH: make PYTHON3=/path/to/python3.11 TARGET"
fi

if [ "$kind" = dev ]; then
    files='requirements.txt requirements-dev.txt'
else
    files=requirements.txt
fi
# shellcheck disable=SC2086 # two words
wanted="$version $(cat $files | cksum)"

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] &&
    [ "$(version_of "$environment/bin/python")" = "$version" ]; then
    exit 0
fi

# One that was interrupted while it was made has no pip, and is made anew.
if [ "$(version_of "$environment/bin/python")" != "$version" ] ||
    ! "$environment/bin/python" -m pip --version >/dev/null 2>&1; then
    "$python" -I -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python (Python $version) cannot make virtual environments: a part is missing." \
            "On Debian and Ubuntu: sudo apt-get install python3-venv" \
            "(for a Python that is not the system's own: python${version%.*}-venv)"
    echo "== Making the virtual environment $environment with Python $version"
    "$python" -m venv --clear "$environment" ||
        fail "$environment could not be made; the reason stands above."
fi
rm -f "$environment"/installed-*

requirements=requirements.txt
[ "$kind" = run ] || requirements=requirements-dev.txt
echo "== Installing $requirements into $environment (the first time takes a minute)"
"$environment/bin/python" -m pip install --disable-pip-version-check --no-input \
    --prefer-binary -r "$requirements" ||
    fail "The packages of $requirements could not be installed; the reason stands above." \
        "Without a network, give pip a folder of wheels: PIP_FIND_LINKS=/path/to/wheels make TARGET"
printf '%s\n' "$wanted" >"$stamp"
if [ "$kind" = dev ]; then # which holds what `run` needs
    printf '%s\n' "$version $(cksum <requirements.txt)" >"$environment/installed-run"
fi
echo "== $environment is ready"
