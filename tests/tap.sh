# shellcheck shell=bash
# Sourced by tests in bash: results as TAP.

notes=0
# note WORDS...: say what is wrong; the test under way fails
note() {
	echo "# $*" >&2
	notes=$((notes + 1))
}

# tap NAME...: run test_NAME of each name, or of T only. A test fails if its function does,
# or if it notes something.
tap() {
	local name n=0 bad=0 names=()
	for name in "$@"; do
		case ${T:-} in '' | "$name") names+=("$name") ;; esac
	done
	if [ ${#names[@]} = 0 ]; then
		echo "error: no test '$T'; choose one of: $*" >&2
		return 1
	fi
	printf 'TAP version 13\n1..%d\n' ${#names[@]}
	for name in "${names[@]}"; do
		n=$((n + 1)) notes=0
		if "test_$name" && [ "$notes" = 0 ]; then
			echo "ok $n $name"
		else
			echo "not ok $n $name"
			bad=$((bad + 1))
		fi
	done
	[ "$bad" = 0 ]
}
