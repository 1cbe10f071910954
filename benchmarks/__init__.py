"""Measurements that anyone can repeat. Each writes JSON with machine, versions, seeds and n."""
