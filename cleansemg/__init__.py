"""CleanSEMG: benchmark and toolkit for single-channel surface-EMG denoising."""
