# plot.gp: gnuplot -e "cells='FILE'; out='BASE'": a plot of pages/s by the limit for each ratio and
# number of threads in the cells of migbench --report; as BASE.svg and BASE.png, as wide as a
# telephone's screen.
stats cells using 3 nooutput
rows = STATS_blocks
array name[3] = ["on", "off", "adaptive"]
array colour[3] = ["#0072b2", "#d55e00", "#009e73"]
set logscale x
set autoscale xfix
set xtics (10, 25, 50, 100, 200, 400)
set xlabel "limit, MB/s"
set ylabel "thousand pages/s (more is better)"
set yrange [0:]
set grid ytics lc rgb "#dddddd"
set key top left reverse Left samplen 2
set border 3
set tics nomirror
do for [ext in "svg png"] {
	if (ext eq "svg") {
		set terminal svg size 480, 300 * rows font "DejaVu Sans,13" background "white"
	} else {
		set terminal pngcairo size 480, 300 * rows font "DejaVu Sans,10" background "white"
	}
	set output out . "." . ext
	set multiplot layout rows, 1
	do for [i = 0 : rows - 1] {
		stats cells index i using 1:2 nooutput
		set title sprintf("pages of ratio %g, %d thread%s", STATS_max_x, STATS_max_y, \
			STATS_max_y > 1 ? "s" : "")
		plot cells index i using 3:($6 / 1e3) with lines lw 2 dt 2 lc rgb "black" title "ideal", \
			for [p = 1 : 3] cells index i \
				using 3:(column(3 + 4 * p) / 1e3):(column(4 + 4 * p) / 1e3):(column(5 + 4 * p) / 1e3) \
				with yerrorlines lw 2 pt 7 ps 0.5 lc rgb colour[p] title name[p]
	}
	unset multiplot
	unset output
}
