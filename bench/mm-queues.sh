#!/usr/bin/env bash
# mm-queues.sh: what mapped rings cost memory management elsewhere in the process, with
# more and more queues, against a kernel with our options off (in machine code the base;
# see off-proof.sh); what a queue costs in memory; and what changes of memory cost the
# rings: until all is mapped again, and under a flood of invalidations.
. scripts/common.sh

VARIANT=vm prepare
build_base
out=$logs/mm-queues

# run NAME IMAGE RINGVM-ARGS... -- COMMAND
run() {
	local name=$1 image=$2
	shift 2
	say "running $name"
	ringvm --kernel "$image" --memory 2G --timeout 900 --quiet \
		--log "$out-$name.console" --out "$out-$name" "$@" || die "$name failed"
}

# queues NAME IMAGE BUILD MODE: in both at the same addresses
queues() {
	run "$1" "$2" --accel icount --cpus 1 \
		--plugin "$bin/ringcount.so,map=$3/System.map,out=$out-$1.count" -- \
		"echo 0 > /proc/sys/kernel/randomize_va_space
		exec $selftests/ringmap_mmcost_tool queues $4"
}
queues off "$(image cost)" "$cache/build/cost" base
queues ours "$kernel" "$cache/build/vm" ringmap
run counted "$kernel" --accel icount --cpus 1 -- \
	"$selftests/ringmap_mmcost_tool fill && $selftests/ringmap_mmcost_tool flood 3 100"
run parallel "$kernel" --cpus 2 -- "$selftests/ringmap_mmcost_tool flood 15 100"

awk '
	# A goal that is not reached is shown; what fails is a change for the worse.
	function verdict(reached, kept, goal, wrong) {
		return reached ? "ok" : kept ? "GOAL " goal " NOT REACHED" : wrong
	}
	function limit(what, value, goal, most) {
		printf "%-70s %9.4f  %s\n", what, value, verdict(value <= goal, value <= most,
			goal, "MORE THAN " most)
		bad += value > most
	}
	function at_least(what, value, goal, least) {
		printf "%-70s %9.4f  %s\n", what, value, verdict(value >= goal, value >= least,
			goal, "LESS THAN " least)
		bad += value < least
	}
	# Of what list[k, 1] and so on hold.
	function median(list, k, n,  i, j, v, x) {
		for (i = 1; i <= n; i++) {
			v = list[k, i]
			for (j = i; j > 1 && x[j - 1] > v; j--)
				x[j] = x[j - 1]
			x[j] = v
		}
		return x[int((n + 1) / 2)]
	}
	function most_of(list, k, n,  i, v) {
		for (i = 1; i <= n; i++)
			if (i == 1 || list[k, i] > v)
				v = list[k, i]
		return v
	}
	FNR == 1 { who = FILENAME; sub(/.*mm-queues-/, "", who); sub(/\.count$/, "", who) }
	FILENAME ~ /count$/ {
		sub(/\..*/, "", $2)
		k = what_is[who, $1]
		if (k ~ /^[a-z]*-1 64$/) {
			sub(/-.*/, "", k)
			spent[who, k, $2] += $3
			spends[$2]
		}
		next
	}
	$1 == "slab" { files[who, $2] = $3; others[who, $2] = $4 }
	$1 == "op" {
		cost[who, $2, $3] = $4
		lines[who]++
		what_is[who, $5] = $2 " " $3
		if (!($2 in seen)) { seen[$2]; op[++ops] = $2 }
	}
	$1 == "fill" {
		k = $2 " " $4; n = ++tries[k, $3]
		if (!(k in fills)) { fills[k]; fill[++nfill] = k }
		packets[k " " $3, n] = $5; fallback[k " " $3, n] = $6
		filled[k " " $3, n] = $7; extra[k " " $3, n] = $8
	}
	$1 == "flood" {
		k = who " " $2 " " $3; n = ++rounds[k, $4]
		if (!(k in floods)) { floods[k]; flood[++nflood] = k }
		speed[k " " $4, n] = $5; calls[k " " $4, n] = $6
		call[k " " $4, n] = $7; longest[k " " $4, n] = $8
	}
	END {
		print "instructions of an operation on other memory: the kernel with our options off, ours\n"
		printf "%-10s %5s %6s %9s %9s %9s\n", "operation", "pages", "queues", "off", "ours", "ours/off"
		split("0 2 64 1024", q)
		for (i = 1; i <= ops; i++) {
			split(op[i], f, "-")
			for (j = 1; j <= 4; j++)
				printf "%-10s %5d %6d %9d %9d %9.4f\n", f[1], f[2], q[j], cost["off", op[i], q[j]],
					cost["ours", op[i], q[j]], cost["ours", op[i], q[j]] / cost["off", op[i], q[j]]
			# Nobody subscribes any more, and the process is still one that had subscribers.
			printf "%-10s %5d %6s %9s %9d %9.4f\n", f[1], f[2], "*", "", cost["ours", op[i], "back"],
				cost["ours", op[i], "back"] / cost["off", op[i], 1024]
		}
		print "* 1024 that went back to uaccess\n"
		print "what one page costs more with 64 queues, by function\n"
		printf "%-48s %8s %8s %8s\n", "", "munmap", "mprotect", "dontneed"
		fflush()
		for (who in spends) {
			u = spent["ours", "munmap", who] - spent["off", "munmap", who]
			p = spent["ours", "mprotect", who] - spent["off", "mprotect", who]
			z = spent["ours", "dontneed", who] - spent["off", "dontneed", who]
			if (u || p || z)
				printf "%-48s %8d %8d %8d\n", who, u, p, z | "sort"
		}
		close("sort")

		d = 1024 - 64
		printf "\n%-48s %9s %9s\n", "memory of a queue, bytes in slabs", "off", "ours"
		printf "%-48s %9.0f %9.0f\n", "dentries, inodes and others to be reclaimed",
			(files["off", 1024] - files["off", 64]) / d, (files["ours", 1024] - files["ours", 64]) / d
		printf "%-48s %9.0f %9.0f\n", "all else", (others["off", 1024] - others["off", 64]) / d,
			(others["ours", 1024] - others["ours", 64]) / d

		printf "\nafter all pages of both queues were dropped: the worst of %d\n\n", tries[fill[1], "ringmap"]
		printf "%-9s %9s %22s %11s %6s  %s\n", "dropped", "under way", "packets until mapped",
			"fallen back", "fills", "instructions more than by uaccess"
		for (i = 1; i <= nfill; i++) {
			k = fill[i]; split(k, f, " "); n = tries[k, "ringmap"]
			more = median(extra, k " ringmap", n) - median(extra, k " uaccess", n)
			# With more under way the two tasks change places too often to tell.
			if (f[2] > 1)
				more = "-"
			printf "%-9s %9d %22d %11d %6d  %s\n", f[1], f[2], most_of(packets, k " ringmap", n),
				most_of(fallback, k " ringmap", n), most_of(filled, k " ringmap", n),
				more
		}

		print "\ninvalidations of the rings under traffic: packets/s, the medians; ringmap/uaccess of"
		print "neighbours; ns that the invalidating system call takes. On one processor an instruction"
		print "is a nanosecond. On two the host has its say: look at the first rows, without any.\n"
		printf "%10s %-9s %6s %8s %8s %7s  %20s  %17s  %19s\n", "", "", "", "", "", "", "",
			"median call", "longest call"
		printf "%10s %-9s %6s %8s %8s %7s  %6s %6s %6s  %8s %8s  %9s %9s\n", "processors", "how",
			"asked", "uaccess", "ringmap", "ratio", "min", "median", "max", "uaccess", "ringmap",
			"uaccess", "ringmap"
		for (i = 1; i <= nflood; i++) {
			k = flood[i]; split(k, f, " "); n = rounds[k, "ringmap"]
			u = k " uaccess"; r = k " ringmap"
			low = high = 0
			for (j = 1; j <= n; j++) {
				ratio[k, j] = speed[r, j] / speed[u, j]
				if (j == 1 || ratio[k, j] < low) low = ratio[k, j]
				if (j == 1 || ratio[k, j] > high) high = ratio[k, j]
			}
			got[k] = median(speed, r, n) / median(speed, u, n)
			if (most_of(longest, r, n) > stall) stall = most_of(longest, r, n)
			printf "%10d %-9s %6s %8d %8d %7.4f  %6.3f %6.3f %6.3f  %8d %8d  %9d %9d\n",
				f[1] == "counted" ? 1 : 2, f[2], f[3], median(speed, u, n), median(speed, r, n), got[k],
				low, median(ratio, k, n), high, median(call, u, n), median(call, r, n),
				most_of(longest, u, n), most_of(longest, r, n)
		}
		print ""
		if (!ops || lines["ours"] != 5 * ops || lines["off"] != 4 * ops || !nfill || !nflood) {
			print "NOT EVERYTHING WAS MEASURED"
			exit 1
		}
		for (i = 1; i <= ops; i++) {
			c = cost["ours", op[i], 64]; b = cost["off", op[i], 64]
			split(op[i], f, "-")
			# What a call costs more is not a matter of pages: what was reached, and 3 %.
			limit(f[1] ", pages: " f[2] ", beside 64 queues: ours against off", c / b, 1.02,
				f[1] ~ /munmap|mprotect|dontneed/ ? (b + 267) / b : 1.02)
		}
		for (i = 1; i <= nflood; i++) {
			split(flood[i], f, " ")
			if (f[1] == "counted" && f[3] != "full")
				at_least(f[3] " invalidations/s by " f[2] ", packets/s, ringmap against uaccess",
					got[flood[i]], 0.95, f[2] == "zap" ? 0.93 : 0.95)
		}
		for (i = 1; i <= nfill; i++) {
			split(fill[i], f, " ")
			n = most_of(packets, fill[i] " ringmap", tries[fill[i], "ringmap"])
			limit("packets until all is mapped, by " f[1] ", " f[2] " under way", n, 2 * f[2], 2 * f[2])
		}
		limit("longest system call of the flood, seconds", stall / 1e9, 1, 1)
		exit bad > 0
	}' "$out-off" "$out-ours" "$out-off.count" "$out-ours.count" "$out-counted" "$out-parallel"
