"""Code shared by all tasks: streams, classifiers run on clean, noisy and denoised streams, and tables of results."""
