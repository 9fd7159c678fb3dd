"""k-means, exact and the same in any number of threads, processes and on any device.

`rows` what is clustered, read in blocks; `shard` the rows of one process on one device, `cpu` and
`cuda` the two kinds of it; `seeding` and `ward` (of many points by `ward_lists`, of more by
`near_cells`) the starts; `lloyd` the iterations. Two things make the answer independent of how the
work is cut: the nearest centroid is that of float64 arithmetic, whatever product found it, and
sums are whole numbers, whose order does not matter. `processes` are those that share a fit,
`checkpoint` where a killed one goes on.
"""
