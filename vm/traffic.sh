# shellcheck shell=bash disable=SC2154
# Sourced in the VM after tests/tap.sh: traffic of $load, a ringmap_load, and whether it is
# mapped.

used() { cat /sys/kernel/debug/vhost/*/*/stats 2> /dev/null | awk '$1 == "used" { n += $2 } END { print n + 0 }'; }
flowing() { [ "$(used)" -gt "${1:-1000}" ]; }
traffic() {
	"$load" --seconds 600 --mode plain "$@" 2> "$tmp/load" &
	load_pid=$!
	trap end_traffic EXIT
	await flowing || { cat "$tmp/load" >&2; exit 1; }
}
end_traffic() {
	trap - EXIT
	kill "$load_pid" || { cat "$tmp/load" >&2; exit 1; }
	wait "$load_pid" 2> /dev/null || true
}

mapped() { vhostctl stat -i 1 -c 2 | tee /dev/stderr | awk 'NR == 3 { exit !($4 >= 99) }'; }
