# instructions.svg, barriers.svg and rates.svg of a report, from plot.tsv:
#	gnuplot -e "out='DIR'" plots.gp
set datafile separator "\t"
set datafile missing "?"
data = out . "/plot.tsv"
set style data histogram
set style histogram clustered gap 1
set style fill solid border -1
set boxwidth 0.9
set grid ytics
set xtics rotate by -50 scale 0 font ",9"
set key outside top center horizontal
rows = system("wc -l < " . data)
width = 500 + 45 * rows
# Nothing is counted of another program's packets, which are last.
counted = system("awk -F '\t' '$2 != \"?\"' " . data . " | wc -l")

set terminal svg size width, 480 font "DejaVu Sans,11" background "white"
set output out . "/instructions.svg"
set title "Instructions of a packet, against user access (from 0.7 on)"
set yrange [0.7:*]
set xrange [-1:counted - 0.3]
plot data using 2:xtic(1) title "base" lc rgb "#999999", \
	"" using 3 title "uaccess" lc rgb "#4477aa", \
	"" using 4 title "checked" lc rgb "#ccbb44", \
	"" using 5 title "ringmap" lc rgb "#228833", \
	"" using 6 title "bound" lc rgb "#ee6677"

set output out . "/barriers.svg"
set title "STAC and LFENCE of a packet for virtqueue metadata (ringmap, bound: none)"
set yrange [0:*]
plot data using 7:xtic(1) title "base" lc rgb "#999999", \
	"" using 8 title "uaccess" lc rgb "#4477aa", \
	"" using 9 title "checked" lc rgb "#ccbb44", \
	"" using 10 title "ringmap" lc rgb "#228833", \
	"" using 11 title "bound" lc rgb "#ee6677"

set output out . "/rates.svg"
set title "Packets per second, ringmap / uaccess: least, median, most"
set yrange [0.5:*]
set xrange [-0.5:rows - 0.5]
unset key
set style data points
plot 1 notitle lc rgb "#999999", \
	data using 0:13:12:14:xtic(1) with yerrorbars title "ratio" pt 7 lc rgb "#228833"
