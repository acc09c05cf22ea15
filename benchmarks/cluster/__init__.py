"""A study on a simulated Dask cluster: whether the coordinator is fast enough, and what a trial costs in the end."""
