# shellcheck shell=bash
# Sourced by tests in bash: a test is a function test_NAME; results are TAP.

# tests_of FILE: the names of the tests in it
tests_of() { sed -n 's/^test_\([a-z_]*\)().*/\1/p' "$1"; }

notes=0
# note WORDS...: say what is wrong; the test under way fails
note() {
	echo "# $*" >&2
	notes=$((notes + 1))
}

# await COMMAND...: until it succeeds; at most a minute
await() {
	local tries
	for tries in {1..300}; do
		"$@" && return
		sleep 0.2
	done
	note "waited in vain ($tries times) for: $*"
	return 1
}

# gives STATUS WORD COMMAND...: it ends so and says WORD; nothing at all if that is ''.
# What it says stays in $tmp/said.
gives() {
	local want=$1 word=$2 rc=0
	shift 2
	"$@" > "$tmp/said" 2>&1 || rc=$?
	if [ "$rc" != "$want" ]; then
		note "'$*' ended with $rc, not $want:"
	elif [ -z "$word" ] && [ -s "$tmp/said" ]; then
		note "'$*' says:"
	elif [ -n "$word" ] && ! grep -q -e "$word" "$tmp/said"; then
		note "'$*' does not say '$word':"
	else
		return 0
	fi
	head -20 "$tmp/said" >&2
}

# tap NAME...: run test_NAME of each name, or of T only. A test fails if its function does,
# or if it notes something. Each has a shell and an empty directory, $tmp, of its own.
tap() {
	local name n=0 bad=0 names=() tmp
	for name in "$@"; do
		case ${T:-} in '' | "$name") names+=("$name") ;; esac
	done
	if [ ${#names[@]} = 0 ]; then
		echo "error: no test '${T:-}'; choose one of: $*" >&2
		return 1
	fi
	printf 'TAP version 13\n1..%d\n' ${#names[@]}
	for name in "${names[@]}"; do
		n=$((n + 1)) tmp=$(mktemp -d)
		if ("test_$name" && [ "$notes" = 0 ]) >&2; then
			echo "ok $n $name"
		else
			echo "not ok $n $name"
			bad=$((bad + 1))
		fi
		rm -rf "$tmp"
	done
	[ "$bad" = 0 ]
}
