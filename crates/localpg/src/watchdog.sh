# Runs one private PostgreSQL, and never outlives the process that holds the other end of
# standard input: end of file there, however it comes about, stops the server.
#
# $1 binaries  $2 home  $3 remove the home at the end (yes|no)  $4 durable (yes|no)
# and then the server's own arguments. Standard output is the lock on the home: every process
# started here inherits it as descriptor 4, so the lock lasts as long as the last of them.
# Standard error is the log. The caller gives this script a process group of its own.
set -u
bin=$1 home=$2 remove=$3 durable=$4
shift 4
exec 3<&0 </dev/null 4>&1 >&2

# The signals below go to the whole group; this shell must survive them to clean up. Commands run
# in the foreground start with the default action, so none can miss a signal before it is ready.
trap : INT TERM
(
    while read -r _; do :; done
    # Repeated, because a first signal may fall between two commands.
    while :; do
        kill -INT 0
        sleep 1
    done
) <&3 &
reader=$!
exec 3<&-

status=0
if [ ! -d "$home/data" ]; then
    # Renamed once complete: an interrupted initdb never passes for a cluster.
    rm -rf "$home/data.new"
    sync=
    [ "$durable" = yes ] || sync=--no-sync
    "$bin/initdb" --pgdata="$home/data.new" --username=postgres --pwfile="$home/superuser-password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C --lc-ctype=C.UTF-8 --no-instructions $sync \
        && mv "$home/data.new" "$home/data" \
        || status=$?
fi
if [ "$status" -eq 0 ]; then
    "$bin/postgres" -D "$home/data" "$@" || status=$?
fi

kill -KILL "$reader"
[ "$remove" = no ] || rm -rf "$home"
kill -TERM 0
exit "$status"
