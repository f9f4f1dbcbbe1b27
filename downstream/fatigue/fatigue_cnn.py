"""The dilated CNN on recordings that preprocess_and_denoise.py has prepared; `--help` says how."""

from cleansemg.downstream.fatigue.prepared import compare_main

if __name__ == "__main__":
    compare_main(["cnn"])
