"""k-means, exact and the same in any number of threads, processes and on any device.

`row_sources` what is clustered, read in blocks; `shard` the rows of one process on one device,
`cpu` and `device.cuda` the two kinds of it; `certified` and `leading` find what is nearest;
`starting` the starts; `lloyd` the iterations; `fit` all of it. Two things make the answer
independent of how the work is cut: the nearest centroid is that of float64 arithmetic, whatever
product found it, and sums are whole numbers, whose order does not matter. `processes` are those
that share a fit, `checkpoint` where a killed one goes on.
"""
