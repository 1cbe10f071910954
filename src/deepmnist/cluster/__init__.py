"""Work for more than one machine: a source cut into parts, and whoever takes them.

places.py    where files lie: a local folder, or an address that pyarrow or fsspec knows
shards/      each kind of file: how it is cut, how its rows are read
sources.py   a source to parts
plan.py      what DEST holds before the first part: the manifest and the parts
scoring.py   one part to its two tables
job.py       a job begun or gone on with, and what is left of it
local.py, on_ray.py   the same parts in this process, or as Ray's tasks
sharing.py   how many trainings at once, on how many cores
connection.py   Ray, found and connected to
progress.py  what a person sees meanwhile
"""
