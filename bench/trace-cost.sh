#!/usr/bin/env bash
# trace-cost.sh: what the tracepoints of vhost cost a packet, in instructions: turned off,
# against a kernel without them; and turned on, all of them.
. scripts/common.sh

VARIANT=vm prepare
untraced=$cache/build/untraced
sed 's/^CONFIG_VHOST_TRACE=y/CONFIG_VHOST_TRACE=n/' configs/ringmap.config > "$untraced.fragment"
scripts/build.sh config "$tree" "$untraced" configs/vm.config "$untraced.fragment"
say "building the kernel without tracepoints"
logged kernel-untraced kmake "$tree" "$untraced" bzImage || exit 1

# count NAME IMAGE BUILD EVENTS
count() {
	say "counting: $1"
	ringvm --kernel "$2" --accel icount --cpus 1 --memory 2G --timeout 600 --quiet \
		--append noreplace-smp --log "$logs/trace-cost.console" \
		--plugin "$bin/ringcount.so,map=$3/System.map,out=$logs/trace-cost-$1.count" \
		--out "$logs/trace-cost-$1" -- \
		"mount -t tracefs tracefs /sys/kernel/tracing
		$4
		exec $selftests/ringmap_cost_tool uaccess ringmap" || die "counting: $1 failed"
}
count untraced "$(image untraced)" "$untraced" ''
count off "$kernel" "$cache/build/vm" ''
count on "$kernel" "$cache/build/vm" 'echo 1 > /sys/kernel/tracing/events/vhost/enable'

awk '
	FILENAME !~ /count$/ {
		key[FILENAME, $1] = $2 " " $4 " " $3
		packets[FILENAME, $1] = $5 * ($2 == "both" ? 2 : 1)
		next
	}
	{
		file = substr(FILENAME, 1, length(FILENAME) - 6)
		k = key[file, $1]; name = file; sub(/.*-/, "", name)
		insn[k, name] += $3 / packets[file, $1]
		if (!(k in seen)) { seen[k]; order[++n] = k }
	}
	END {
		print "instructions of a packet, with the tracepoints of vhost"
		printf "%-5s %4s  %-10s %10s %10s %10s %9s %9s\n", "queue", "way", "accessor",
			"not there", "off", "on", "off/none", "on/none"
		for (i = 1; i <= n; i++) {
			k = order[i]; split(k, f, " ")
			off = insn[k, "off"] / insn[k, "untraced"]
			# There and back, how often the two tasks wake each other differs more.
			more = f[1] == "tx" && f[2] == 64 && off > 1.01
			printf "%-5s %4d  %-10s %10.1f %10.1f %10.1f %9.4f %9.2f%s\n", f[1], f[2], f[3],
				insn[k, "untraced"], insn[k, "off"], insn[k, "on"], off,
				insn[k, "on"] / insn[k, "untraced"],
				more ? "  MORE THAN 1.01" : ""
			bad += more
		}
		exit bad > 0
	}' "$logs"/trace-cost-{untraced,off,on} "$logs"/trace-cost-{untraced,off,on}.count
