"""The gait task: gait state from 200 ms windows of leg-muscle EMG."""
