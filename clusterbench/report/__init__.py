"""Tables of a report and of a leaderboard."""
