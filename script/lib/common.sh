# Sourced by the scripts beside it: where we are, and the tools they share.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ROOT=$PWD
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
TOOLS=$ROOT/.tools

SQLX_CLI_VERSION=0.9.0
CARGO_DENY_VERSION=0.20.2
CARGO_CYCLONEDX_VERSION=0.5.9
CARGO_FUZZ_VERSION=0.13.2
BUF_VERSION=1.75.0

say() { printf '==> %s\n' "$*"; }
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Whether a small file system can be mounted here, to be filled up: by root, where root may.
can_mount() {
    local folder mounted=1
    [ "$(id -u)" = 0 ] || return 1
    folder=$(mktemp -d)
    if mount -t tmpfs -o size=1m nonrecours "$folder" 2>/dev/null; then
        mounted=0
        umount "$folder"
    fi
    rmdir "$folder"
    return $mounted
}

# Tools are built apart from the project, so that neither evicts the other's artefacts.
cargo_tool() {
    say "installing $1 $2 into .tools (once; a few minutes)"
    CARGO_TARGET_DIR="$TOOLS/target" cargo install "$1" --version "$2" --root "$TOOLS" --locked --quiet "${@:3}"
    rm -rf "$TOOLS/target"
}

need_sqlx() {
    case $("$TOOLS/bin/sqlx" --version 2>/dev/null) in
        *" $SQLX_CLI_VERSION") ;;
        *) cargo_tool sqlx-cli "$SQLX_CLI_VERSION" --no-default-features --features postgres,rustls,sqlx-toml ;;
    esac
}

need_cargo_deny() {
    case $("$TOOLS/bin/cargo-deny" --version 2>/dev/null) in
        *" $CARGO_DENY_VERSION") ;;
        *) cargo_tool cargo-deny "$CARGO_DENY_VERSION" ;;
    esac
}

need_cargo_cyclonedx() {
    case $("$TOOLS/bin/cargo-cyclonedx" cyclonedx --version 2>/dev/null) in
        *" $CARGO_CYCLONEDX_VERSION") ;;
        *) cargo_tool cargo-cyclonedx "$CARGO_CYCLONEDX_VERSION" ;;
    esac
}

need_cargo_fuzz() {
    case $("$TOOLS/bin/cargo-fuzz" --version 2>/dev/null) in
        *" $CARGO_FUZZ_VERSION") ;;
        *) cargo_tool cargo-fuzz "$CARGO_FUZZ_VERSION" ;;
    esac
}

need_buf() {
    case $("$TOOLS/buf/bin/buf" --version 2>/dev/null) in
        "$BUF_VERSION") ;;
        *)
            command -v python3 >/dev/null || fail "python3 with pip is needed to fetch buf (apt-get install python3-pip)"
            say "installing buf $BUF_VERSION into .tools"
            rm -rf "$TOOLS/buf"
            PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --target "$TOOLS/buf" "buf-bin==$BUF_VERSION"
            ;;
    esac
}
