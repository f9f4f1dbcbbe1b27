"""The neural denoisers: one file for each network, and the blocks that several networks share."""
