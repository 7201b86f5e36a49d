# instructions.svg, barriers.svg and rates.svg of a report, from plot.tsv, which has no more than
# 12 workloads: bars from left to right, in pictures as wide as a telephone's screen.
#	gnuplot -e "out='DIR'" plots.gp
set datafile separator "\t"
set datafile missing "?"
data = out . "/plot.tsv"
rows = system("wc -l < " . data)
array name[5] = ["base", "uaccess", "checked", "ringmap", "bound"]
array colour[5] = ["#999999", "#4477aa", "#ccbb44", "#228833", "#ee6677"]
# The bar of series K in row Y: its upper edge
height = 0.16
upper(y, k) = y + (k - 3.5) * height
set style fill solid border -1
set border 3
set tics nomirror
set ytics scale 0
set grid xtics lc rgb "#dddddd"
tall = 130 + 62 * rows
set lmargin 22
set rmargin 4
set tmargin 7
# What to see is above the whole picture.
title(text) = sprintf("set label 1 \"%s\" at screen 0.5, screen 1 center offset 0,-1.2", text)
set key at screen 0.98, screen 1 - 56.0 / tall top right horizontal samplen 0.5 width -1 font ",12"
set yrange [rows - 0.4:-0.6]
set terminal svg size 480, tall font "DejaVu Sans,13" background "white"

set output out . "/instructions.svg"
eval title("Instructions of a packet / user access'\\nshorter is better; bars begin at 0.7")
set xrange [0.7:*]
set xtics 0.2
plot for [k = 1:5] data using (0.7):0:(0.7):(column(k + 1)):(upper($0, k)):(upper($0, k) + height):ytic(1) \
	with boxxyerror title name[k] lc rgb colour[k]

set output out . "/barriers.svg"
eval title("STAC and LFENCE of a packet, for virtqueue metadata\\nringmap should have none")
set xrange [0:*]
set xtics autofreq
plot for [k = 1:5] data using (0):0:(0):(column(k + 6)):(upper($0, k)):(upper($0, k) + height):ytic(1) \
	with boxxyerror title name[k] lc rgb colour[k]

set output out . "/rates.svg"
eval title("Packets per second, ringmap / uaccess\\nright of the line, ringmap is faster")
set tmargin 5
set terminal svg size 480, 110 + 30 * rows font "DejaVu Sans,13" background "white"
set xrange [0.5:*]
set xtics 0.5
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#999999"
unset key
plot data using 13:0:12:14:ytic(1) with xerrorbars pt 7 lw 2 lc rgb "#228833"
