#!/usr/bin/env bash
# ring-cost.sh: what the kernel executes for a packet through vhost-net, counted by a
# QEMU plugin: by each accessor on our kernel, and on one with our options off (in
# machine code the base; see off-proof.sh). One processor, its locks kept. And how many
# instructions the map lock is held for at most, in that traffic and where it is worst.
. scripts/common.sh

VARIANT=vm prepare
build_base
reserved=0x40000000

# count NAME IMAGE BUILD PLUGIN-ARGS MODE...
count() {
	local name=$1 image=$2 build=$3 args=$4
	shift 4
	say "counting on $name"
	ringvm --kernel "$image" --accel icount --cpus 1 --memory 2G --timeout 600 --quiet \
		--append "noreplace-smp memmap=16M\$$reserved" \
		--plugin "$bin/ringcount.so,map=$build/System.map,out=$logs/ring-cost-$name.count$args" \
		--log "$logs/ring-cost-$name.console" --out "$logs/ring-cost-$name" -- \
		"RINGMAP_RESERVED=$reserved sh $here/vm/in-vm.sh $selftests ./ringmap_cost_tool $*" ||
		die "counting on $name failed"
}
functions() { nm "$cache/build/vm/drivers/vhost/$1.o" | awk 'tolower($2) == "t" { print $3 }'; }

lockers=$logs/ring-cost.lockers holds=$logs/ring-cost.holds
functions ringmap > "$lockers"
count off "$(image cost)" "$cache/build/cost" '' base
count ours "$kernel" "$cache/build/vm" ",lockers=$lockers,holds=$holds" \
	uaccess checked ringmap unmappable bad

# The functions through which vhost reads and writes virtqueue metadata.
metadata=$logs/ring-cost.metadata
{ functions vhost; functions ringmap; } > "$metadata"
grep -oE '__[gp][eu]t_user_[a-z0-9_]+$' "$cache/build/vm/System.map" | sort -u >> "$metadata"

awk '
	FILENAME ~ /metadata$/ { meta[$1]; next }
	# "both" is two packets for vhost: one sent, one received.
	FILENAME !~ /count$|holds$/ {
		if ($2 == "bad") { bad_case[$1]; next }
		k = $2 " " $4; key[FILENAME, $1] = k " " $3
		packets[k, $3] = $5 * ($2 == "both" ? 2 : 1)
		sections[k " " $3] = $6 / packets[k, $3]
		if (!(k in seen)) { seen[k]; order[++n] = k }
		next
	}
	FILENAME ~ /holds$/ {
		sub(/\..*/, "", $2)
		if ($1 in bad_case) { if ($4 > worst[$2]) worst[$2] = $4 }
		else if ($4 > steady[$2]) steady[$2] = $4
		held[$2] += $3
		next
	}
	{
		k = key[substr(FILENAME, 1, length(FILENAME) - 6), $1]; split(k, f, " ")
		if (k == "")
			next
		p = packets[f[1] " " f[2], f[3]]
		insn[k] += $3 / p; stac[k] += $4 / p; lfence[k] += $5 / p; locked[k] += $6 / p
		if ($2 in meta) { mstac[k] += $4; mlfence[k] += $5 }
	}
	function limit(what, value, most) {
		printf "%-66s %8.3f  %s\n", what, value, value <= most ? "ok" : "MORE THAN " most
		bad += value > most
	}
	END {
		split("base uaccess checked ringmap unmappable", mode)
		printf "%-5s %4s  %-10s %12s %7s %7s %7s %8s  %s\n", "queue", "way", "accessor",
			"instructions", "STAC", "LFENCE", "locked", "sections", "metadata: STAC LFENCE"
		for (i = 1; i <= n; i++) {
			split(order[i], f, " ")
			for (m = 1; m <= 5; m++) {
				k = order[i] " " mode[m]; p = packets[order[i], mode[m]]
				printf "%-5s %4d  %-10s %12.1f %7.2f %7.2f %7.2f %8.3f  %12.2f %6.2f\n", f[1], f[2],
					mode[m], insn[k], stac[k], lfence[k], locked[k], sections[k],
					mstac[k] / p, mlfence[k] / p
			}
		}
		print ""
		for (i = 1; i <= n; i++) {
			k = order[i] " "; split(order[i], f, " ")
			what = f[1] ", " f[2] " under way: "
			limit(what "STAC and LFENCE of metadata, ringmap", mstac[k "ringmap"] + mlfence[k "ringmap"], 0)
			if (f[2] == 64) {
				limit(what "sections under the map lock, each a locked instruction", sections[k "ringmap"], 0.1)
				limit(what "instructions, ringmap against uaccess", insn[k "ringmap"] / insn[k "uaccess"], 1)
			}
			# There and back, how often the two tasks wake each other differs more.
			if (f[2] == 64 && f[1] == "tx") {
				limit(what "instructions, uaccess against base", insn[k "uaccess"] / insn[k "base"], 1.02)
				limit(what "instructions, unmappable against base", insn[k "unmappable"] / insn[k "base"], 1.02)
			}
			if (f[2] == 1)
				limit(what "sections under the map lock", sections[k "ringmap"], 3)
		}
		print ""
		printf "%-28s %10s %15s %15s\n", "map lock held, instructions", "times", "longest, steady", "longest, worst"
		fflush()
		for (who in held)
			printf "%-28s %10d %15d %15d\n", who, held[who], steady[who], worst[who] | "sort"
		close("sort")
		print ""
		split("__vhost_ringmap_avail_idx __vhost_ringmap_read_ahead __vhost_ringmap_add_used " \
			"__vhost_ringmap_enable_notify __vhost_ringmap_reset ringmap_invalidate", must)
		for (i in must)
			if (!(must[i] in held)) {
				print must[i] " was never seen to hold the map lock: NOT COUNTED"
				bad++
			}
		for (who in held)
			limit("longest hold of the map lock, " who, worst[who] > steady[who] ? worst[who] : steady[who], 3000)
		exit bad > 0
	}' "$metadata" "$logs/ring-cost-off" "$logs/ring-cost-ours" \
		"$logs/ring-cost-off.count" "$logs/ring-cost-ours.count" "$holds"
