# What packaging/build, packaging/assemble, packaging/demo and tests/run share. Sourced from the workspace's folder.

say() { printf '\n== %s\n' "$*"; }

die() {
    printf 'error: %s\n' "$@" >&2
    exit 1
}

need_root() {
    [ "$(id -u)" = 0 ] || die "booting throwaway hosts takes root" "  next: run this as root"
}

need_cargo() {
    command -v cargo >/dev/null || die "cargo is not in PATH" \
        "  next: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or later with rustup"
}

# Debian packages, installed where they are missing.
need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then
        return
    fi
    [ "$(id -u)" = 0 ] || die "these packages are missing: ${missing[*]}" "  next: as root, apt-get install ${missing[*]}"
    say "installing: ${missing[*]}"
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -q install --yes --no-install-recommends "${missing[@]}"
}

# Runs a command in a process group of its own, so that an interrupt at any moment ends all of it.
child=
run() {
    local ended=0
    set -m
    "$@" &
    child=$!
    set +m
    wait "$child" || ended=$?
    child=
    return "$ended"
}

# Hosts end with the process that started them; what is left to remove are folders and groups.
clean_up() {
    if [ -n "$child" ]; then
        kill -TERM -- "-$child" 2>/dev/null || true
        wait "$child" || true
    fi
    local rig=${CARGO_TARGET_DIR:-target}/debug/rig
    if [ -x "$rig" ]; then "$rig" sweep; fi
}

# What makes packages of what is compiled.
assembly_packages=(debhelper dpkg-dev rpm)

# What the throwaway hosts take.
rig_packages=(build-essential debian-archive-keyring libpam0g-dev mmdebstrap pkg-config procps systemd-container util-linux)

# What hosts take that have a kernel of their own.
emulation_packages=(e2fsprogs openssh-client qemu-system-x86 xz-utils)
