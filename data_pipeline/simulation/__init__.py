"""A surface-EMG simulator, free of noise: motor-unit pools, volume conductor, contractions, people."""
