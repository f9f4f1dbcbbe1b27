"""The neural denoisers: one file a network, and the blocks that several of them share."""
