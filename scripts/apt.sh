# shellcheck shell=bash disable=SC2154
# Sourced: the configured package archives, with lists and sources of our own in $apt.

apt=$cache/apt
own_apt() {
	"$@" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/parts" \
		-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o APT::Sandbox::User=root
}

# own_sources TYPE [newer]: what is configured, as sources of TYPE (deb or deb-src); and
# the same archives' suites of newer releases
own_sources() {
	local type=$1 release='' f
	# shellcheck disable=SC1091
	[ -z "${2:-}" ] || release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mkdir -p "$apt"/{parts,lists/partial,cache/archives/partial}
	rm -f "$apt"/parts/*
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -f "$f" ] || continue
		awk -v type="$type" -v release="$release" '
			function entry(suite,  line) { line = $0; sub(" " word " ", " " suite " ", line); print line }
			/^deb[ \t]/ {
				$1 = type
				for (i = 2; i <= NF && $i !~ /:\//; i++) ;
				word = $(i + 1); entry(word)
				if (release == "" || word !~ "^" release) next
				rest = substr(word, length(release) + 1)
				entry("stable" rest); entry("testing" rest)
				if (rest == "") { entry("stable-backports"); entry("unstable") }
			}' "$f" > "$apt/parts/$(basename "$f" .list).list"
	done
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		awk -v type="$type" -v release="$release" '
			/^Types:/ { $0 = "Types: " type }
			release != "" && /^Suites:/ {
				for (i = NF; i > 1; i--)
					if ($i ~ "^" release) {
						rest = substr($i, length(release) + 1)
						$0 = $0 " stable" rest " testing" rest \
							(rest == "" ? " stable-backports unstable" : "")
					}
			}
			{ print }' "$f" > "$apt/parts/${f##*/}"
	done
}
