"""Names of the files in a fit's folder, for those who read them and fit nothing."""

LOSSES, CURVES, LEARNING_CURVE = "losses.csv", "curves.png", "learning_curve.csv"
RECIPE, CHECKPOINT = "recipe.yaml", "checkpoint.pt"
BEST = "best.safetensors"  # the weights of a denoiser
