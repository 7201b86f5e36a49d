# multifd.gp: gnuplot -e "cells='FILE'; out='BASE'": pages/s of multifd in each cell of migbench
# --report, as a share of the ideal, as links and limits are far apart; as BASE.svg and BASE.png.
stats cells using 2 nooutput
width = 300 + 60 * STATS_records
set title "multifd: limit (plain counts pages before compression: unlike); link held, no limit (like)"
set ylabel "pages/s, share of the ideal"
set yrange [0:]
set style data histograms
set style histogram errorbars gap 1 lw 1
set style fill solid 0.7 border rgb "black"
set tics nomirror
set xtics rotate by -40
set rmargin 16
set grid ytics lc rgb "#dddddd"
set key outside top center horizontal samplen 2
set border 3
do for [ext in "svg png"] {
	if (ext eq "svg") {
		set terminal svg size width, 520 font "DejaVu Sans,12" background "white"
	} else {
		set terminal pngcairo size width, 520 font "DejaVu Sans,10" background "white"
	}
	set output out . "." . ext
	plot cells using ($3 / $2):($4 / $2):($5 / $2):xtic(1) lc rgb "#0072b2" title "multifd", \
		"" using ($7 / $2):($8 / $2):($9 / $2) lc rgb "#009e73" title "multifd-adaptive", \
		1 with lines dt 2 lc rgb "black" title "ideal"
	unset output
}
