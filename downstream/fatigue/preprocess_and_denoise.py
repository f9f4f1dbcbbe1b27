"""Prepare Cerqueira's recordings for fatigue_svm.py and fatigue_cnn.py; see `--help`."""

from cleansemg.downstream.fatigue.prepared import prepare_main

if __name__ == "__main__":
    prepare_main()
