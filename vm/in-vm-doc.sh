# shellcheck shell=sh
# In the VM, sourced by what doc-test.sh makes of a page: run a command, and compare what
# it prints with what the page shows. Numbers may differ; "..." stands for any lines.
# VHOSTCTL, SELFTESTS: where they are.
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
export PATH="$VHOSTCTL:$SELFTESTS:$PATH" LC_ALL=C.UTF-8
cd /tmp || exit
failed=0

# Where instructions are emulated everything takes longer.
sleep() { command sleep "$(awk "BEGIN { print 2 * $1 }")"; }

plain() { sed -E 's/0x[0-9a-f]+|[0-9]+(\.[0-9]+)?/N/g; s/[ \t]+/ /g; s/^ //; s/ $//; /^$/d' "$1"; }

same() {
	plain /tmp/want > /tmp/want.plain
	plain /tmp/got > /tmp/got.plain
	awk 'NR == FNR { want[++n] = $0; next }
		{ got[++m] = $0 }
		END {
			for (i = j = 1; i <= n; i++) {
				if (want[i] == "...") { any = 1; continue }
				while (any && j <= m && got[j] != want[i])
					j++
				if (j > m || got[j++] != want[i]) { print want[i]; exit 1 }
				any = 0
			}
			exit !any && j <= m
		}' /tmp/want.plain /tmp/got.plain > /tmp/missed
}

# run LINE: the command in /tmp/command; /tmp/want is what it should print, if anything
run() {
	echo "line $1: $(cat /tmp/command)" >&2
	rc=0
	. /tmp/command > /tmp/got 2>&1 || rc=$?
	if [ "$rc" != 0 ]; then
		echo "FAIL line $1: status $rc"
	elif [ -s /tmp/want ] && ! same; then
		echo "FAIL line $1: the output is not as shown, from '$(cat /tmp/missed)' on"
	else
		return 0
	fi
	cat /tmp/got
	failed=1
}

finish() {
	jobs -p > /tmp/jobs
	xargs -r kill < /tmp/jobs 2>/dev/null || true
	exit "$failed"
}
