"""Downloads, for `cleansemg fetch`: open recordings, and the published checkpoints and test set, all verified."""
