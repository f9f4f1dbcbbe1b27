"""Run the SVM on recordings prepared by preprocess_and_denoise.py; see `--help`."""

from cleansemg.downstream.fatigue.prepared import compare_main

if __name__ == "__main__":
    compare_main(["svm"])
