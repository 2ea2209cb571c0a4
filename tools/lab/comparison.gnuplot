# SPDX-License-Identifier: MIT
# Draws comparison.svg from the first table of COMPARISON.md. In this folder:
#
#     gnuplot comparison.gnuplot | sed -e 's/[ \t]*$//' -e '/^$/d' >comparison.svg

# Round trips in us: driver; median, least, most; 99th percentile, least, most.
$rtt << END
"ixgbe"                  407 318 522   747 458 1284
"ixgbe, rx-usecs 0"      403 302 623   770 410 1056
"ixgbe, ntuple"          544 342 726   904 565 1409
"ixtapd, interrupt"      616 488 946  1257 833 4592
"ixtapd, adaptive"       623 505 866  1119 769 1445
"ixtapd, busy"           333 292 456   626 457  783
"DPDK, net\\_tap"        644 450 920  1188 645 1498
"DPDK, virtio-user"      642 478 976  1181 656 1542
END

set terminal svg size 760,400 font 'sans-serif,13' background 'white'
set title "UDP round trip on the software NIC: median of ten passes, bars from the least to the most"
set xlabel 'round trip, microseconds, on a logarithmic scale; less is better'
set logscale x
set xrange [250:5000]
set xtics (250, 300, 400, 500, 700, 1000, 1500, 2000, 3000, 5000)
set yrange [7.6:-0.6]
set ytics scale 0
set grid xtics lt 1 lc rgb '#dddddd'
set border 1
set xtics nomirror out
set key at graph 0.99, graph 0.97 right top Left reverse width -2 box lc rgb '#dddddd' opaque
set bars 0.6
plot $rtt using (1):0:ytic(1) with dots notitle, \
     '' using 2:($0-0.13):3:4 with xerrorbars pt 7 ps 0.7 lw 2 lc rgb '#0072b2' title 'median', \
     '' using 5:($0+0.13):6:7 with xerrorbars pt 5 ps 0.6 lw 2 lc rgb '#d55e00' title '99th percentile'
