"""What is submitted: found, checked against its task, scored again, put on a board."""
