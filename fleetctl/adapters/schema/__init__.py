"""The program that tells and applies the migrations of instances; it runs on database hosts.

It knows the Python standard library (3.10 and later) alone, and for MariaDB PyMySQL and sqlparse,
which are packed with it.
"""
