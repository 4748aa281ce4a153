"""Attacks on the real program in processes of its own: kills, full disks, company, damage.

`python -m tests.e2e.torture --kills 500 --seed 1` is the long form. What has to hold is looked at
from outside: with the official client and pandas on what the gateway sent, and with plain DuckDB
on what is in the database.
"""
