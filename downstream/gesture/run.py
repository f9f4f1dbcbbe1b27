"""Run the gesture task from raw files to its tables; see `--help`."""

from cleansemg.downstream.common.running import main

if __name__ == "__main__":
    main("gesture")
