"""Small files in the layouts in which the original databases come, for the tests of every floor."""
