"""What heads learn: losses over pairs, tile by tile, and what computes them on each device."""
