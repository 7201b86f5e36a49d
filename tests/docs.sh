#!/usr/bin/env bash
# docs.sh [PAGE...]: run the commands of our pages in the VM, and compare what they
# print with what the page shows. A command is a line that begins with "# " in a literal
# block; lines after it are its output. A man page says in a comment what goes before.
. scripts/common.sh

prepare
build_vhostctl
mapfile -t pages < <(sed -n 's/^file \(Documentation\/.*\.rst\|tools\/.*\.8\)$/\1/p' series)
pages+=(README.md)
[ $# = 0 ] || pages=("$@")

bad=0
for page in "${pages[@]}"; do
	script=$selftests/$(basename "$page").sh
	awk -v page="$page" '
		function finish() {
			if (cmd == "")
				return
			printf "cat > /tmp/command <<\"END-OF-DOC\"\n%s\nEND-OF-DOC\n", cmd
			printf "cat > /tmp/want <<\"END-OF-DOC\"\n%sEND-OF-DOC\nrun %d\n", want, at
			cmd = want = ""
		}
		BEGIN { man = page ~ /\.[0-9]$/; md = page ~ /\.md$/ }
		man && sub(/^\.\\" doc-test: /, "") { cmd = $0; at = NR; finish(); next }
		man { if (/^\.Bd -literal/) { block = 1; next } if (/^\.Ed/) { finish(); block = 0 } }
		md { block = /^(    |$)/ }
		!man && !md && block && NF {
			match($0, /^[ \t]*/)
			if (block < 0)
				block = RLENGTH
			if (RLENGTH < block || !RLENGTH) { finish(); block = 0 }
		}
		!man && !md && /::$/ { block = -1; next }
		!block { finish(); next }
		{ line = $0; sub(man ? "^$" : "^(\t|  +)", "", line) }
		line ~ /^# / || more {
			if (!more) { finish(); cmd = substr(line, 3); at = NR } else cmd = cmd "\n" line
			more = line ~ /\\$/
			next
		}
		cmd != "" && line != "" { want = want line "\n" }
		END { finish() }' "$page" > "$script"
	commands=$(grep -c '^run ' "$script" || true)
	if [ "$commands" = 0 ]; then
		[[ $page == */index.rst || $page == */design.rst ]] || die "$page has no commands; is that so?"
		continue
	fi
	say "$page: $commands commands"
	ringvm --kernel "$kernel" --accel single --memory 4G --timeout 900 --quiet \
		--log "$logs/docs.console" -- \
		"export VHOSTCTL=$vhostctl SELFTESTS=$selftests; . $here/vm/in-vm-doc.sh; . $script; finish" ||
		{ say "$page: not as it says"; bad=1; }
done
[ "$bad" = 0 ] || die "not every page is true"
