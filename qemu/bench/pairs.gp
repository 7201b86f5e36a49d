# pairs.gp: gnuplot -e "cells='FILE'; out='BASE'": a plot of pages/s by the speed of the link, for
# each method, ratio and number of channels in the cells of pairbench --report; as BASE.svg and
# BASE.png, as wide as a telephone's screen.
stats cells using 2 nooutput
plots = STATS_blocks
array name[3] = ["no compression", "compression", "adaptive"]
array colour[3] = ["#d55e00", "#0072b2", "#009e73"]
set logscale x
set autoscale xfix
set xlabel "link, MB/s"
set ylabel "thousand pages/s (more is better)"
set xtics (10, 25, 50, 100, 200, 400, 800)
set yrange [0:]
set grid ytics lc rgb "#dddddd"
set key top left reverse Left samplen 2
set border 3
set tics nomirror
do for [ext in "svg png"] {
	if (ext eq "svg") {
		set terminal svg size 480, 300 * plots font "DejaVu Sans,13" background "white"
	} else {
		set terminal pngcairo size 480, 300 * plots font "DejaVu Sans,10" background "white"
	}
	set output out . "." . ext
	set multiplot layout plots, 1
	do for [i = 0 : plots - 1] {
		set title system(sprintf("awk -v RS='\n\n\n' -F'\"' 'NR == %d { print $2 }' %s", i + 1, cells))
		plot for [k = 1 : 3] cells index i \
			using 2:(column(3 * k) / 1e3):(column(3 * k + 1) / 1e3):(column(3 * k + 2) / 1e3) \
			with yerrorlines lw 2 pt 7 ps 0.5 lc rgb colour[k] title name[k]
	}
	unset multiplot
	unset output
}
