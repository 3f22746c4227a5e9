#!/usr/bin/env bash
# Puts in place what a bare Debian with Rust and Python 3 lacks:  dev/setup.sh build | test
# Pinned versions, every download checked by hash. Does nothing when all is there. No sudo when root.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-build}
tools=$PWD/.tools

say() { printf 'setup: %s\n' "$*" >&2; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

# apt_install WHY PACKAGE…
apt_install() {
    local why=$1
    shift
    command -v apt-get >/dev/null || die "$why is missing; install it ($*)"
    say "installing $* ($why)"
    { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } ||
        die "$why is missing and could not be installed; as root: apt-get install $*"
}

command -v cargo >/dev/null || die "cargo is missing; install Rust 1.95 or newer (rustup)"
command -v python3 >/dev/null || apt_install "Python 3" python3
{ command -v cc && command -v c++; } >/dev/null || apt_install "a C and C++ compiler" build-essential

if [ ! -x "$tools/venv/bin/pip" ]; then
    rm -rf "$tools/venv"
    python3 -m venv "$tools/venv" 2>/dev/null || { rm -rf "$tools/venv"; apt_install "Python's venv module" python3-venv; python3 -m venv "$tools/venv"; }
fi

# Installs a requirements file once; the stamp holds its checksum.
pip_install() {
    local file=dev/requirements-$1.txt stamp=$tools/$1.stamp
    local sum
    sum=$(sha256sum "$file" | cut -d' ' -f1)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$sum" ]; then
        say "installing the Python packages of $file"
        "$tools/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r "$file" ||
            die "the packages of $file could not be installed (no network?)"
        printf '%s\n' "$sum" >"$stamp"
    fi
}

cmake_ok() {
    command -v cmake >/dev/null && cmake --version | awk 'NR==1 { split($3, v, "."); exit !(v[1] > 3 || (v[1] == 3 && v[2] >= 26)) }'
}

# A Slurm for the tests to start. Its packages may start services, so only where it is ours to decide: as root, or in CI.
slurm_ok() {
    local program
    for program in slurmctld slurmd munged sbatch scontrol squeue scancel; do
        PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null || return 1
    done
}
install_slurm() {
    local packages="slurmctld slurmd munge slurm-client slurm-wlm-basic-plugins"
    if [ "$(id -u)" = 0 ] || [ -n "${CI:-}" ]; then
        # shellcheck disable=SC2086
        (apt_install "Slurm, for a test" $packages) && return 0
        [ -z "${CI:-}" ] || ! command -v apt-get >/dev/null || exit 1
    fi
    say "no Slurm: its test will be skipped; as root: apt-get install --no-install-recommends $packages"
}

mkdir -p "$tools/bin"
if [ "$what" = test ]; then
    pip_install test
    slurm_ok || install_slurm
elif ! cmake_ok; then
    pip_install build
fi
# CMake from the venv only where the system's is too old.
if [ -x "$tools/venv/bin/cmake" ] && { [ -L "$tools/bin/cmake" ] || ! cmake_ok; }; then
    ln -sf ../venv/bin/cmake "$tools/bin/cmake"
fi
