#!/bin/sh
# A lookout on PostgreSQL: one client, one connection, one query a second for the whole host.
#
#     watch-postgresql.sh DATABASE [SECONDS]
#
# The table is the shared list: instances put themselves into it when they have work,
#
#     CREATE TABLE attention (instance text, kind text, seq bigint NOT NULL, claimable int,
#                             PRIMARY KEY (instance, kind));
#     INSERT INTO attention VALUES ('acme', 'taskmaster', 1, NULL)
#         ON CONFLICT (instance, kind) DO UPDATE SET seq = attention.seq + 1;
#
# How to log in is the client's own matter (~/.pgpass, PGHOST, PGUSER, ...). A query that takes longer
# than half a second is an error. When the client ends, so does this, and the overseer starts it anew,
# later each time.
database=${1:?database}
every=${2:-1}
command -v psql >/dev/null || {
    echo "psql is not installed" >&2
    exit 127
}
PGOPTIONS="-c statement_timeout=500 ${PGOPTIONS:-}"
export PGOPTIONS
while :; do
    printf '%s\n' "SELECT concat_ws(' ', instance || '/' || kind, seq, claimable) FROM attention;" \
        "SELECT '.';" || exit 1
    sleep "$every"
done | psql --no-psqlrc --no-password --quiet --tuples-only --no-align \
    --set=ON_ERROR_STOP=1 --dbname="$database"
