"""A study on a simulated Dask cluster: is the coordinator fast enough, and does a trial cost the same to the end?"""
