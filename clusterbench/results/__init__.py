"""What a result is: record, predictions, evidence, and the scores that both are held against."""
