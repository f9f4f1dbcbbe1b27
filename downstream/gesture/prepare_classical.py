"""Make noisy and denoised recordings for the gesture task with a classical method; see `--help`."""

from cleansemg.downstream.gesture.preparation import main

if __name__ == "__main__":
    main("classical")
