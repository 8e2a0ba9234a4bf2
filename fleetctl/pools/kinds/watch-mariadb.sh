#!/bin/sh
# A lookout on MariaDB or MySQL: one client, one connection, one query a second for the whole host.
#
#     watch-mariadb.sh DATABASE [SECONDS]
#
# The table is the shared list: instances put themselves into it when they have work,
#
#     CREATE TABLE attention (instance VARCHAR(64), kind VARCHAR(64), seq BIGINT NOT NULL,
#                             claimable INT, PRIMARY KEY (instance, kind));
#     INSERT INTO attention VALUES ('acme', 'taskmaster', 1, NULL)
#         ON DUPLICATE KEY UPDATE seq = seq + 1;
#
# How to log in is the client's own matter (~/.my.cnf, MYSQL_HOST, ...). When the client ends, so does
# this, and the overseer starts it anew, later each time.
database=${1:?database}
every=${2:-1}
client=$(command -v mariadb || command -v mysql) || {
    echo "neither mariadb nor mysql is installed" >&2
    exit 127
}
while :; do
    printf '%s\n' "SELECT CONCAT_WS(' ', CONCAT(instance, '/', kind), seq, claimable) FROM attention;" \
        "SELECT '.';" || exit 1
    sleep "$every"
done | "$client" --batch --skip-column-names --unbuffered "$database"
