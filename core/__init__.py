"""The ground floor: configuration, artifacts, execution, seeding, signal processing, console.

Nothing here knows a method, a noise or a data set of surface EMG.
"""
