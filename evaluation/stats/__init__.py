"""Statistics of the differences between denoisers: intervals, paired tests and ranks, all over subjects."""
