# shellcheck shell=bash disable=SC2154
# Sourced after common.sh: the configured package archives, with lists and sources of our
# own in $apt.

apt=$shared/apt
own_apt() {
	"$@" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/parts" \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o APT::Sandbox::User=root
}

# newer_sources TYPE: the suites of all newer releases as well
newer_sources() {
	local names
	# They are known by what they are to the archive, and then by name: an archive's copy
	# under the former may be weeks old.
	own_sources "$1" stable testing unstable
	logged apt-update own_apt apt-get update 2>/dev/null || true
	mapfile -t names < <(sed -n 's/^Codename: \([a-z]*\)$/\1/p' \
		"$apt"/lists/*_{stable,testing,unstable}_InRelease | sort -u)
	own_sources "$1" "${names[@]}"
	# Not every release has each suite; what matters is what is there.
	logged apt-update own_apt apt-get update 2>/dev/null || true
	grep -qE "^(Hit|Get):[0-9]+ .* $(. /etc/os-release && echo "$VERSION_CODENAME")[^ ]* InRelease" \
		"$logs/apt-update.log" || die "cannot read the package archives; is there a network?"
}

# own_sources TYPE [RELEASE...]: what is configured, as sources of TYPE (deb or deb-src);
# and from the same archives the suites of these releases, as far as they exist
own_sources() {
	local type=$1 ours f more
	shift
	# shellcheck disable=SC1091
	ours=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mkdir -p "$apt"/{parts,lists/partial,cache/archives/partial}
	rm -f "$apt"/parts/*
	# more(SUITE): the suites of the other releases that correspond to it
	# shellcheck disable=SC2016
	more='function more(suite,  n, release, i, rest, all) {
		if (suite !~ "^" ours)
			return ""
		rest = substr(suite, length(ours) + 1)
		n = split(others, release, " ")
		for (i = 1; i <= n; i++)
			all = all " " release[i] rest (rest == "" ? " " release[i] "-backports" : "")
		return all
	}'
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$f" ] || continue
		awk -v type="$type" -v ours="$ours" -v others="$*" "$more"'
			/^deb[ \t]/ {
				$1 = type
				for (at = 2; at <= NF && $at !~ /:\//; at++)
					;
				n = split($++at more($at), suite, " ")
				for (i = 1; i <= n; i++) { $at = suite[i]; print }
			}' "$f" > "$apt/parts/$(basename "$f" .list).list"
	done
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		awk -v type="$type" -v ours="$ours" -v others="$*" "$more"'
			/^Types:/ { $0 = "Types: " type }
			/^Suites:/ { for (i = NF; i > 1; i--) $0 = $0 more($i) }
			{ print }' "$f" > "$apt/parts/${f##*/}"
	done
}

# offered PACKAGE: "point-release version suites" of the kernel package, a line for each point
# release, the oldest first
offered() {
	own_apt apt-cache madison "$1" |
		awk -F ' *[|] *' '
			{
				split($2, v, "-"); split($3, where, " "); sub(/\/.*/, "", where[2])
				if (!(v[1] in version)) version[v[1]] = $2
				if (!seen[v[1], where[2]]++)
					suites[v[1]] = suites[v[1]] (suites[v[1]] == "" ? "" : ",") where[2]
			}
			END { for (p in version) print p, version[p], suites[p] }' | sort -V
}

# fetch_package DIR PACKAGE VERSION: the package's file, which is in DIR then
fetch_package() {
	local pattern="$1/$2_${3//:/%3a}_*.deb" file
	file=$(compgen -G "$pattern" || true)
	if [ -z "$file" ]; then
		need_space 2 "fetching $2"
		(cd "$1" && logged fetch own_apt apt-get download "$2=$3") ||
			die "cannot fetch $2 $3; is there a network?"
		file=$(compgen -G "$pattern")
	fi
	echo "$file"
}
