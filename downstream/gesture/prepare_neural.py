"""Make noisy and denoised recordings for the gesture task with a network; see `--help`."""

from cleansemg.downstream.gesture.preparation import main

if __name__ == "__main__":
    main("neural")
