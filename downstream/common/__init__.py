"""What all tasks share: streams in, classifiers over clean, noisy and denoised ones, a table out."""
