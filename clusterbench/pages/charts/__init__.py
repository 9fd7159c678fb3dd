"""Charts as inline SVG, drawn when a page is built: no library, no script, the same bytes again."""
