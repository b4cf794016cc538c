#!/bin/bash
# Run once, by the PostgreSQL image, when its volume is empty: for each service a database and two roles.
# <service>_owner owns the database and runs its migrations; <service>_app is what the service connects as: it owns
# nothing, so row-level security applies to it, and it holds only what the migrations grant it.
# The passwords are those of deploy/secrets.
set -euo pipefail
secrets=${SECRETS_FOLDER:-/run/secrets}

for service in conventions followup payments; do
    # By the environment, which only this user reads: a command line is open to everybody on the machine.
    OWNER_PASSWORD=$(cat "$secrets/${service}_owner_password")
    APP_PASSWORD=$(cat "$secrets/${service}_app_password")
    export OWNER_PASSWORD APP_PASSWORD
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set "service=$service" \
        --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set owner :service _owner
\set app :service _app
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE :"app" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'app_password';
CREATE DATABASE :"service" TEMPLATE template1 OWNER :"owner";
REVOKE CONNECT ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"app";
SQL
done
