"""The input contract in operations that LiteRT has built in; ../reading.py joins them."""
