#!/usr/bin/env bash
# doc-test.sh: run the shell blocks of our admin pages in the VM. In a block with
# prompts the lines that begin with "# " are commands, otherwise all are.
. scripts/common.sh

kernel=$(VARIANT=vm scripts/build.sh | tail -1)
build_tools
mkdir -p "$selftests"
mapfile -t pages < <(sed -n 's/^file \(Documentation\/.*\.rst\)$/\1/p' series)
for page in "${pages[@]}"; do
	script=$selftests/$(basename "$page" .rst).sh
	awk '
		function flush(  i) {
			for (i = 1; i <= n; i++)
				if (!prompts)
					print line[i]
				else if (line[i] ~ /^# /)
					print substr(line[i], 3)
			n = prompts = 0
		}
		block && /^[^ \t]/ { flush(); block = 0 }
		block && NF { sub(/^[ \t]+/, ""); line[++n] = $0; prompts += /^# / }
		/[^:]::$/ { block = 1 }
		END { flush() }' "$page" > "$script"
	commands=$(wc -l < "$script")
	[ "$commands" -gt 0 ] || die "$page has no commands; is that so?"
	say "$page: $commands commands"
	ringvm --kernel "$kernel" --timeout 60 --quiet --log "$logs/doc-test.console" -- \
		"mount -t tracefs tracefs /sys/kernel/tracing; sh -eu $script > /dev/null" ||
		die "$page: a command fails; they are in $script"
done
