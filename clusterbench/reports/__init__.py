"""Reports: one page, figures and tables of what some results say."""
