#!/bin/sh
# A dump each day, whole or not at all, of which those older than KEEP_DAYS go. With --once: one, now.
set -eu
dump() {
  name=$BACKUPS/hospital-$(date -u +%Y-%m-%dT%H-%M-%SZ).dump
  pg_dump --format custom --file "$name.part" --dbname "$(cat "$DATABASE_URL_FILE")"
  mv "$name.part" "$name"
  find "$BACKUPS" -name 'hospital-*.dump*' -mtime "+$KEEP_DAYS" -delete
  echo "$name"
}
if [ "${1:-}" = --once ]; then
  dump
  exit
fi
while true; do
  dump || echo 'the dump failed' >&2
  sleep 86400
done
