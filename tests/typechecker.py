"""The checker that every call of holdfast passes during tests; an int is a float, as Python's typing rules say."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
