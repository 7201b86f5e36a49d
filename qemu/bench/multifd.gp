# multifd.gp: gnuplot -e "cells='FILE'; out='BASE'": pages/s of multifd in each cell of migbench
# --report, as a share of the ideal, as links and limits are far apart: bars from left to right,
# of 12 cells a plot; as BASE.svg and BASE.png, as wide as a telephone's screen. With a limit,
# plain multifd counts pages before compression: compare with the links.
stats cells using 2 nooutput
n = STATS_records
plots = (n + 11) / 12
set style fill solid 0.7 border rgb "black"
set tics nomirror
set ytics scale 0
set grid xtics lc rgb "#dddddd"
set key top right samplen 1
set border 3
set lmargin 26
set xrange [0:*]
set arrow from 1, graph 0 to 1, graph 1 nohead dt 2 lc rgb "black"
do for [ext in "svg png"] {
	if (ext eq "svg") {
		set terminal svg size 480, 80 + 40 * n font "DejaVu Sans,13" background "white"
	} else {
		set terminal pngcairo size 480, 80 + 40 * n font "DejaVu Sans,10" background "white"
	}
	set output out . "." . ext
	set multiplot layout plots, 1
	do for [plot = 0 : plots - 1] {
		set title "pages/s / the ideal: longer is better"
		set yrange [11.6:-2.4]
		plot cells every ::(12 * plot)::(12 * plot + 11) \
				using (0):0:(0):($3 / $2):($0 - 0.35):($0):ytic(1) with boxxyerror lc rgb "#0072b2" title "multifd", \
			"" every ::(12 * plot)::(12 * plot + 11) \
				using (0):0:(0):($7 / $2):($0):($0 + 0.35) with boxxyerror lc rgb "#009e73" title "adaptive", \
			"" every ::(12 * plot)::(12 * plot + 11) \
				using ($3 / $2):($0 - 0.175):($4 / $2):($5 / $2) with xerrorbars pt 0 lc rgb "black" notitle, \
			"" every ::(12 * plot)::(12 * plot + 11) \
				using ($7 / $2):($0 + 0.175):($8 / $2):($9 / $2) with xerrorbars pt 0 lc rgb "black" notitle
	}
	unset multiplot
	unset output
}
