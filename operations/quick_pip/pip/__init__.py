"""Stands before the real pip on the path of Pulumi's Python host: see __main__."""
