"""A repository that holds a leaderboard: the files it starts with, written out by a command."""
