#!/usr/bin/env bash
# Stands in for `docker` where there is no engine: checks how hearthflux calls it, and runs the real influxd.
set -euo pipefail
pids="$(dirname "$0")"
case "$1" in
run)
  shift
  while [ "$1" != --entrypoint ]; do
    [ "$1" != --name ] || name="$2"
    shift
  done
  [ "$2" = influxd ] && [ "$3" = influxdb:2.7 ]
  shift 3
  echo $$ >"$pids/$name.pid"
  # A container listens on all of its own addresses; this is no container.
  exec "$STAND_IN_INFLUXD" "${@/=0.0.0.0:/=127.0.0.1:}"
  ;;
rm) [ ! -e "$pids/$3.pid" ] || { kill -KILL "$(cat "$pids/$3.pid")" || true; rm "$pids/$3.pid"; } ;;
kill) kill -KILL "$(cat "$pids/$2.pid")" ;;
pause) kill -STOP "$(cat "$pids/$2.pid")" ;;
unpause) kill -CONT "$(cat "$pids/$2.pid")" ;;
esac
