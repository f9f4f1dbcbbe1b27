"""What differences between denoisers are worth: intervals, paired tests and ranks, all over subjects."""
