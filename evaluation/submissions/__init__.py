"""Taking part from outside: what a competitor gets, what comes back, its score, and the page that compares results.

The clean signals stay here. `export` writes noisy signals under opaque ids, `submitted` reads what another program made
of them, `scoring` makes a result file, `board` a leaderboard of many.
"""
