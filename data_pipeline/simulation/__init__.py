"""A surface-EMG generator whose clean signal is clean: motor-unit pools, volume conductor, contractions, people."""
