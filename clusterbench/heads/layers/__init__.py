"""What lies between the matrix products of a head, and what computes it on each device."""
