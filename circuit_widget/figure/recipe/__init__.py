"""The recipe of a figure: everything that it was made from, as data."""
