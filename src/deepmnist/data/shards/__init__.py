"""A data set larger than memory: a folder of shards, each a pair of small IDX files, and an index.

    DIR/shards.json                              how many rows each has, and their SHA-256
    DIR/train-00000-of-00064-images-idx3-ubyte   images uint8 (rows, 28, 28)
    DIR/train-00000-of-00064-labels-idx1-ubyte   labels uint8 (rows,)

`index` opens and checks such a folder, `images` reads rows out of it, `writing` makes one.
"""
