"""Effect of denoising on downstream tasks: gestures, fatigue, gait, neuromuscular disease."""
