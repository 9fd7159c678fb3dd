"""What a report shows: tables, charts and sentences made from the analysis, in no form yet."""
