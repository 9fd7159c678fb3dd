"""What a report's charts and tables are for a paper: pictures, CSV and LaTeX."""
