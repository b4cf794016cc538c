# Sourced by backup and restore: the databases, and PostgreSQL's programs.
# shellcheck shell=bash
set -euo pipefail
SERVICES=(conventions followup payments)
# Longer than any lock of the services (docs/operations.md, Limits).
ANSWER_SECONDS=60

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# PostgreSQL's programs: the setting, the PATH, Debian's folder, newest first.
find_programs() {
    if [ -n "${NONRECOURS_PG_BIN:-}" ]; then
        PATH=$NONRECOURS_PG_BIN:$PATH
    elif ! command -v pg_dump >/dev/null; then
        PATH=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1):$PATH
    fi
    command -v pg_dump >/dev/null || fail "pg_dump is missing: install PostgreSQL's client programs, or set NONRECOURS_PG_BIN"
}

# As the owner of a service's database: `as_owner payments pg_dump …`. Its password goes by the environment: a command line is open to
# everybody on the machine.
as_owner() {
    local variable=${1^^}_OWNER_DATABASE_URL url
    url=${!variable:-}
    [ -n "$url" ] || fail "$variable is not set"
    case $url in @*) url=$(cat "${url#@}") ;; esac
    if [[ $url =~ ^(postgres(ql)?://[^:@/]+):([^@/]*)@(.*)$ ]]; then
        PGPASSWORD=${BASH_REMATCH[3]} "${@:2}" --dbname "${BASH_REMATCH[1]}@${BASH_REMATCH[4]}"
    else
        "${@:2}" --dbname "$url"
    fi
}

query() { as_owner "$1" psql --no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --command "$2"; }
