"""Many configurations tried, the best one kept: a sweep.

space.py     what may be tried: NAME=SPEC, parsed and checked
records.py   what is on disk: the sweep, and each trial of it
search.py    which values come next, which trial is hopeless: Optuna, told again each time
trial.py     one trial, trained on a worker
ledger.py    what trials tell, written down
tuning.py    Ray Tune, which places trials on machines
job.py       a sweep begun or gone on with, to its end
results.py, plot.py   what is left for people: a table, a picture, the best configuration
progress.py  what a person sees meanwhile
"""
