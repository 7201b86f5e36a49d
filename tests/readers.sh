#!/usr/bin/env bash
# readers.sh: what vhostctl records, read by trace-cmd of several releases of the
# distribution; and perf of these releases beside vhostctl, on the same traffic. Each must
# have as many of each event, with the same fields. The programs are unpacked with their
# libraries into the cache, and run from there. Then the same events as if buffers had lost
# some: each says so, and vhostctl calls no rule broken.
. scripts/common.sh
. scripts/apt.sh

dir=$cache/readers
mkdir -p "$dir/debs/partial"
bad=0
wrong() { say "$*"; bad=$((bad + 1)); }

# What the archives call them; not each archive has all.
releases=(oldoldstable oldstable stable testing)
programs=(trace-cmd linux-perf)

# from RELEASE COMMAND...: apt as if nothing was installed, and that release was ours
from() {
	own_apt "$2" -o Dir::State::status=/dev/null -o Dir::Cache::archives="$dir/debs" \
		-o APT::Default-Release="/^$1(-security|-updates)?\$/" --no-install-recommends "${@:3}"
}

# unpack DIR: what is in $dir/debs, with all programs and libraries in usr
unpack() {
	local d deb
	mkdir -p "$1"/usr/{bin,sbin,lib,lib64}
	for d in bin sbin lib lib64; do
		ln -s "usr/$d" "$1/$d"
	done
	for deb in "$dir"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x --keep-directory-symlink --no-same-owner --exclude './usr/share/*' -C "$1"
	done
	(
		cd "$1"
		ln -s "$(find usr/lib -type f -name 'ld-*.so*' | head -1)" ld
		ln -s "$(find usr/bin -size +1M -name 'perf*' | head -1)" perf
	)
}

# fetch RELEASE: adds its directory to $roots
roots=()
fetch() {
	local release=$1 wanted root
	wanted=$(from "$release" apt-get -s install "${programs[@]}" 2>/dev/null | grep ^Inst | sort)
	if [ -z "$wanted" ]; then
		say "the archives have no $release"
		return
	fi
	root=$dir/$release-$(sha1sum <<< "$wanted" | cut -c 1-12)
	if [ ! -d "$root" ]; then
		need_space 1 "fetching ${programs[*]}"
		rm -rf "$dir"/debs/*.deb "$dir/$release"-*
		logged readers-fetch from "$release" apt-get -y --download-only install "${programs[@]}" ||
			die "cannot fetch ${programs[*]} of $release; is there a network?"
		unpack "$dir/$release-new"
		sed -n 's/^Inst \(trace-cmd\|linux-perf\) (\([^ ]*\) .*/\1 \2/p' <<< "$wanted" |
			sort -r > "$dir/$release-new/versions"
		mv "$dir/$release-new" "$root"
		rm "$dir"/debs/*.deb
	fi
	roots+=("$root")
}

# of ROOT PROGRAM ARGUMENTS...
of() { "$1/ld" --library-path "$(echo "$1"/usr/lib/*-linux-gnu)" "$1/$2" "${@:3}"; }

# What a trace says, a line for each: "event NAME COUNT", "used COUNT", "drop CAUSE PAGES",
# "fallback REASON COUNT", "accessor WHY COUNT". said_by_vhostctl FILE: as vhostctl reads it
said_by_vhostctl() {
	"$vhostctl/vhostctl" report --json "$1" | /usr/bin/python3 -c '
import json, sys
r = json.load(sys.stdin)
print("used", r["used"])
for name, n in r["events"].items(): print("event", name, n)
for cause, d in r["drops"].items(): print("drop", cause, d["pages"])
for reason, n in r["fallbacks"].items(): print("fallback", reason, n)
for why, n in r["accessor_changes"].items(): print("accessor", why, n)' | sort
}
# said_by_text: as lines "CPU NAME FIELDS" have it
said_by_text() {
	awk '
		{
			split("", f)
			for (i = 3; i <= NF; i++) { at = index($i, "="); f[substr($i, 1, at - 1)] = substr($i, at + 1) }
			event[$2]++
		}
		$2 == "vhost_used_idx" { used += (f["to"] - f["from"] + 65536) % 65536 }
		$2 == "vhost_map_drop" { drop[f["cause"]] += f["dropped"] }
		$2 == "vhost_fallback" { fallback[f["reason"]]++ }
		$2 == "vhost_accessor" { accessor[f["why"]]++ }
		END {
			print "used", used + 0
			for (i in event) print "event", i, event[i]
			for (i in drop) print "drop", i, drop[i]
			for (i in fallback) print "fallback", i, fallback[i]
			for (i in accessor) print "accessor", i, accessor[i]
		}' "$1" | sort
}
# by_trace_cmd ROOT FILE: lines "CPU NAME FIELDS", in the order of time
by_trace_cmd() {
	of "$1" usr/bin/trace-cmd report -N "$2" 2>/dev/null |
		sed -nE 's/^.* \[([0-9]+)\] +([^ ]+ +)?[0-9]+\.[0-9]+: +(vhost_[a-z_]+): +(.*[^ ]) *$/\1 \3 \4/p'
}
# same WHAT FILE FILE
same() {
	cmp -s "$2" "$3" || { wrong "$1:"; diff "$2" "$3" | head -6 >&2; }
}

prepare
build_vhostctl
own_sources deb "${releases[@]}"
# Not every release has each suite; what matters is what is there.
logged apt-update own_apt apt-get update 2>/dev/null || true
for release in "${releases[@]}"; do
	fetch "$release"
done
[ ${#roots[@]} -ge 2 ] || die "fewer than two releases; is there a network?"

out=$dir/out
rm -rf "$out"
mkdir "$out"
say "recording"
ringvm --kernel "$kernel" --accel single --memory 4G --timeout 1800 --quiet \
	--log "$logs/readers.console" --out "$dir/out.tar" -- \
	"bash $here/vm/in-vm-readers.sh $vhostctl/vhostctl $selftests/ringmap_load ${roots[*]}" ||
	die "recording failed"
tar -xf "$dir/out.tar" -C "$out"
said_by_vhostctl "$out/all.dat" > "$out/all.vhostctl"
[ "$(grep -c '^event' "$out/all.vhostctl")" -ge 15 ] ||
	{ wrong "few kinds of events are recorded:"; cat "$out/all.vhostctl" >&2; }

printf '%-14s %-24s %10s %s\n' release program events verdict
for root in "${roots[@]}"; do
	name=${root##*/}
	release=${name%-*}
	before=$bad
	by_trace_cmd "$root" "$out/all.dat" > "$out/$name.text"
	said_by_text "$out/$name.text" > "$out/$name.said"
	same "trace-cmd of $release and vhostctl" "$out/all.vhostctl" "$out/$name.said"
	same "trace-cmd of $release and of ${roots[0]##*/}" "$out/${roots[0]##*/}.text" "$out/$name.text"
	verdict=same
	[ "$bad" = "$before" ] || verdict=OTHER
	printf '%-14s %-24s %10d %s\n' "$release" "$(head -1 "$root/versions")" \
		"$(wc -l < "$out/$name.text")" "$verdict"

	# perf has no order of CPUs
	before=$bad
	sed -nE 's/^ *\[([0-9]+)\] +vhost:(vhost_[a-z_]+): +(.*[^ ]) *$/\1 \2 \3/p' "$out/$name.perf" | sort > "$out/$name.perf.text"
	by_trace_cmd "$root" "$out/$name.dat" | sort > "$out/$name.beside.text"
	same "perf of $release and vhostctl beside it" "$out/$name.beside.text" "$out/$name.perf.text"
	said_by_vhostctl "$out/$name.dat" > "$out/$name.beside"
	said_by_text "$out/$name.perf.text" > "$out/$name.perf.said"
	same "perf of $release and vhostctl's report" "$out/$name.beside" "$out/$name.perf.said"
	verdict=same
	[ "$bad" = "$before" ] || verdict=OTHER
	printf '%-14s %-24s %10d %s\n' "$release" "$(tail -1 "$root/versions")" \
		"$(wc -l < "$out/$name.perf.text")" "$verdict"
done
# What hides in a gap breaks no rule, wherever it is.
read -r all < <(awk '$1 == "event" { n += $3 } END { print n }' "$out/all.vhostctl")
for seed in {1..40}; do
	/usr/bin/python3 tests/gaps.py "$out/all.dat" "$out/gaps.dat" "$seed" > "$out/gaps.lost"
	"$vhostctl/vhostctl" check "$out/gaps.dat" > "$out/gaps.check" ||
		{ wrong "events are lost (seed $seed), and check ends with $?:"; cat "$out/gaps.check" >&2; }
	awk -v all="$all" '
		FILENAME ~ /lost$/ { lost[$2] = $4; all -= $4; next }
		/ events in .* s; / && $1 != all { print "of", all, "events it has", $1 }
		/^CPU . lost/ { said[$2] = 1; if ($4 != "at" && $4 != lost[$2]) print "lost were", lost[$2] ":", $0 }
		END { for (cpu in lost) if (!said[cpu]) print "CPU", cpu, "lost some" }' \
		"$out/gaps.lost" "$out/gaps.check" > "$out/gaps.wrong"
	[ ! -s "$out/gaps.wrong" ] || { wrong "check of lost events (seed $seed):"; cat "$out/gaps.wrong" >&2; }
done
said_by_vhostctl "$out/gaps.dat" > "$out/gaps.vhostctl"
for root in "${roots[@]}"; do
	by_trace_cmd "$root" "$out/gaps.dat" > "$out/gaps.text"
	said_by_text "$out/gaps.text" > "$out/gaps.said"
	same "lost events: ${root##*/} and vhostctl" "$out/gaps.vhostctl" "$out/gaps.said"
	while read -r _ cpu _; do
		of "$root" usr/bin/trace-cmd report -N "$out/gaps.dat" 2>/dev/null |
			grep "^CPU:$cpu .*EVENTS DROPPED" > "$out/gaps.text" ||
			wrong "trace-cmd of ${root##*/} does not say that CPU $cpu lost events"
	done < "$out/gaps.lost"
done
[ "$bad" = 0 ] || die "$bad differences; what was read is in $out"
echo "40 traces with lost events: no rule is broken, and each reader says who lost some"
