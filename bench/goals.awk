# goals.awk: what was set out for, and what was counted: a table to read, and goals.tsv.
#	awk -F '\t' -v out=DIR -v series=6.12 -f bench/lib.awk -f bench/goals.awk counts.tsv messages.tsv holds
# The first two are as results.awk writes them, the last as ringcount.so does.
BEGIN { OFS = "\t" }
FILENAME ~ /counts.tsv$/ {
	add(workloads, $1)
	counted[$1, $2]
	insns[$1, $2] = $3; sections[$1, $2] = $7; metadata[$1, $2] = $8 + $9
	next
}
FILENAME ~ /messages.tsv$/ { message[$1, $2] = $3; next }
{ split($0, hold, " "); longest = max(longest, hold[4]) }

# show(WHAT, GOAL, AGAINST, OURS, VALUE): a line of both; VALUE is "" if nothing was counted
function show(what, goal, against, ours, value,  reached) {
	reached = value == "" ? "not measured" : value + 0 <= goal + 0 ? "reached" : "missed"
	if (!shown++)
		printf "%-52s %9s %9s %9s %9s\n", "", "goal", "against", "ours", "measured"
	printf "%-52s %9s %9s %9s %9s  %s\n", what, goal, against, ours, value, reached
	print what, goal, against, ours, value, reached > (out "/goals.tsv")
	missed += reached != "reached"
}

# against(MODE, OTHER, GOAL, LIST): instructions of MODE to those of OTHER, each of LIST
function against(mode, other, goal, list,  i, n, w, value) {
	n = split(list, w, " ")
	for (i = 1; i <= n; i++) {
		value = ""
		if (((w[i], mode) in counted) && ((w[i], other) in counted))
			value = sprintf("%.4f", insns[w[i], mode] / insns[w[i], other])
		show(mode " / " other ", " w[i], goal, value == "" ? "" : sprintf("%.1f", insns[w[i], other]),
			value == "" ? "" : sprintf("%.1f", insns[w[i], mode]), value)
	}
}

function show_sections(under_way,  w, value) {
	w = "tx,window=" under_way
	value = (w, "ringmap") in counted ? sprintf("%.4f", sections[w, "ringmap"]) : ""
	show("sections under the map lock, " w, sprintf("%.4f", sections_goal(under_way)), "", value, value)
}

# Where nothing happens meanwhile: otherwise pages are mapped anew, and other threads of the
# driver use the same functions.
function show_metadata(  i, w, worst, where) {
	worst = ""
	for (i = 1; i <= workloads[0]; i++) {
		w = workloads[i]
		if (w ~ /,(window|stream)|^[tr]x,(frame|size|memory|chain|iotlb$|log$)/ && ((w, "ringmap") in counted) &&
		    (worst == "" || metadata[w, "ringmap"] > worst)) {
			worst = metadata[w, "ringmap"]
			where = w
		}
	}
	show("STAC, CLAC, LFENCE of metadata, worst: " where, 0,
		where == "" ? "" : sprintf("%.3f", metadata[where, "base"]),
		where == "" ? "" : sprintf("%.3f", worst), worst == "" ? "" : sprintf("%.3f", worst))
}

function show_message(w, other,  value) {
	value = ""
	if (((w, "ringmap") in message) && ((w, other) in message))
		value = sprintf("%.0f", message[w, "ringmap"] - message[w, other])
	show("more instructions than " other ", " w, 1000, value == "" ? "" : sprintf("%.0f", message[w, other]),
		value == "" ? "" : sprintf("%.0f", message[w, "ringmap"]), value)
}

END {
	against("uaccess", "base", 1.01, "tx,window=64 tx,window=16 tx,window=4 tx,window=1 rx,window=64")
	against("uaccess", "base", 1.02, "ring,window=64 ring,window=1")
	against("ringmap", "base", 0.975, "tx,window=64 tx,window=16")
	against("ringmap", "base", 1, "tx,window=1 ring,window=1")
	against("ringmap", "base", 0.97, "ring,window=64")
	against("ringmap", "bound", 1.02, "tx,window=64 tx,window=16")
	against("ringmap", "bound", 1.03, "tx,window=4 tx,window=1")
	against("ringmap", "bound", 1.015, "rx,window=64")
	show_sections(64)
	show_sections(16)
	show_sections(1)
	show_metadata()
	show("longest hold of the map lock, instructions", hold_goal(), "", longest, longest)
	show_message("message,other", "base")
	show_message("message,other", "uaccess")
	show_message("message,rings", "base")
	show_message("message,rings", "uaccess")
	against("ringmap", "base", 0.97, "tx,chain=19")
	# vhost of 6.12 does not offer it.
	if (series != "6.12")
		against("ringmap", "base", 0.975, "tx,in_order,window=64")
	printf "%d of %d goals missed or not measured\n", missed, shown
}
