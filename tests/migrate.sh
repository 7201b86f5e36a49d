#!/usr/bin/env bash
# migrate.sh: a guest whose net is vhost's is migrated in the VM, five times by each accessor
# with compression and five times with postcopy, while 8 MB go in each direction. Every frame
# must come, once and as it was sent; no write may be missing in the dirty log. ROUNDS is how
# many times (5).
. scripts/common.sh

rounds=${ROUNDS:-5}
case $rounds in '' | *[!0-9]* | 0) die "ROUNDS=$rounds is not a number of migrations" ;; esac
VARIANT=vm prepare
build_vhostctl
say "$rounds migrations with compression and with postcopy, by each accessor"
ringvm --kernel "$kernel" --accel single --memory 2G --timeout $((600 + rounds * 900)) --quiet \
	--log "$logs/migrate.console" -- \
	"bash $here/vm/in-vm-migrate.sh $vhostctl $rounds" > "$logs/migrate" 2>&1 ||
	{ cat "$logs/migrate"; die "see above"; }
cat "$logs/migrate"
[ "$(grep -c ' ok$' "$logs/migrate")" = $((6 * rounds)) ] || die "not every migration was made"
grep -q 'no-log-missing .* kept$' "$logs/migrate" || die "no write of the dirty log was judged"
