"""The gesture task: STCNet, fitted on clean recordings and run on clean, noisy and denoised ones."""
