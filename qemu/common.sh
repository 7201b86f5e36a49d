# shellcheck shell=bash disable=SC2034,SC2154
# Sourced after scripts/common.sh: which QEMU it is about (QEMU=version, a directory of
# qemu/), and where things of it are.

version=${QEMU:-10.0}
ours=qemu/$version
[ -f "$ours/series" ] ||
	die "there is no $ours; QEMU can be: $(cd qemu && echo */series | sed 's,/series,,g')"
qemu=$shared/qemu/$version
src=$qemu/src

# has_meson WANTED [COMMAND...]: whether there is a meson that is at least that new
has_meson() {
	local wanted=$1 found
	shift
	found=$("${@:-meson}" --version 2> /dev/null) &&
		[ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -1)" = "$wanted" ]
}

# use_meson: QEMU 10 wants meson 1.5. Where the installed one is older, take that of the first
# release which has it, unpacked into the cache; programs find it by PYTHONPATH.
use_meson() {
	local wanted=1.5.0 dir=$shared/qemu/meson found
	[ "$version" != 7.2 ] || return 0
	! has_meson "$wanted" || return 0
	if [ ! -d "$dir/usr" ]; then
		newer_sources deb
		found=$(own_apt apt-cache madison meson | awk '{ print $3 }' | sort -V |
			while read -r v; do
				dpkg --compare-versions "$v" lt "$wanted" || { echo "$v"; break; }
			done)
		[ -n "$found" ] || die "the package archives have no meson $wanted or newer"
		say "fetching meson $found"
		rm -rf "$dir"
		mkdir -p "$dir"
		(cd "$dir" && logged qemu-meson own_apt apt-get download "meson=$found") ||
			die "cannot fetch meson $found; is there a network?"
		dpkg-deb -x "$dir"/*.deb "$dir/new" || die "cannot unpack meson $found"
		mv "$dir/new/usr" "$dir/usr"
	fi
	export PYTHONPATH=$dir/usr/lib/python3/dist-packages${PYTHONPATH:+:$PYTHONPATH}
	PATH=$dir/usr/bin:$PATH
	has_meson "$wanted" || die "$dir has no meson $wanted; remove it to fetch it again"
}

# keep: what the bench printed to $out/table is kept for make figures
keep() {
	{
		sed -nE 's/^(.*[^ ]) +(<=|>=) ([0-9.]+), (best|worst) of ([0-9]+) ([^ ]+) \((.*)\)  (ok|MISSED)$/goal \1\trelation=\2\tgoal=\3\twhich=\4\tcells=\5\tvalue=\6\twhere=\7/p' \
			"$out/table"
		sed 's/\t/  /g; s/^/printed\t/' "$out/table"
	} > "$out/results.tsv"
	scripts/results.sh keep "qemu-$version" "$out/results.tsv"
}
